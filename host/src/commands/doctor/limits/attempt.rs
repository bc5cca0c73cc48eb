//! One hostile attempt, in a process of its own: this same program run again.
//!
//! In -> out: name of the attempt and what it reaches for -> exit [`GOT`] or [`REFUSED`], unless something ends it before.
//! Invariant: what it tries harms nobody where nothing holds it: it reads, writes and signals what the trial made, and takes
//! little and for a short time.
//! Not here: what must hold it (`programs.rs`).

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The first argument that makes this program try instead of its own `main`.
pub const ARGUMENT: &str = "__try";
/// Exits of a trial.
pub const GOT: u8 = 10;
pub const REFUSED: u8 = 11;
/// The attempt was no attempt: no such name, or nothing to reach for.
const NONE: u8 = 12;

/// Longer than every limit that ends it.
const LONG: Duration = Duration::from_secs(8);
const MIB: usize = 1 << 20;

/// The exit of an attempt. `args`: its name, and what it reaches for.
pub fn run(mut args: impl Iterator<Item = OsString>) -> u8 {
    let text = |arg: Option<OsString>| arg.and_then(|arg| arg.into_string().ok()).unwrap_or_default();
    let (name, what) = (text(args.next()), text(args.next()));
    let number = || what.parse::<libc::c_int>().map_err(io::Error::other);
    let got = match name.as_str() {
        "read" => File::open(&what).map(drop),
        "write" => OpenOptions::new().append(true).open(&what).map(drop),
        "signal" => number().and_then(signal),
        "queue" => number().and_then(look_at_queue),
        "connect" => number().and_then(|port| {
            let port = u16::try_from(port).map_err(io::Error::other)?;
            TcpStream::connect(("127.0.0.1", port)).map(drop)
        }),
        "namespace" => namespace(),
        "processes" => processes(64),
        "memory" => memory(256),
        "cpu" => spin(),
        "file" => fill("file", 8),
        "room" => linger(),
        "tmp" => fill("/tmp/file", 16),
        "time" => ignore_and_linger(),
        "leave" => leave(),
        _ => return NONE,
    };
    if got.is_ok() { GOT } else { REFUSED }
}

fn done(failed: libc::c_int) -> io::Result<()> {
    if failed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn signal(process: libc::c_int) -> io::Result<()> {
    // SAFETY: numbers; signal 0 only asks.
    done(unsafe { libc::kill(process, 0) })
}

fn look_at_queue(queue: libc::c_int) -> io::Result<()> {
    // SAFETY: the structure is plain memory of the size that the call writes.
    done(unsafe {
        let mut found: libc::msqid_ds = std::mem::zeroed();
        libc::msgctl(queue, libc::IPC_STAT, &mut found)
    })
}

fn namespace() -> io::Result<()> {
    // SAFETY: a number.
    done(unsafe { libc::unshare(libc::CLONE_NEWUSER) })
}

/// Children that wait.
fn processes(count: u32) -> io::Result<()> {
    for _ in 0..count {
        // SAFETY: this process has one thread; the child only waits.
        match unsafe { libc::fork() } {
            -1 => return Err(io::Error::last_os_error()),
            0 => wait_and_end(),
            _ => {}
        }
    }
    linger()
}

fn memory(mib: usize) -> io::Result<()> {
    let mut taken: Vec<Vec<u8>> = Vec::new();
    for nth in 0..mib / 8 {
        // Not zero: pages of zeros are nobody's until they are written.
        let part = vec![u8::try_from(nth % 200).unwrap_or_default() + 1; 8 * MIB];
        taken.push(std::hint::black_box(part));
    }
    linger()?;
    drop(std::hint::black_box(taken));
    Ok(())
}

fn spin() -> io::Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < LONG {
        std::hint::black_box(0);
    }
    Ok(())
}

fn fill(path: &str, mib: usize) -> io::Result<()> {
    let mut file = File::create(path)?;
    (0..mib).try_for_each(|_| file.write_all(&vec![1; MIB]))
}

fn linger() -> io::Result<()> {
    sleep(LONG);
    Ok(())
}

fn ignore_and_linger() -> io::Result<()> {
    // SAFETY: no handler, only a disposition.
    unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
    linger()
}

/// Of a child.
fn wait_and_end() -> ! {
    sleep(LONG);
    // SAFETY: a number; nothing of the parent's is run.
    unsafe { libc::_exit(0) }
}

/// Leaves a process behind that belongs to nobody.
fn leave() -> io::Result<()> {
    // SAFETY: this process has one thread; the child only leaves and waits.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            // SAFETY: no arguments.
            unsafe { libc::setsid() };
            wait_and_end()
        }
        _ => Ok(()),
    }
}
