//! Messages between host and supervisor.
//!
//! In -> out: message <-> four bytes of length, little-endian, and JSON.
//! Limits: [`FRAME_BYTES_MAX`] for one message.
//! Invariant: a longer length, or text that is no message, is an error, never a wait for more.
//! Not here: sockets and the descriptors that travel with a `Run` (`client.rs`, `serve.rs`).

use std::io;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::StartStep;
use crate::identity::ProcessIdentity;
use crate::request::{Ended, Request};

/// The kernel takes at most 6 MiB of arguments and environment; JSON needs up to four times that for odd bytes.
pub(crate) const FRAME_BYTES_MAX: usize = 32 << 20;

const LENGTH_BYTES: usize = 4;

/// From the host. A supervisor runs one command at a time.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToSupervisor {
    /// The write ends of stdout and stderr travel with its first byte, in this order, and the channel for the sockets that the
    /// host is to have (`sandbox/listen.rs`), if there are any.
    Run(Box<Request>),
    /// End the command. Without meaning when it is already over: the two crossed on the way.
    Cancel,
}

/// To the host. A `Run` is answered by `NotStarted`, or by `Started` and later `Ended`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromSupervisor {
    Started(ProcessIdentity),
    NotStarted { step: StartStep, errno: i32 },
    Ended(Ended),
}

/// The bytes of one message.
pub(crate) fn encode(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; LENGTH_BYTES];
    serde_json::to_writer(&mut bytes, message)?;
    let length = bytes.len() - LENGTH_BYTES;
    if length > FRAME_BYTES_MAX {
        return Err(too_long(length));
    }
    for (place, byte) in bytes.iter_mut().zip((length as u32).to_le_bytes()) {
        *place = byte;
    }
    Ok(bytes)
}

/// What has arrived and was not read yet.
#[derive(Debug, Default)]
pub(crate) struct FrameBuffer {
    bytes: Vec<u8>,
}

impl FrameBuffer {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The oldest whole message.
    ///
    /// # Errors
    /// A length above [`FRAME_BYTES_MAX`], or bytes that are no `T`.
    pub(crate) fn take<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let Some(head) = self.bytes.first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
        let length = u32::from_le_bytes(*head) as usize;
        if length > FRAME_BYTES_MAX {
            return Err(too_long(length));
        }
        let Some(body) = self.bytes.get(LENGTH_BYTES..LENGTH_BYTES + length) else { return Ok(None) };
        let message = serde_json::from_slice(body)?;
        self.bytes.drain(..LENGTH_BYTES + length);
        Ok(Some(message))
    }
}

fn too_long(length: usize) -> io::Error {
    let text = format!("message is {length} bytes, limit is {FRAME_BYTES_MAX}");
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_whole_and_in_order_however_they_are_cut() {
        let mut bytes = encode(&ToSupervisor::Run(Box::new(Request::new("/bin/true", "/")))).unwrap();
        bytes.extend(encode(&ToSupervisor::Cancel).unwrap());
        for step in 1..bytes.len() {
            let mut buffer = FrameBuffer::default();
            let mut found = Vec::new();
            for part in bytes.chunks(step) {
                buffer.push(part);
                while let Some(message) = buffer.take::<ToSupervisor>().unwrap() {
                    found.push(message);
                }
            }
            assert!(
                matches!(found.as_slice(), [ToSupervisor::Run(_), ToSupervisor::Cancel]),
                "{step}: {found:?}"
            );
        }
    }

    #[test]
    fn a_length_above_the_limit_and_other_text_are_errors() {
        let mut buffer = FrameBuffer::default();
        buffer.push(&(FRAME_BYTES_MAX as u32 + 1).to_le_bytes());
        assert!(buffer.take::<ToSupervisor>().unwrap_err().to_string().contains("limit is"));
        let mut buffer = FrameBuffer::default();
        buffer.push(&[2, 0, 0, 0, b'{', b'}']);
        assert!(buffer.take::<ToSupervisor>().is_err());
        let mut buffer = FrameBuffer::default();
        buffer.push(&(FRAME_BYTES_MAX as u32).to_le_bytes());
        assert!(buffer.take::<ToSupervisor>().unwrap().is_none());
    }
}
