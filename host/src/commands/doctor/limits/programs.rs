//! Hostile processes: one for each wall of the sandbox, and one for each of its limits.
//!
//! In -> out: [`WALLS`], [`LIMITS`], supervisors of this very program -> [`Seen`] of each attempt.
//! Invariant: a wall is tried alone, and without it: what is refused without it says nothing about it.
//! Not here: the attempts (`attempt.rs`), more of them (`supervisor/tests/supervisor/hostile.py`), what is shown (`limits.rs`).

use std::io;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use orch_supervisor::{
    Exit, Limit, Limits, Place, Request, RunError, Sandbox, SupervisorPool, Wall, Walls, system_places,
};

use super::attempt::{ARGUMENT, GOT, REFUSED};
use super::ground::Ground;

const MIB: u64 = 1 << 20;
/// Longer than every attempt.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A wall and what it must hold alone.
pub(super) const WALLS: [(Wall, &str, &str); 6] = [
    (Wall::Mounts, "read", "reads a file outside"),
    (Wall::Processes, "signal", "signals the host"),
    (Wall::Ipc, "queue", "looks at the host's message queue"),
    (Wall::Network, "connect", "connects to the machine"),
    (Wall::Landlock, "write", "writes a file outside"),
    (Wall::Syscalls, "namespace", "makes a namespace of users"),
];

/// A limit of `[sandbox]` and who goes beyond it.
pub(super) struct Bound {
    /// Its key; none: it holds always.
    pub(super) key: Option<&'static str>,
    pub(super) limit: &'static str,
    attempt: &'static str,
    pub(super) does: &'static str,
    pub(super) tried: &'static str,
    /// With the others as they are without a word.
    with: fn() -> Limits,
}

const fn bound(
    key: Option<&'static str>,
    limit: &'static str,
    attempt: &'static str,
    does: &'static str,
    tried: &'static str,
    with: fn() -> Limits,
) -> Bound {
    Bound { key, limit, attempt, does, tried, with }
}

pub(super) const LIMITS: [Bound; 8] = [
    bound(Some("processes"), "processes", "processes", "starts 64 processes", "32", || Limits {
        processes: Some(32),
        ..Limits::default()
    }),
    bound(Some("memory_mib"), "memory", "memory", "takes 256 MiB", "64 MiB", || Limits {
        memory_bytes: Some(64 * MIB),
        ..Limits::default()
    }),
    bound(Some("cpu_seconds"), "processor time", "cpu", "works without end", "1 s", || Limits {
        cpu_seconds: Some(1),
        ..Limits::default()
    }),
    bound(Some("file_mib"), "size of a file", "file", "writes a file of 8 MiB", "4 MiB", || Limits {
        file_bytes: Some(4 * MIB),
        ..Limits::default()
    }),
    bound(Some("tmp_mib"), "`/tmp`", "tmp", "writes 16 MiB there", "8 MiB", || Limits {
        tmp_bytes: 8 * MIB,
        ..Limits::default()
    }),
    bound(Some("free_mib"), "room on the disk", "room", "goes on", "more than there is", || Limits {
        free_bytes: Some(u64::MAX),
        ..Limits::default()
    }),
    bound(None, "time", "time", "hears no request to end", "1 s", Limits::default),
    bound(None, "end", "leave", "leaves a process behind", "-", Limits::default),
];

/// What was seen of one attempt.
pub(super) struct Seen {
    /// What ended or refused it, or what came instead.
    pub(super) ended: Result<String, String>,
    pub(super) took: Duration,
}

/// What attempts reach for, and who starts them.
pub(super) struct Trial<'a> {
    pool: SupervisorPool,
    own: PathBuf,
    ground: &'a Ground,
    listener: TcpListener,
    queue: Queue,
}

impl<'a> Trial<'a> {
    pub(super) fn new(own: PathBuf, ground: &'a Ground) -> io::Result<Self> {
        Ok(Self {
            pool: SupervisorPool::new(&own, 1),
            own,
            ground,
            listener: TcpListener::bind("127.0.0.1:0")?,
            queue: Queue::new()?,
        })
    }

    /// What that attempt reaches for.
    fn target(&self, attempt: &str) -> io::Result<String> {
        Ok(match attempt {
            "read" | "write" => self.ground.secret().display().to_string(),
            "signal" => std::process::id().to_string(),
            "queue" => self.queue.0.to_string(),
            "connect" => self.listener.local_addr()?.port().to_string(),
            _ => String::new(),
        })
    }

    fn walls(&self, up: impl IntoIterator<Item = Wall>, limits: Limits) -> Sandbox {
        let places = [Place::read(&self.own), Place::write(self.ground.workspace())];
        let walls = Walls::around(system_places().into_iter().chain(places).collect());
        Walls { up: up.into_iter().collect(), limits, ..walls }.into()
    }

    async fn attempt(&self, attempt: &str, sandbox: Sandbox) -> anyhow::Result<Result<(Exit, u32), String>> {
        let request = Request {
            args: [ARGUMENT, attempt, &self.target(attempt)?].map(Into::into).into(),
            timeout: Some(if attempt == "time" { Duration::from_secs(1) } else { TIMEOUT }),
            kill_after: Duration::from_millis(200),
            sandbox,
            ..Request::new(&self.own, self.ground.workspace())
        };
        match self.pool.run(request).await {
            Ok(mut running) => {
                let ended = running.wait().await?;
                Ok(Ok((ended.exit, ended.left)))
            }
            Err(RunError::NotStarted { step, source, .. }) => Ok(Err(format!("{step}: {source}"))),
            Err(error) => Err(error.into()),
        }
    }

    /// Tries what only this wall holds: with it alone, and without it.
    pub(super) async fn wall(&self, wall: Wall, attempt: &str) -> anyhow::Result<Seen> {
        let without = self.attempt(attempt, self.walls([], Limits::default())).await?;
        let begun = Instant::now();
        let with = self.attempt(attempt, self.walls([wall], Limits::default())).await?;
        let took = begun.elapsed();
        let ended = match (with, without) {
            (Ok((Exit::Code(REFUSED_CODE), _)), Ok((Exit::Code(GOT_CODE), _))) => Ok("refused".to_owned()),
            (Ok((Exit::Code(REFUSED_CODE), _)), Ok((Exit::Code(REFUSED_CODE), _))) => {
                Ok("refused, without the wall, too".to_owned())
            }
            (Ok((Exit::Code(GOT_CODE), _)), _) => Err("it succeeded".to_owned()),
            (Err(lacking), _) => Err(format!("the machine does not give it: {lacking}")),
            (with, without) => Err(format!("{with:?}, without the wall {without:?}")),
        };
        Ok(Seen { ended, took })
    }

    /// Tries to go beyond a limit, within all walls.
    pub(super) async fn limit(&self, bound: &Bound) -> anyhow::Result<Seen> {
        let begun = Instant::now();
        let came = self.attempt(bound.attempt, self.walls(Wall::ALL, (bound.with)())).await?;
        let took = begun.elapsed();
        let ended = match (bound.attempt, came) {
            ("time", Ok((Exit::TimedOut, _))) => Ok("ended".to_owned()),
            ("leave", Ok((Exit::Code(GOT_CODE), 1))) => Ok("ended".to_owned()),
            ("time" | "leave", Ok(came)) => Err(format!("{came:?}")),
            (_, Ok((Exit::Beyond(limit), _))) => Ok(beyond(limit).to_owned()),
            ("cpu", Ok((Exit::Signal(libc::SIGKILL | libc::SIGXCPU), _))) => Ok("ended".to_owned()),
            ("file", Ok((Exit::Signal(libc::SIGXFSZ), _))) => Ok("ended".to_owned()),
            (_, Ok((Exit::Code(REFUSED_CODE), _))) => Ok("refused".to_owned()),
            (_, Ok((Exit::Code(GOT_CODE), _))) => Err("it succeeded".to_owned()),
            (_, Ok(came)) => Err(format!("{came:?}")),
            (_, Err(lacking)) => Err(format!("the machine does not give the sandbox: {lacking}")),
        };
        Ok(Seen { ended, took })
    }
}

const GOT_CODE: i32 = GOT as i32;
const REFUSED_CODE: i32 = REFUSED as i32;

fn beyond(limit: Limit) -> &'static str {
    match limit {
        Limit::Processes => "ended: processes",
        Limit::Memory => "ended: memory",
        Limit::Room => "ended: room",
    }
}

/// A message queue of the machine, removed when it is dropped.
struct Queue(libc::c_int);

impl Queue {
    fn new() -> io::Result<Self> {
        // SAFETY: numbers.
        match unsafe { libc::msgget(libc::IPC_PRIVATE, libc::IPC_CREAT | 0o600) } {
            -1 => Err(io::Error::last_os_error()),
            queue => Ok(Self(queue)),
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: numbers, and no structure for this command.
        unsafe { libc::msgctl(self.0, libc::IPC_RMID, std::ptr::null_mut()) };
    }
}
