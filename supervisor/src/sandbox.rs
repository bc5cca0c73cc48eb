//! The walls around one command: what it sees, what it may ask the kernel for, how much it may take.
//!
//! In -> out: [`Sandbox`], which travels in the request -> the command's process, confined, just before it executes.
//! Shape: namespaces (`sandbox/divide.rs`), a root of its own built by a plan (`plan.rs`, `build.rs`) on what is
//! kept for all commands (`template.rs`), Landlock on top
//! (`rules.rs`), a filter of system calls (`filter.rs`), limits (`limits.rs`) and a look at what it takes (`watch.rs`); a way out
//! of its network namespace, if it has one, that the host answers (`listen.rs`).
//! Invariant: a wall that cannot be put up means that the command is not started; there is no weaker fallback here.
//! Not here: which walls a host wants and what is granted (the host), what holds for every command (`launch.rs`).

pub(crate) mod build;
pub(crate) mod divide;
pub(crate) mod filter;
pub(crate) mod limits;
pub(crate) mod listen;
pub(crate) mod plan;
pub(crate) mod rules;
mod system;
pub(crate) mod template;
mod users;
pub(crate) mod watch;

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use limits::{Limit, Limits};
pub use listen::LISTEN_MAX;
pub use system::system_places;

/// How a command is confined.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sandbox {
    /// Not at all.
    #[default]
    None,
    Walls(Box<Walls>),
}

/// One wall. Each is put up by itself; whoever asks for fewer has fewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wall {
    /// A root of its own, in a mount namespace: what was not named is not there.
    Mounts,
    /// A process namespace: nobody else can be seen, signalled or looked into.
    Processes,
    /// Namespaces for System V IPC, message queues and the host's name.
    Ipc,
    /// A network namespace with nothing but its own loopback.
    Network,
    /// Landlock: what was not named is not to be opened, whatever is mounted.
    Landlock,
    /// seccomp: system calls that no program needs, and that have let programs out before.
    Syscalls,
    /// Processor time, size of a file, number of processes, memory.
    Limits,
}

impl Wall {
    pub const ALL: [Self; 7] = [
        Self::Mounts,
        Self::Processes,
        Self::Ipc,
        Self::Network,
        Self::Landlock,
        Self::Syscalls,
        Self::Limits,
    ];

    /// True if it takes a namespace, and with it a namespace of users.
    pub fn takes_a_namespace(self) -> bool {
        matches!(self, Self::Mounts | Self::Processes | Self::Ipc | Self::Network)
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mounts => "mounts",
            Self::Processes => "processes",
            Self::Ipc => "ipc",
            Self::Network => "network",
            Self::Landlock => "landlock",
            Self::Syscalls => "syscalls",
            Self::Limits => "limits",
        })
    }
}

/// What is around a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walls {
    pub up: BTreeSet<Wall>,
    /// Besides a private `/tmp`, the usual devices and its own `/proc`. A later place lies over an earlier one.
    pub places: Vec<Place>,
    /// Over the places.
    pub caches: Vec<Cache>,
    /// Where the host listens on the loopback of its network namespace, if it may use a network at all. Without
    /// [`Wall::Network`] nobody listens, and the machine's network is the command's.
    pub listen: Vec<SocketAddr>,
    pub limits: Limits,
}

/// Something of the machine's files that a command sees, under the same path unless it says another source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Absolute, without `.` and `..`. What is not there is left out; beneath another place no link is followed, and one is
    /// left as it is. Elsewhere what a link leads to stands in its place.
    pub path: PathBuf,
    pub access: Access,
    /// What lies on the machine where the command sees `path`; what is beneath it there is beneath it here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Read and executed, with all beneath.
    Read,
    /// Written, too.
    Write,
    /// An empty folder of that name is there, or a file that cannot be opened; neither can be written, replaced or removed.
    Hidden,
}

/// A folder that a command sees under that path and writes into a layer of its own. Beneath a place it is left out where no
/// folder is there. It needs the wall of mounts, and is not there without.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cache {
    /// As [`Place::path`], and in no place that is written.
    pub path: PathBuf,
    /// What is read; an earlier one lies over a later one. Absolute, without links, as are both others.
    pub beneath: Vec<PathBuf>,
    /// What is written; empty at first, or what an earlier command of the same call wrote.
    pub upper: PathBuf,
    /// Empty, on the same disk.
    pub work: PathBuf,
}

impl Place {
    pub fn read(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), access: Access::Read, source: None }
    }

    pub fn write(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), access: Access::Write, source: None }
    }

    pub fn hidden(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), access: Access::Hidden, source: None }
    }
}

impl Place {
    /// The same place with what lies elsewhere. Needs a root of its own (`Wall::Mounts`).
    pub fn of(self, source: impl Into<PathBuf>) -> Self {
        Self { source: Some(source.into()), ..self }
    }
}

impl Walls {
    /// All of them around these places.
    pub fn around(places: Vec<Place>) -> Self {
        let (listen, caches) = (Vec::new(), Vec::new());
        Self { up: Wall::ALL.into(), places, caches, listen, limits: Limits::default() }
    }

    pub(crate) fn has(&self, wall: Wall) -> bool {
        self.up.contains(&wall)
    }
}

impl Sandbox {
    /// Where sockets are made for the host.
    pub(crate) fn listens(&self) -> &[SocketAddr] {
        match self {
            Self::Walls(walls) if walls.has(Wall::Network) => &walls.listen,
            Self::Walls(_) | Self::None => &[],
        }
    }
}

impl From<Walls> for Sandbox {
    fn from(walls: Walls) -> Self {
        Self::Walls(Box::new(walls))
    }
}
