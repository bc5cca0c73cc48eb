//! The operator's stream: every decision of an operator, as an event that is durable before the decision counts.
//!
//! In -> out: a decision and the file that makes it count -> an event in `journal/`, then the file; `journal/` -> what is
//! wrong with it.
//! Limits: open for the moment of a change only, and all of it is hashed again at each; no run opens it.
//! Invariant: no command changes what the folder decides without an event of who did so; nothing is put after a journal
//! that is not as this host left it.
//! Not here: what is decided (`decisions.rs`, `intake.rs`, `tokens.rs`), files that somebody edits by hand.

use std::fs::File;
use std::path::Path;

use orch_journal::event::{Event, OPERATOR_STREAM, OperatorDecision, StreamStarted, Who};
use orch_journal::{AuditFault, AuditReport, HEAD_UNREADABLE, Store, StoreOptions, audit_folder};

use super::folder_lock::lock;
use super::{OperatorError, RecordError, make_folder, write_private};
use crate::clock::now_ms;
use crate::config::secret::HostSecret;

pub(super) const FOLDER: &str = "journal";
pub(super) const HEADS: &str = "heads";
const HEAD: &str = "operator.json";

/// The folder, kept from others for one change.
pub struct Change<'a> {
    home: &'a Path,
    secret: &'a HostSecret,
    _lock: File,
}

impl<'a> Change<'a> {
    /// Waits for others that change the folder.
    pub(super) fn begin(home: &'a Path, secret: &'a HostSecret) -> Result<Self, OperatorError> {
        Ok(Self { home, secret, _lock: lock(home)? })
    }

    /// Records the decision, and then writes the file that makes it count.
    pub fn decide(&self, what: OperatorDecision, path: &Path, bytes: &[u8]) -> Result<(), OperatorError> {
        self.record(what)?;
        write_private(path, bytes)
    }

    /// Returns once the decision is durable and its head is kept; only then anything may be written that it is about.
    pub(super) fn record(&self, what: OperatorDecision) -> Result<(), OperatorError> {
        let path = self.home.join(FOLDER);
        let failed = |source: RecordError| OperatorError::NotRecorded { path: path.clone(), source };
        // A new head would take the place of the one that shows what is wrong.
        if let Some(fault) = verify(self.home, self.secret)?.faults().next() {
            return Err(OperatorError::JournalDamaged { path, fault: fault.text.clone() });
        }
        make_folder(&path)?;
        append(&path, self.options(), what).map_err(failed)
    }

    fn options(&self) -> StoreOptions {
        let mut options = StoreOptions::new(self.secret.journal_keys());
        options.heads_dir = Some(self.home.join(HEADS));
        options
    }
}

fn append(folder: &Path, options: StoreOptions, what: OperatorDecision) -> Result<(), RecordError> {
    let store = Store::open(folder, options)?;
    let stream = store.journal(OPERATOR_STREAM)?;
    let at = now_ms();
    if stream.events() == 0 {
        let started =
            StreamStarted { stream: OPERATOR_STREAM.to_owned(), store: None, at, mac: String::new() };
        stream.append(Event::StreamStarted(started))?;
    }
    stream.append(Event::OperatorDecided { what, who: this_process(), at })?;
    stream.wait_checkpoint()?;
    Ok(store.close()?)
}

/// What is wrong with the operator's journal; nothing is known of one that was never begun.
pub(super) fn verify(home: &Path, secret: &HostSecret) -> Result<AuditReport, OperatorError> {
    let path = home.join(FOLDER);
    let heads = home.join(HEADS);
    let mut report = audit_folder(&path, &secret.journal_keys(), &heads)
        .map_err(|source| OperatorError::Journal { path: path.clone(), source })?;
    // Those of runs lie beside it, and another user's host may have written them.
    report.faults.retain(|fault| fault.code != HEAD_UNREADABLE);
    // A head names the place of its store; this one is of this folder, also after the folder was moved.
    if report.runs.is_empty() && report.is_intact() && heads.join(HEAD).exists() {
        let text = format!("nothing is in `{}`, though a head of it is kept", path.display());
        report.faults.push(AuditFault { code: "journal-missing", text });
    }
    Ok(report)
}

/// This process, which a person started.
pub fn this_process() -> Who {
    Who {
        uid: rustix::process::getuid().as_raw(),
        pid: std::process::id(),
        program: std::env::current_exe().map(|path| path.display().to_string()).unwrap_or_default(),
        token: None,
        plugin: None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use orch_journal::Reader;
    use orch_trust::denial::{Denial, Denied};
    use orch_trust::name::PluginId;

    use super::*;
    use crate::config::operator::{Operator, verify_decisions};
    use crate::config::tokens::{Scope, Tokens};

    fn decisions(home: &Path) -> Vec<(&'static str, Who)> {
        let events = Reader::open(&home.join(FOLDER)).unwrap();
        let events = events.events(OPERATOR_STREAM).map(|event| event.unwrap().1).collect::<Vec<_>>();
        events
            .into_iter()
            .filter_map(|event| match event {
                Event::OperatorDecided { what, who, .. } => Some((what.name(), who)),
                _ => None,
            })
            .collect()
    }

    fn store(home: &Path) -> PathBuf {
        home.join(FOLDER).join("state.db")
    }

    /// Where a test keeps an older state of it.
    fn older(home: &Path) -> PathBuf {
        home.join("older")
    }

    fn denial(id: &str) -> Denial {
        let at = crate::clock::now();
        Denial { what: Denied::Id(PluginId::parse(id).unwrap()), reason: "why".to_owned(), at }
    }

    #[test]
    fn what_changes_nothing_is_no_decision_and_what_does_names_who() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("orch");
        let operator = Operator::open(&home).unwrap();
        assert!(!home.join(FOLDER).exists(), "a host that decides nothing has no such journal");
        assert!(verify_decisions(&home).unwrap().runs.is_empty());

        let tokens = Tokens::of(&operator);
        for _ in 0..2 {
            operator.trust_workspace(Path::new("/w")).unwrap();
            operator.deny(denial("acme/x")).unwrap();
            tokens.add(&operator, "ci", &[Scope::Read]).unwrap();
        }
        for _ in 0..2 {
            operator.take_denial_back(&denial("acme/x").what).unwrap();
            tokens.revoke(&operator, "ci").unwrap();
        }
        let found = decisions(&home);
        let names: Vec<&str> = found.iter().map(|(name, _)| *name).collect();
        let expected = ["workspace_known", "denied", "token_added", "denial_taken_back", "token_revoked"];
        assert_eq!(names, expected);
        assert!(found.iter().all(|(_, who)| *who == this_process()));
        let report = verify_decisions(&home).unwrap();
        // With the stream's start; each decision has its own head, the newest is kept.
        assert!(report.is_intact() && report.runs[0].kept_head == Some(5), "{report:?}");
        assert_eq!(report.runs[0].heads, 5);
    }

    /// Each way in which the journal is not as it was left: nothing is decided then, and everything else works.
    #[test]
    fn a_journal_that_somebody_changed_takes_no_decision_and_keeps_nothing_from_running() {
        type Change = Box<dyn Fn(&Path)>;
        let changes: [(&str, Change); 7] = [
            (
                "journal-broken",
                Box::new(|home| {
                    let mut bytes = fs::read(store(home)).unwrap();
                    let at = bytes.windows(6).position(|window| window == b"acme/x").unwrap();
                    bytes[at] = b'A';
                    fs::write(store(home), bytes).unwrap();
                }),
            ),
            ("journal-truncated", Box::new(|home| assert!(fs::copy(older(home), store(home)).unwrap() > 0))),
            ("journal-missing", Box::new(|home| fs::remove_dir_all(home.join(FOLDER)).unwrap())),
            ("journal-missing", Box::new(|home| fs::write(store(home), "").unwrap())),
            // Whose head says another place, as after a move of the folder.
            (
                "journal-missing",
                Box::new(|home| {
                    fs::remove_dir_all(home.join(FOLDER)).unwrap();
                    let head = home.join(HEADS).join(HEAD);
                    let text = fs::read_to_string(&head).unwrap();
                    let mut said: serde_json::Value = serde_json::from_str(&text).unwrap();
                    said["store"] = "0".repeat(64).into();
                    fs::write(head, said.to_string()).unwrap();
                }),
            ),
            ("operator-journal", Box::new(|home| fs::write(store(home), "no database").unwrap())),
            (
                "run-foreign",
                Box::new(|home| {
                    fs::remove_file(home.join("secret")).unwrap();
                    Operator::open(home).unwrap();
                }),
            ),
        ];
        for (code, change) in changes {
            let folder = tempfile::tempdir().unwrap();
            let home = folder.path().join("orch");
            let operator = Operator::open(&home).unwrap();
            operator.deny(denial("acme/x")).unwrap();
            fs::copy(store(&home), older(&home)).unwrap();
            operator.deny(denial("acme/y")).unwrap();
            change(&home);

            let found = verify_decisions(&home);
            let codes: Vec<&str> = match &found {
                Ok(report) => report.faults().map(|fault| fault.code).collect(),
                Err(error) => vec![error.code()],
            };
            assert!(codes.contains(&code), "{code}: {found:?}");
            let operator = Operator::open(&home).unwrap();
            assert_eq!(operator.denials.denied.len(), 2, "{code}");
            let refused = operator.deny(denial("acme/z")).unwrap_err();
            assert_eq!(refused.code(), "operator-journal", "{code}");
            assert!(refused.hint().unwrap().contains("heads/operator.json"), "{code}");
            assert_eq!(Operator::open(&home).unwrap().denials.denied.len(), 2, "{code}");

            // As the hint says: what shows it is kept elsewhere, and a new journal begins.
            let aside = folder.path().join("aside");
            if home.join(FOLDER).exists() {
                fs::rename(home.join(FOLDER), &aside).unwrap();
            }
            fs::remove_file(home.join("heads/operator.json")).unwrap();
            assert!(operator.deny(denial("acme/z")).unwrap(), "{code}");
            assert_eq!(decisions(&home).len(), 1, "{code}");
            assert!(verify_decisions(&home).unwrap().is_intact(), "{code}");
        }
    }

    #[test]
    fn decisions_at_once_wait_for_each_other_and_are_all_there() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("orch");
        Operator::open(&home).unwrap();
        let names: Vec<PathBuf> = (0..8).map(|number| PathBuf::from(format!("/w/{number}"))).collect();
        std::thread::scope(|scope| {
            for name in &names {
                scope.spawn(|| Operator::open(&home).unwrap().trust_workspace(name).unwrap());
            }
        });
        assert_eq!(decisions(&home).len(), names.len());
        assert!(verify_decisions(&home).unwrap().is_intact());
        let text = fs::read_to_string(home.join("workspaces")).unwrap();
        assert_eq!(text.lines().count(), names.len());
    }
}
