//! Bytes that wait for somebody outside, bounded for all together.
//!
//! In -> out: bytes -> the same, counted until the last copy is gone.
//! Limits: [`ALL_BYTES_MAX`] each way; up to [`SMALL_BYTES`] is not counted, so that who takes much never shuts out who takes little.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const ALL_BYTES_MAX: usize = 64 << 20;
pub(super) const SMALL_BYTES: usize = 64 << 10;
const WAIT: Duration = Duration::from_secs(5);

/// Room for bytes.
#[derive(Clone)]
pub(super) struct Budget {
    room: Arc<Semaphore>,
    wait: Duration,
}

/// Bytes with the room that they take.
struct Counted {
    bytes: Bytes,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self { room: Arc::new(Semaphore::new(ALL_BYTES_MAX >> 10)), wait: WAIT }
    }
}

impl Budget {
    /// Room for so many bytes, if there is some soon.
    pub(super) async fn room(&self, bytes: usize) -> Option<Option<OwnedSemaphorePermit>> {
        if bytes <= SMALL_BYTES {
            return Some(None);
        }
        let kib = u32::try_from(bytes >> 10).unwrap_or(u32::MAX).min((ALL_BYTES_MAX >> 10) as u32);
        let room = tokio::time::timeout(self.wait, self.room.clone().acquire_many_owned(kib)).await;
        room.ok()?.ok().map(Some)
    }

    /// The bytes, counted as long as they wait; none if there is no room for them.
    pub(super) async fn counted(&self, bytes: Bytes) -> Option<Bytes> {
        Some(match self.room(bytes.len()).await? {
            None => bytes,
            Some(room) => Bytes::from_owner(Counted { bytes, _room: room }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bytes_are_counted_until_the_last_copy_is_gone_and_few_never_wait() {
        let budget = Budget { wait: Duration::from_millis(10), ..Budget::default() };
        let all = budget.counted(Bytes::from(vec![0; ALL_BYTES_MAX])).await.unwrap();
        let part = all.slice(..1);
        drop(all);
        assert!(budget.counted(Bytes::from(vec![0; SMALL_BYTES + 1024])).await.is_none());
        assert!(budget.counted(Bytes::from(vec![0; SMALL_BYTES])).await.is_some());
        drop(part);
        assert!(budget.counted(Bytes::from(vec![0; SMALL_BYTES + 1024])).await.is_some());
    }
}
