//! A connection whose other end must read.
//!
//! In -> out: a stream -> the same, which fails when nobody reads what waits.
//! Limits: [`PATIENCE`] in all, less whatever was waited before, and more by what was read at [`BYTES_A_SECOND`].
//! Invariant: what waits for a slow reader is let go after a bounded time, whatever it does.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// So long a reader may take nothing.
const PATIENCE: Duration = Duration::from_secs(10);
const BYTES_A_SECOND: u32 = 64 << 10;

/// Waits for a reader no longer than it is worth.
pub struct Paced<S> {
    stream: S,
    /// What is left of the patience.
    left: Duration,
    /// Since when a write waits, and until when it may.
    waits: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl<S> Paced<S> {
    pub fn new(stream: S) -> Self {
        Self { stream, left: PATIENCE, waits: None }
    }

    /// Takes the time that a write waited from what is left, and gives some for what it wrote.
    fn wrote(&mut self, bytes: usize) {
        if let Some((since, _)) = self.waits.take() {
            self.left = self.left.saturating_sub(since.elapsed());
        }
        let worth = Duration::from_secs(bytes as u64) / BYTES_A_SECOND;
        self.left = (self.left + worth).min(PATIENCE);
    }

    fn wait(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let left = self.left;
        let (_, until) = self.waits.get_or_insert_with(|| {
            let now = Instant::now();
            (now, Box::pin(sleep_until(now + left)))
        });
        ready!(until.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "nobody reads")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(context, bytes) {
            Poll::Ready(wrote) => {
                self.wrote(*wrote.as_ref().unwrap_or(&0));
                Poll::Ready(wrote)
            }
            Poll::Pending => self.wait(context).map_ok(|()| 0),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write_vectored(context, slices) {
            Poll::Ready(wrote) => {
                self.wrote(*wrote.as_ref().unwrap_or(&0));
                Poll::Ready(wrote)
            }
            Poll::Pending => self.wait(context).map_ok(|()| 0),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_reads_nothing_is_let_go_and_who_drips_too() {
        let (ours, mut theirs) = duplex(1024);
        let mut ours = Paced::new(ours);
        let begun = Instant::now();
        assert_eq!(ours.write_all(&[0; 4096]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed().as_secs(), PATIENCE.as_secs());

        let begun = Instant::now();
        let drip = tokio::spawn(async move {
            let mut one = [0];
            while theirs.read(&mut one).await.is_ok_and(|read| read > 0) {
                tokio::time::sleep(PATIENCE / 2).await;
            }
        });
        ours = Paced::new(ours.stream);
        assert_eq!(ours.write_all(&[0; 4096]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() <= PATIENCE * 2, "{:?}", begun.elapsed());
        drip.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_steadily_may_take_longer() {
        let (ours, mut theirs) = duplex(64 << 10);
        let mut ours = Paced::new(ours);
        let read = tokio::spawn(async move {
            let mut some = vec![0; 128 << 10];
            let mut all = 0;
            while all < 8 << 20 {
                tokio::time::sleep(Duration::from_millis(500)).await;
                all += theirs.read(&mut some).await.unwrap();
            }
        });
        ours.write_all(&vec![0; 8 << 20]).await.unwrap();
        read.await.unwrap();
    }
}
