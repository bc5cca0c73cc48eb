//! A line for each request, in `logs/requests.log`.
//!
//! In -> out: [`Line`] -> time, client, method, path, status, bytes, milliseconds; escaped.
//! Limits: 1,024 lines wait, further ones are counted and said; a file of `log_mib` becomes `requests.log.1`, and the one of
//! that name before is gone.
//! Invariant: a request never waits for the disk.

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use crate::command_log::log_stamp;
use crate::console::escape;
use crate::log_folder;

const NAME: &str = "requests.log";
const WAITING_MAX: usize = 1024;

pub(super) struct Line {
    pub at_ms: u64,
    pub client: SocketAddr,
    pub method: http::Method,
    /// As it was asked for, without its query: what is in a query may be a secret.
    pub path: String,
    pub status: u16,
    pub bytes: u64,
    pub took: Duration,
}

/// Takes lines.
#[derive(Clone)]
pub(super) struct RequestsLog {
    lines: SyncSender<Line>,
    lost: Arc<AtomicU64>,
}

impl RequestsLog {
    /// Writes into that folder from a thread of its own, until the last copy is gone.
    pub(super) fn begin(folder: PathBuf, bytes_max: u64) -> std::io::Result<Self> {
        let (lines, received) = sync_channel(WAITING_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        let writer = Writer { folder, bytes_max, file: None, lost: lost.clone() };
        std::thread::Builder::new().name("orch-requests".to_owned()).spawn(move || writer.run(&received))?;
        Ok(Self { lines, lost })
    }

    pub(super) fn line(&self, line: Line) {
        if self.lines.try_send(line).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

struct Writer {
    folder: PathBuf,
    bytes_max: u64,
    file: Option<(File, u64)>,
    lost: Arc<AtomicU64>,
}

impl Writer {
    fn run(mut self, lines: &Receiver<Line>) {
        let mut broken = false;
        while let Ok(first) = lines.recv() {
            let mut text = String::new();
            for line in std::iter::once(first).chain(lines.try_iter().take(WAITING_MAX)) {
                let Line { at_ms, client, method, path, status, bytes, took } = line;
                let (at, method, path) = (log_stamp(at_ms), escape(method.as_str()), escape(&path));
                let took = took.as_secs_f64() * 1e3;
                text.push_str(&format!("{at} {client} {method} {path} {status} {bytes} {took:.1}\n"));
            }
            let lost = self.lost.swap(0, Ordering::Relaxed);
            if lost > 0 {
                text.push_str(&format!("{lost} requests came too fast to be written down\n"));
            }
            let written = self.write(text.as_bytes());
            // Said once, until it works again.
            if let (Err(error), false) = (&written, broken) {
                tracing::warn!(%error, "requests cannot be written down");
            }
            broken = written.is_err();
        }
    }

    fn write(&mut self, text: &[u8]) -> std::io::Result<()> {
        if self.file.as_ref().is_some_and(|(_, size)| *size >= self.bytes_max) {
            self.file = None;
            std::fs::rename(self.folder.join(NAME), self.folder.join(format!("{NAME}.1")))?;
        }
        let (file, size) = match &mut self.file {
            Some(open) => open,
            None => {
                let file = log_folder::append(&self.folder, NAME)?;
                let size = file.metadata()?.len();
                self.file.insert((file, size))
            }
        };
        let written = file.write_all(text);
        *size += text.len() as u64;
        if written.is_err() {
            self.file = None;
        }
        written
    }
}
