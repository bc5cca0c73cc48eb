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
    patience: Duration,
    /// What is left of the patience.
    left: Duration,
    /// Since when a write waits, and until when it may.
    waits: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl<S> Paced<S> {
    pub fn new(stream: S) -> Self {
        Self::with(stream, PATIENCE)
    }

    fn with(stream: S, patience: Duration) -> Self {
        Self { stream, patience, left: patience, waits: None }
    }

    /// Takes the time that a write waited from what is left, and gives some for what it wrote.
    fn wrote(&mut self, bytes: usize) {
        if let Some((since, _)) = self.waits.take() {
            self.left = self.left.saturating_sub(since.elapsed());
        }
        let worth = Duration::from_secs(bytes as u64) / BYTES_A_SECOND;
        self.left = (self.left + worth).min(self.patience);
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

    const SHORT: Duration = Duration::from_millis(100);

    #[tokio::test]
    async fn who_reads_nothing_is_let_go_and_who_drips_too() {
        for drips in [false, true] {
            let (ours, mut theirs) = duplex(1024);
            let reads = tokio::spawn(async move {
                let mut one = [0];
                while drips && theirs.read(&mut one).await.is_ok_and(|read| read > 0) {
                    tokio::time::sleep(SHORT / 4).await;
                }
                // Open, and not read.
                std::future::pending::<()>().await;
                drop(theirs);
            });
            let late = Paced::with(ours, SHORT).write_all(&[0; 4096]).await.unwrap_err();
            assert_eq!(late.kind(), io::ErrorKind::TimedOut, "drips: {drips}");
            reads.abort();
        }
    }

    #[tokio::test]
    async fn who_reads_steadily_may_take_longer() {
        let (ours, mut theirs) = duplex(64 << 10);
        let read = tokio::spawn(async move {
            let (mut some, mut all) = (vec![0; 64 << 10], 0);
            while all < 1 << 20 {
                tokio::time::sleep(SHORT / 4).await;
                all += theirs.read(&mut some).await.unwrap();
            }
        });
        let begun = Instant::now();
        Paced::with(ours, SHORT).write_all(&vec![0; 1 << 20]).await.unwrap();
        assert!(begun.elapsed() > SHORT, "it took longer than who reads nothing may");
        read.await.unwrap();
    }
}
