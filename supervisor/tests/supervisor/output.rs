//! What a command writes.

use std::time::{Duration, Instant};

use orch_supervisor::{Exit, Log, Request, RunError, pump};

use crate::bench::{CAPTURE, Mark, pool, run, shell, wait_until};

#[tokio::test]
async fn both_streams_are_kept_byte_for_byte() {
    let script = "printf 'a\\000\\377\\r\\n'; printf 'no newline' >&2";
    let mut log = Vec::new();
    let running = pool(1).run(shell(script, &Mark::new())).await.unwrap();
    let output = pump(running, &mut log, CAPTURE).await.unwrap();
    assert_eq!(output.stdout.captured, b"a\0\xff\r\n");
    assert_eq!(output.stderr.captured, b"no newline");
    assert_eq!((output.stdout.total_bytes, output.stderr.total_bytes), (5, 10));
    assert_eq!(log.len(), 15);
}

#[tokio::test]
async fn the_log_has_both_streams_in_the_order_of_arrival() {
    let script = "for i in 1 2 3; do echo out $i; sleep 0.1; echo err $i >&2; sleep 0.1; done";
    let mut log = Vec::new();
    let running = pool(1).run(shell(script, &Mark::new())).await.unwrap();
    pump(running, &mut log, CAPTURE).await.unwrap();
    assert_eq!(String::from_utf8(log).unwrap(), "out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n");
}

#[tokio::test]
async fn beyond_its_limits_output_is_counted_and_the_command_ends() {
    let mut log = Counted::default();
    let script = "head -c 100000000 /dev/zero | tr '\\0' x; printf end >&2";
    let running = pool(1).run(shell(script, &Mark::new())).await.unwrap();
    let output = pump(running, &mut log, 10).await.unwrap();
    assert_eq!(output.ended.exit, Exit::Code(0));
    assert_eq!(output.stdout.captured, b"xxxxxxxxxx");
    assert_eq!(output.stderr.captured, b"end");
    assert_eq!((output.stdout.total_bytes, output.stderr.total_bytes), (100_000_000, 3));
    assert_eq!((log.bytes, log.finished), (100_000_003, true));
}

/// A log that keeps nothing.
#[derive(Default)]
struct Counted {
    bytes: u64,
    finished: bool,
}

impl Log for Counted {
    async fn keep(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    async fn finish(&mut self) -> std::io::Result<()> {
        self.finished = true;
        Ok(())
    }
}

#[tokio::test]
async fn of_a_long_stream_the_first_and_the_last_part_are_captured() {
    let script = "echo FIRST; seq 1000000; echo LAST; seq 100000 >&2";
    let running = pool(1).run(shell(script, &Mark::new())).await.unwrap();
    let output = pump(running, &mut tokio::io::sink(), 10_000).await.unwrap();
    for (stream, first, last) in [
        (&output.stdout, "FIRST\n1\n", "999999\n1000000\nLAST\n"),
        (&output.stderr, "1\n2\n", "99999\n100000\n"),
    ] {
        let text = std::str::from_utf8(&stream.captured).unwrap();
        assert!(text.starts_with(first) && text.ends_with(last) && text.len() <= 10_000);
        let (head, rest) = text.split_once("\n[... ").unwrap();
        let (missed, tail) = rest.split_once(" bytes are left out here ...]\n").unwrap();
        let kept = (head.len() + tail.len()) as u64;
        assert_eq!(kept + missed.parse::<u64>().unwrap(), stream.total_bytes);
    }
}

#[tokio::test]
async fn the_whole_of_a_limit_is_kept_and_not_a_byte_more() {
    for (bytes, kept) in [(9, 9), (10, 10), (11, 10)] {
        let args = vec!["-c".into(), bytes.to_string().into(), "/dev/zero".into()];
        let running = pool(1).run(Request { args, ..Request::new("/usr/bin/head", "/") }).await.unwrap();
        let output = pump(running, &mut tokio::io::sink(), 10).await.unwrap();
        assert_eq!((output.stdout.captured.len(), output.stdout.total_bytes), (kept, bytes));
    }
}

#[tokio::test]
async fn what_lies_in_the_pipe_at_the_end_is_not_lost() {
    let pool = pool(1);
    for _ in 0..50 {
        let output =
            run(&pool, shell("printf '%060000d' 0; printf '%060000d' 0 >&2", &Mark::new())).await.unwrap();
        assert_eq!((output.stdout.total_bytes, output.stderr.total_bytes), (60_000, 60_000));
    }
}

#[tokio::test]
async fn a_command_may_close_its_streams_early() {
    let begun = Instant::now();
    let output = run(&pool(1), shell("exec >&- 2>&-; sleep 0.3; exit 3", &Mark::new())).await.unwrap();
    assert_eq!(output.ended.exit, Exit::Code(3));
    assert!(begun.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn a_descendant_that_keeps_the_pipe_does_not_hold_the_host_up() {
    let mark = Mark::new();
    let begun = Instant::now();
    let output = run(&pool(1), shell("sleep 1000 & setsid sleep 1000 & echo over", &mark)).await.unwrap();
    assert_eq!((output.ended.exit, output.stdout.captured.as_slice()), (Exit::Code(0), b"over\n".as_slice()));
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(mark.carriers(), Vec::<u32>::new());
}

/// A stranger who holds the pipe and never stops writing to it.
#[tokio::test]
async fn a_stranger_with_the_pipe_does_not_hold_the_host_up() {
    let mut running = pool(1).run(shell("echo; sleep 0.5", &Mark::new())).await.unwrap();
    crate::bench::line(&mut running).await;
    let pid = running.identity().pid;
    let pipe = std::fs::OpenOptions::new().write(true).open(format!("/proc/{pid}/fd/1")).unwrap();
    let stranger = std::thread::spawn(move || {
        use std::io::Write;
        // Ends when the reader is gone.
        while (&pipe).write_all(&[b'x'; 4096]).is_ok() {}
    });
    let output = pump(running, &mut tokio::io::sink(), CAPTURE).await.unwrap();
    assert_eq!(output.ended.exit, Exit::Code(0));
    stranger.join().unwrap();
}

#[tokio::test]
async fn a_slow_host_slows_the_command_down_and_loses_nothing() {
    use tokio::io::AsyncReadExt;
    let mut running =
        pool(1).run(shell("head -c 1000000 /dev/zero; echo x >&2", &Mark::new())).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut bytes = Vec::new();
    running.stdout.read_to_end(&mut bytes).await.unwrap();
    assert_eq!(bytes.len(), 1_000_000);
    assert_eq!(running.wait().await.unwrap().exit, Exit::Code(0));
}

#[tokio::test]
async fn a_log_that_cannot_be_written_ends_the_command() {
    let mark = Mark::new();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let pool = pool(1);
    let running = pool.run(shell("echo a; sleep 1000", &mark)).await.unwrap();
    // The file writes behind its caller's back; the error comes with the second write or the flush.
    let found = pump(running, &mut Direct(full), CAPTURE).await;
    assert!(matches!(found, Err(RunError::Log { .. })), "{found:?}");
    wait_until("the end of the command", || mark.carriers().is_empty());
    assert_eq!(run(&pool, shell("exit 4", &mark)).await.unwrap().ended.exit, Exit::Code(4));
}

/// Writes at once.
struct Direct(std::fs::File);

impl tokio::io::AsyncWrite for Direct {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        std::task::Poll::Ready(std::io::Write::write(&mut self.0, bytes))
    }

    fn poll_flush(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn poll_shutdown(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
}
