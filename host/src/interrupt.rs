//! Interrupts of a run: Ctrl-C, a polite end, a terminal that was closed.
//!
//! In -> out: SIGINT, SIGTERM, SIGHUP -> [`Control`]: the first lets running tasks end, the second ends them.
//! Invariant: heard on a thread of its own, whatever the loop does; one that was ignored when the program started is not
//! heard, and the same one twice within [`ECHO`] is one. The second one ends the program, whoever reads what it says.
//! Not here: what the loop makes of it (`drive.rs`).

use std::future::poll_fn;
use std::sync::mpsc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch::{Sender, channel};

use crate::console::Console;
use crate::drive::desk::Control;
use crate::exit::{Exit, Fault};

/// Whoever signals a process group or a control group, or forwards what the terminal sent, signals twice.
pub const ECHO: Duration = Duration::from_millis(500);

/// How long a run that was ended may take to show what it has to say.
const SHOWING_MAX: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(200);

/// Begins to listen. What was heard is told to a live table if there is one, which would paint over anything else; else it
/// is said on standard error.
pub fn listen(console: Console, table: Option<mpsc::Sender<String>>) -> Result<Sender<Control>, Fault> {
    let (control, _) = channel(Control::GoOn);
    let say = control.clone();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(anyhow::Error::from)?;
    let mut signals = {
        let _runtime = runtime.enter();
        Signals::new().map_err(anyhow::Error::from)?
    };
    let tell = move |text: &str| match &table {
        // Once the table is at its end there is nothing left to interrupt.
        Some(table) => drop(table.send(text.to_owned())),
        None => console.note(text),
    };
    let wait = async move {
        signals.next().await;
        tell("interrupted: running tasks end first; a second interrupt ends them");
        say.send_replace(Control::Stop);
        signals.next().await;
        tell("interrupted again: ending what runs");
        say.send_replace(Control::Abort);
        // Later ones change nothing: what runs is being ended, and who heard of it goes when that is done. What is shown then
        // waits for its reader, who must not keep a host.
        let mut over = None;
        loop {
            drop(tokio::time::timeout(LOOK, signals.next()).await);
            let since = (say.receiver_count() == 0).then(|| over.unwrap_or_else(Instant::now));
            if since.is_some_and(|since| since.elapsed() > SHOWING_MAX) {
                std::process::exit(Exit::Interrupted.code().into());
            }
            over = since;
        }
    };
    std::thread::Builder::new()
        .name("orch-signals".to_owned())
        .spawn(move || runtime.block_on(wait))
        .map_err(anyhow::Error::from)?;
    Ok(control)
}

/// The signals that are heard, and the last one that counted.
struct Signals {
    heard: Vec<(SignalKind, Signal)>,
    last: Option<(SignalKind, Instant)>,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        let ignored = ignored(&std::fs::read_to_string("/proc/self/status")?);
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let heard = kinds.into_iter().filter(|kind| ignored & bit(*kind) == 0);
        let heard = heard.map(|kind| Ok((kind, signal(kind)?))).collect::<std::io::Result<_>>()?;
        Ok(Self { heard, last: None })
    }

    /// Returns at the next one; not at the echo of the one before.
    async fn next(&mut self) {
        loop {
            let heard = &mut self.heard;
            let kind = poll_fn(|context| {
                let came = heard.iter_mut().find_map(|(kind, signal)| {
                    matches!(signal.poll_recv(context), Poll::Ready(Some(()))).then_some(*kind)
                });
                came.map_or(Poll::Pending, Poll::Ready)
            })
            .await;
            if !self.last.is_some_and(|(last, at)| last == kind && at.elapsed() < ECHO) {
                self.last = Some((kind, Instant::now()));
                return;
            }
        }
    }
}

/// What the process that started this one let be ignored, as `nohup` and a shell's `&` do: it stays ignored.
fn ignored(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

fn bit(kind: SignalKind) -> u64 {
    1 << (kind.as_raw_value() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_is_read_from_the_kernel_s_mask() {
        let status =
            |mask: &str| format!("Name:\tx\nSigBlk:\t0000000000000003\nSigIgn:\t{mask}\nSigCgt:\t1\n");
        let (hangup, interrupt) = (bit(SignalKind::hangup()), bit(SignalKind::interrupt()));
        assert_eq!(ignored(&status("0000000000001001")) & (hangup | interrupt), hangup);
        assert_eq!(ignored(&status("0000000000000002")) & (hangup | interrupt), interrupt);
        assert_eq!(ignored(&status("0000000000000000")), 0);
        assert_eq!(ignored(""), 0);
    }
}
