//! How the program ends.
//!
//! Invariant: the numbers are stable; scripts branch on them.

pub mod way_out;

/// Exit codes of `orch-host`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Done,
    GoalNotMet,
    Usage,
    PluginRefused,
    PluginFailed,
    HostError,
    NeedsDecision,
    StoreHeld,
    Interrupted,
}

impl Exit {
    const ALL: [Self; 9] = [
        Self::Done,
        Self::GoalNotMet,
        Self::Usage,
        Self::PluginRefused,
        Self::PluginFailed,
        Self::HostError,
        Self::NeedsDecision,
        Self::StoreHeld,
        Self::Interrupted,
    ];

    /// What ends with that status; a status that is none of ours is the host's fault.
    pub fn of(code: u8) -> Self {
        Self::ALL.into_iter().find(|exit| exit.code() == code).unwrap_or(Self::HostError)
    }

    /// The process's exit status.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::GoalNotMet => 1,
            Self::Usage => 2,
            Self::PluginRefused => 3,
            Self::PluginFailed => 4,
            Self::HostError => 5,
            Self::NeedsDecision => 6,
            Self::StoreHeld => 7,
            Self::Interrupted => 130,
        }
    }
}

/// An error that already knows how the program ends, its stable name and what helps.
#[derive(Debug)]
pub struct Fault {
    pub exit: Exit,
    pub code: &'static str,
    pub hint: Option<String>,
    /// For a file that the hint speaks of; shown below it.
    pub lines: Vec<String>,
    pub source: anyhow::Error,
}

impl Fault {
    pub fn new(
        exit: Exit,
        code: &'static str,
        hint: Option<String>,
        source: impl Into<anyhow::Error>,
    ) -> Self {
        let source = source.into();
        let hint = hint.or_else(|| way_out::of(source.chain()));
        Self { exit, code, hint, lines: Vec::new(), source }
    }

    /// A limit of processes or threads that this program reached, also by what else the user runs.
    pub fn no_threads(said: anyhow::Error) -> Self {
        let said = said.context("the system starts no more threads for this user");
        Self::new(Exit::HostError, "threads", Some(way_out::NO_PROCESS.to_owned()), said)
    }

    /// With these lines below the hint.
    pub fn with_lines(self, text: Option<&str>) -> Self {
        Self { lines: text.into_iter().flat_map(str::lines).map(str::to_owned).collect(), ..self }
    }

    /// With one more line of what was tried.
    pub fn context(self, what: impl Into<String>) -> Self {
        let what: String = what.into();
        Self { source: self.source.context(what), ..self }
    }
}

impl From<anyhow::Error> for Fault {
    fn from(source: anyhow::Error) -> Self {
        let is_refused = |cause: &(dyn std::error::Error + 'static)| {
            cause
                .downcast_ref::<std::io::Error>()
                .is_some_and(|error| error.raw_os_error() == Some(libc::EAGAIN))
        };
        if source.chain().any(is_refused) {
            return Self::no_threads(source);
        }
        Self::new(Exit::HostError, "host", None, source)
    }
}

/// What a command gives back.
pub type Outcome = Result<Exit, Fault>;
