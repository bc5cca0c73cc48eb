//! What the fakes and the folder must never see: whatever lies outside of a grant.
//!
//! In -> out: permissions, fakes after a call, what was seen -> what went beyond.
//! Invariant: canaries lie where no grant reaches: in the host's own folder, behind a link, in another plugin's values.
//! Not here: what of each capability is beyond a grant (`orch_host::capability`), which calls are made
//! (`permission_probe.rs`, `isolation.rs`).

use std::io;
use std::path::Path;

use orch_host::capability::trial::{Fakes, Watched};
use orch_trust::permission::Permissions;

use crate::conformance::call::Seen;

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
    // What an answer asks for is bounded like what was asked for through `orch:tasks`.
    let asked: Vec<_> =
        seen.asked.iter().chain(seen.answer.iter().flat_map(|answer| &answer.asked)).cloned().collect();
    let mut found = orch_host::capability::beyond(
        permissions,
        Watched { plugin, fakes, writes: &seen.writes, asked: &asked },
    );
    if seen.text().contains(CANARY) || fakes.record().contains(CANARY) {
        found.push("what lies outside of the grant was read".to_owned());
    }
    found
}

#[cfg(test)]
mod tests {
    use orch_host::call::Used;

    use super::*;
    use crate::conformance::answer::Answer;
    use crate::conformance::answer::tests::task;

    fn seen(answer: Answer) -> Vec<String> {
        let seen = Seen::of(Ok(answer), Used::default());
        beyond("p", &Permissions::default(), &Fakes::default(), &seen)
    }

    #[test]
    fn canaries_and_tasks_of_an_answer_are_beyond() {
        let text = |text: &str| Answer { text: text.to_owned(), ..Answer::default() };
        assert_eq!(seen(text("x y")), [""; 0]);
        assert_eq!(seen(text(&format!("x {CANARY} y"))), ["what lies outside of the grant was read"]);
        let asked = vec![task("a", &[])];
        let found = seen(Answer { asked, ..Answer::default() });
        assert_eq!(found, ["tasks: 1 were asked for", "tasks: one of kind `shell` was asked for"]);
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
