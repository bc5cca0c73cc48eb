//! The readers of this crate, for the fuzz targets: bytes of other processes, and texts in which these name themselves.
//!
//! In -> out: bytes -> what was read, as text or numbers.
//! Not here: what must hold of it (`fuzz/`).

use std::fmt::Debug;

use serde::de::DeserializeOwned;

use crate::frame::{FrameBuffer, FromSupervisor, ToSupervisor, encode};
use crate::process_table::Stat;
use crate::request::Request;

/// The messages of these bytes, which come in pieces of that size, each as it shows itself: those to a supervisor, or
/// if there is none, those from one. False after what is no message.
pub fn frames(bytes: &[u8], step: usize) -> (Vec<String>, bool) {
    let (seen, sound) = read::<ToSupervisor>(bytes, step);
    match seen.is_empty() {
        true => read::<FromSupervisor>(bytes, step),
        false => (seen, sound),
    }
}

fn read<T: DeserializeOwned + Debug>(bytes: &[u8], step: usize) -> (Vec<String>, bool) {
    let (mut buffer, mut seen) = (FrameBuffer::default(), Vec::new());
    for part in bytes.chunks(step.max(1)) {
        buffer.push(part);
        loop {
            match buffer.take::<T>() {
                Ok(Some(message)) => seen.push(format!("{message:?}")),
                Ok(None) => break,
                Err(_) => return (seen, false),
            }
        }
    }
    (seen, true)
}

/// Bytes of messages as a host sends them.
pub fn example() -> Vec<u8> {
    let mut request = Request::new("/bin/true", "/");
    request.args.push("--version".into());
    request.env.push(("HOME".into(), "/".into()));
    let messages = [ToSupervisor::Run(Box::new(request)), ToSupervisor::Cancel];
    messages.iter().flat_map(|message| encode(message).unwrap_or_default()).collect()
}

/// Parent, session and start of a process, from its line in `/proc`.
pub fn stat(text: &[u8]) -> Option<[u64; 3]> {
    let stat = Stat::parse(text)??;
    Some([stat.parent.into(), stat.session.into(), stat.start_ticks])
}
