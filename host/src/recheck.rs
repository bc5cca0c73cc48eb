//! Trust looked at again while plugins run.
//!
//! In -> out: packages as they were admitted, the operator's folder -> a plugin that would be refused now is withdrawn.
//! Limits: files of the operator's folder are looked at each second, everything is judged again each 30 seconds: a
//! change counts within 2 s, an end in time within 30 s.
//! Invariant: the same function that admitted decides again, on the same bytes; a folder that cannot be read for
//! [`PATIENCE`] withdraws every plugin, unless only this process lacks what it takes; what was withdrawn does not come back.
//! Not here: what a run does then (`drive.rs`), who may be called (`engine/withdrawal.rs`).

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use orch_trust::admission::admit;
use orch_trust::lock::Lock;
use orch_trust::name::PluginId;
use orch_trust::package::PackageBytes;
use orch_trust::permission::Permissions;
use orch_trust::policy::Policy;
use orch_trust::refusal::Refusal;

use crate::clock;
use crate::config::operator::{Operator, OperatorError};
use crate::config::workspace::WorkspaceConfig;
use crate::engine::withdrawal::{Withdrawal, Withdrawn};
use crate::plugins::PROVIDER_NOT_ALLOWED;

const LOOK: Duration = Duration::from_secs(1);
const JUDGE: Duration = Duration::from_secs(30);
/// An editor may leave a file half written for a moment.
const PATIENCE: Duration = Duration::from_secs(3);
/// Files whose change counts, beneath the operator's folder; of a folder, every file directly in it.
const WATCHED: [&str; 6] =
    ["policy.toml", "trust", "trust/roots", "trust/publishers", "trust/certifiers", "approvals"];

/// A plugin of a run: its bytes as they were admitted, and what takes it from service.
pub struct Watched {
    pub id: String,
    pub package: PackageBytes,
    /// Of a provider: what it may be asked for.
    pub provides: Option<Permissions>,
    pub withdrawal: Arc<Withdrawal>,
}

/// What decides again.
pub struct Recheck {
    pub home: PathBuf,
    pub config: WorkspaceConfig,
    pub lock: Lock,
    pub plugins: Vec<Watched>,
}

/// Looks until it is dropped.
pub struct Watch {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Recheck {
    /// Looks again from a thread of its own.
    ///
    /// # Errors
    /// The system's, if there is no thread for it.
    pub fn begin(self) -> std::io::Result<Watch> {
        let (stop, stopped) = mpsc::channel();
        let mut look = Look::new(self);
        let thread = std::thread::Builder::new().name("orch-recheck".to_owned()).spawn(move || {
            while stopped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                look.again(Instant::now());
            }
        })?;
        Ok(Watch { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One file: path, device and inode, size, and times of change in nanoseconds.
type Stamp = BTreeMap<PathBuf, (u64, u64, u64, i128, i128)>;

struct Look {
    what: Recheck,
    stamp: Stamp,
    judged: Instant,
    /// Since when the folder could not be read.
    broken: Option<Instant>,
}

impl Look {
    fn new(what: Recheck) -> Self {
        // Nothing is known of the folder yet: what changed since the plugins were admitted counts as a change.
        Self { what, stamp: Stamp::new(), judged: Instant::now(), broken: None }
    }

    fn again(&mut self, now: Instant) {
        let stamp = stamp(&self.what.home);
        let is_due = now.saturating_duration_since(self.judged) >= JUDGE;
        if stamp == self.stamp && !is_due && self.broken.is_none() {
            return;
        }
        match self.judge() {
            Ok(()) => {
                (self.stamp, self.judged, self.broken) = (stamp, now, None);
            }
            // What this process lacks for a moment says nothing about the folder; it is looked at again in a second.
            Err(error) if is_want(&error) => tracing::warn!(%error, "trust could not be looked at"),
            Err(error) => {
                let since = *self.broken.get_or_insert(now);
                if now.saturating_duration_since(since) >= PATIENCE {
                    let why = Withdrawn { code: error.code().to_owned(), text: error.to_string() };
                    self.what.plugins.iter().for_each(|plugin| plugin.withdrawal.withdraw(why.clone()));
                }
            }
        }
    }

    fn judge(&self) -> Result<(), OperatorError> {
        let operator = Operator::again(&self.what.home)?;
        let rules = operator.rules(&self.what.config, self.what.lock.clone());
        for plugin in self.what.plugins.iter().filter(|plugin| plugin.withdrawal.withdrawn().is_none()) {
            let why = match admit(&plugin.package, &rules, clock::now()) {
                Err(refusal) if ends_service(&refusal) => {
                    Withdrawn { code: refusal.code().to_owned(), text: refusal.to_string() }
                }
                _ => match plugin.no_longer_provides(&rules.policy) {
                    Some(text) => Withdrawn { code: PROVIDER_NOT_ALLOWED.to_owned(), text },
                    None => continue,
                },
            };
            tracing::warn!(plugin = plugin.id, code = why.code, "withdrawn");
            plugin.withdrawal.withdraw(why);
        }
        Ok(())
    }
}

impl Watched {
    /// What the operator let a provider be asked for, and does not any more.
    fn no_longer_provides(&self, policy: &Policy) -> Option<String> {
        let id = PluginId::parse(&self.id).ok()?;
        let (allowed, table) = policy.provided(&id);
        let excess = self.provides.as_ref()?.within(allowed).err()?;
        Some(format!("{excess} in `{table}` of `policy.toml`"))
    }
}

/// True if a plugin that runs already is not called any more after this refusal. What is only not to be loaded again
/// may run to the end of the run, and so may what was the newest release when the run began.
fn ends_service(refusal: &Refusal) -> bool {
    !matches!(
        refusal,
        Refusal::RevokedBlockLoad { .. }
            | Refusal::RevokedRecertify { .. }
            | Refusal::ReleaseRollback { .. }
            | Refusal::ReleaseOtherBytes { .. }
    )
}

/// True if the system had no descriptor, memory or room for it.
fn is_want(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    causes.any(|cause| {
        let code = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::raw_os_error);
        matches!(
            code,
            Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOSPC | libc::EDQUOT | libc::EAGAIN)
        )
    })
}

fn stamp(home: &Path) -> Stamp {
    let mut found = Stamp::new();
    for name in WATCHED {
        let path = home.join(name);
        let inside = std::fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path());
        for path in inside.chain([path.clone()]) {
            // What a link leads to counts, as it does when it is read.
            if let Ok(data) = std::fs::metadata(&path)
                && data.is_file()
            {
                let nanos =
                    |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
                let changed = nanos(data.mtime(), data.mtime_nsec());
                let altered = nanos(data.ctime(), data.ctime_nsec());
                found.insert(path, (data.dev(), data.ino(), data.size(), changed, altered));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn want_of_descriptors_memory_or_room_withdraws_nobody() {
        let failed = |code| OperatorError::Io {
            what: "read",
            path: PathBuf::from("policy.toml"),
            source: std::io::Error::from_raw_os_error(code),
        };
        for code in [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ENOSPC] {
            assert!(is_want(&failed(code)), "{code}");
        }
        for code in [libc::EACCES, libc::EIO, libc::ENOENT] {
            assert!(!is_want(&failed(code)), "{code}");
        }
        assert!(!is_want(&OperatorError::NoHome));
    }

    #[test]
    fn what_may_not_be_loaded_again_goes_on_and_what_was_killed_or_denied_does_not() {
        let (what, reason) = (String::new, String::new);
        for (refusal, ends) in [
            (Refusal::RevokedKill { what: what(), reason: reason() }, true),
            (Refusal::Denied { what: "plugin", which: what() }, true),
            (Refusal::CertificateMissing { level: "local" }, true),
            (Refusal::RevokedBlockLoad { what: what(), reason: reason() }, false),
            (Refusal::RevokedRecertify { what: what(), reason: reason() }, false),
            // Somebody added a newer release while this one runs.
            (Refusal::ReleaseRollback { stored: 2, found: 1 }, false),
            (Refusal::ReleaseOtherBytes { counter: 1 }, false),
        ] {
            assert_eq!(ends_service(&refusal), ends, "{}", refusal.code());
        }
    }
}
