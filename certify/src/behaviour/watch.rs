//! What the fakes and the folder must never see: whatever lies outside of a grant.
//!
//! In -> out: permissions, fakes after a call, what was seen -> what went beyond.
//! Invariant: canaries lie where no grant reaches: in the host's own folder, behind a link, in another plugin's values.
//! Not here: which calls are made (`permission_probe.rs`, `isolation.rs`).

use std::io;
use std::path::Path;

use orch_host::capability::EffectRecord;
use orch_trust::permission::{FilesPermission, Permissions};

use crate::conformance::actor::Seen;
use crate::fake::Fakes;

/// A word that nothing else says.
pub(super) const CANARY: &str = "canary-5d1f7c3ae2b84690";
const HIDDEN: &str = ".orch/canary.py";

/// Puts canaries into a workspace: one in the host's own folder, and a link to it with a name that globs like.
pub(super) fn place_canaries(workspace: &Path) -> io::Result<()> {
    std::fs::create_dir_all(workspace.join(".orch"))?;
    std::fs::write(workspace.join(HIDDEN), format!("{CANARY} = 1\n"))?;
    std::os::unix::fs::symlink(workspace.join(HIDDEN), workspace.join("src").join("link.py"))
}

/// True if the canaries are as they were.
pub(super) fn canaries_live(workspace: &Path) -> bool {
    let same = std::fs::read(workspace.join(HIDDEN))
        .is_ok_and(|bytes| bytes == format!("{CANARY} = 1\n").as_bytes());
    same && workspace.join("src").join("link.py").is_symlink()
}

/// What went beyond these permissions of the plugin of that id, in words.
pub(super) fn beyond(plugin: &str, permissions: &Permissions, fakes: &Fakes, seen: &Seen) -> Vec<String> {
    let mut found = Vec::new();
    let programs =
        permissions.process.as_ref().map(|process| process.programs.as_slice()).unwrap_or_default();
    for request in fakes.processes.requests() {
        let name = request.program.file_name().unwrap_or_default();
        if !programs.iter().any(|program| program.as_str() == name || Path::new(program) == request.program) {
            found.push(format!("a program `{}` was started", name.to_string_lossy()));
        }
    }
    let labels = permissions.kv.as_ref().map(|kv| kv.labels.as_slice()).unwrap_or_default();
    for (owner, label) in fakes.kv.asked() {
        if owner != plugin {
            found.push("values of another plugin were asked for".to_owned());
        }
        if permissions.kv.is_none() || (!label.is_empty() && !labels.contains(&label)) {
            found.push(format!("`kv` was asked for the label `{label}`"));
        }
    }
    found.extend(fakes.gate.effects().iter().filter_map(|effect| effect_beyond(permissions, effect)));
    if permissions.log.is_none() && !fakes.log.lines().is_empty() {
        found.push("a line was logged".to_owned());
    }
    if seen.text().contains(CANARY) || fakes.record().contains(CANARY) {
        found.push("what lies outside of the grant was read".to_owned());
    }
    found
}

fn effect_beyond(permissions: &Permissions, effect: &EffectRecord) -> Option<String> {
    let nothing = |list: Option<&Vec<String>>| list.is_none_or(Vec::is_empty);
    let programs = permissions.process.as_ref().map(|process| &process.programs);
    let globs = permissions.files.as_ref().map(|files| &files.write);
    match effect {
        EffectRecord::Intent { effect: "process" } | EffectRecord::ProcessStarted { .. } if nothing(programs) => {
            Some("an effect of `process` was recorded".to_owned())
        }
        EffectRecord::Intent { effect: "files-write" } if nothing(globs) => {
            Some("an effect of `files.write` was recorded".to_owned())
        }
        EffectRecord::FileWritten { path, .. } => {
            let files = FilesPermission { read: Vec::new(), write: vec![path.clone()] };
            let written = Permissions { files: Some(files), ..Permissions::default() };
            written.within(permissions).is_err().then(|| format!("`{path}` was written"))
        }
        EffectRecord::Intent { .. } | EffectRecord::ProcessStarted { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use orch_host::capability::EffectGate;
    use orch_host::capability::kv::KvReader;
    use orch_host::capability::log::{LogLevel, LogSink};
    use orch_host::call::Used;
    use orch_trust::permission::{KvPermission, Plain, ProcessPermission};

    use super::*;
    use crate::conformance::answer::Answer;

    type Change = fn(&mut Permissions);

    fn seen(answer: &str) -> Seen {
        Seen {
            answer: Ok(Answer::Done(answer.to_owned())),
            used: Used::default(),
            asked: Vec::new(),
            denied: Vec::new(),
            log_cut: false,
            writes: String::new(),
        }
    }

    fn granted() -> Permissions {
        Permissions {
            log: Some(Plain {}),
            kv: Some(KvPermission { labels: vec!["own".to_owned()], bytes: 1 }),
            files: Some(FilesPermission { read: Vec::new(), write: vec!["src/**".to_owned()] }),
            process: Some(ProcessPermission { programs: vec!["true".to_owned()], ..Default::default() }),
            ..Permissions::default()
        }
    }

    async fn everything(fakes: &Fakes) {
        fakes.log.line("p", LogLevel::Info, "x");
        fakes.kv.read("p", "own", "k").unwrap();
        for effect in [
            EffectRecord::Intent { effect: "files-write" },
            EffectRecord::FileWritten { path: "src/a.py".to_owned(), before: None, after: String::new() },
            EffectRecord::Intent { effect: "process" },
        ] {
            fakes.gate.record(effect).await.unwrap();
        }
    }

    #[tokio::test]
    async fn what_is_granted_is_not_beyond_and_each_permission_is_missed() {
        let fakes = Fakes::default();
        everything(&fakes).await;
        assert_eq!(beyond("p", &granted(), &fakes, &seen("")), [""; 0]);
        let without: [(Change, &str); 4] = [
            (|granted| granted.log = None, "logged"),
            (|granted| granted.kv = None, "kv"),
            (|granted| granted.files = None, "written"),
            (|granted| granted.process = None, "process"),
        ];
        for (remove, word) in without {
            let mut less = granted();
            remove(&mut less);
            let found = beyond("p", &less, &fakes, &seen(""));
            assert!(found.iter().any(|what| what.contains(word)), "{word}: {found:?}");
        }
    }

    #[tokio::test]
    async fn labels_plugins_paths_and_canaries_of_others_are_beyond() {
        let fakes = Fakes::default();
        fakes.kv.read("p", "other", "k").unwrap();
        assert_eq!(beyond("p", &granted(), &fakes, &seen("")), ["`kv` was asked for the label `other`"]);
        let fakes = Fakes::default();
        fakes.kv.read("q", "own", "k").unwrap();
        assert_eq!(beyond("p", &granted(), &fakes, &seen("")).len(), 1);
        let fakes = Fakes::default();
        let path = "docs/a.py".to_owned();
        fakes.gate.record(EffectRecord::FileWritten { path, before: None, after: String::new() }).await.unwrap();
        assert_eq!(beyond("p", &granted(), &fakes, &seen("")), ["`docs/a.py` was written"]);
        let read = beyond("p", &granted(), &Fakes::default(), &seen(&format!("x {CANARY} y")));
        assert_eq!(read, ["what lies outside of the grant was read"]);
    }

    #[test]
    fn a_canary_that_was_touched_is_noticed() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("src")).unwrap();
        place_canaries(home.path()).unwrap();
        assert!(canaries_live(home.path()));
        std::fs::write(home.path().join("src/link.py"), "x").unwrap();
        assert!(!canaries_live(home.path()));
    }
}
