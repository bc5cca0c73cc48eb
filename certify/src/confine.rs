//! What a child process takes away from itself before it looks at a package.
//!
//! In -> out: how much a group may use -> this process, limited until its end.
//! Limits: memory that can be written, address space, processor time, file size, open files; no core dump.
//! Invariant: a limit that cannot be set ends the child, so that no check runs without it.
//! Not here: wall time and output, which the parent watches (`sandbox.rs`).

use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};

use crate::check::Group;

/// Ceilings of one child.
#[derive(Clone, Copy, Debug)]
pub struct Ceilings {
    /// Private memory that can be written. Bounds what is really used.
    pub data_bytes_max: u64,
    /// Addresses. The engine reserves 4 GiB for each memory of a guest without using them.
    pub address_bytes_max: u64,
    /// Processor time of all threads, in seconds.
    pub cpu_seconds_max: u64,
    /// The largest file that it may write, in bytes.
    pub file_bytes_max: u64,
    pub open_files_max: u64,
}

impl Ceilings {
    pub fn of(group: Group) -> Self {
        match group {
            Group::Package | Group::Component | Group::Contents | Group::Compatibility => Self {
                data_bytes_max: 448 << 20,
                address_bytes_max: 2 << 30,
                cpu_seconds_max: 60,
                file_bytes_max: 0,
                open_files_max: 128,
            },
            // Each program that it starts has these limits for itself.
            Group::Dependencies => Self {
                data_bytes_max: 4 << 30,
                address_bytes_max: 64 << 30,
                cpu_seconds_max: 120,
                file_bytes_max: 64 << 20,
                open_files_max: 1024,
            },
            // Compilers: of all groups this may use the most.
            Group::Source => Self {
                data_bytes_max: 8 << 30,
                address_bytes_max: 512 << 30,
                cpu_seconds_max: 900,
                file_bytes_max: 1 << 30,
                open_files_max: 4096,
            },
            Group::Conformance(_) | Group::Behaviour | Group::SelfCheck => Self {
                data_bytes_max: 1536 << 20,
                address_bytes_max: 512 << 30,
                cpu_seconds_max: 120,
                file_bytes_max: 16 << 20,
                open_files_max: 128,
            },
        }
    }
}

/// Limits this process. Ends with its parent, too.
///
/// # Errors
/// The system's, if a limit cannot be set.
pub fn confine(ceilings: Ceilings) -> rustix::io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let limits = [
        (Resource::Core, 0),
        (Resource::Nofile, ceilings.open_files_max),
        (Resource::Fsize, ceilings.file_bytes_max),
        (Resource::Cpu, ceilings.cpu_seconds_max),
        (Resource::Data, ceilings.data_bytes_max),
        (Resource::As, ceilings.address_bytes_max),
    ];
    for (resource, most) in limits {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}
