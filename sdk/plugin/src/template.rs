//! What a new project is made of, carried inside the program.
//!
//! In -> out: [`Role`] -> texts of files.
//! Invariant: the SDK and the interfaces are those that this program was built with; a test compares the lists with
//! the folders, so that no file is forgotten.
//! Not here: writing them (`project.rs`).

use orch_trust::manifest::Role;

/// A file by its path in the new project, with `/`.
pub type Embedded = (&'static str, &'static str);

/// Files of every project, with `{{name}}`, `{{id}}`, `{{namespace}}`, `{{role}}`, `{{edit}}` and `{{bind}}` to be
/// filled in.
pub const PROJECT: [Embedded; 3] = [
    ("Cargo.toml", include_str!("../../templates/project/Cargo.toml")),
    ("README.md", include_str!("../../templates/project/README.md")),
    (".gitignore", include_str!("../../templates/project/gitignore")),
];

/// Files of one role, with `{{name}}` and `{{id}}` to be filled in.
pub fn role(role: Role) -> &'static [Embedded] {
    match role {
        Role::Planner => &[
            ("src/lib.rs", include_str!("../../templates/planner/lib.rs")),
            ("plugin.json", include_str!("../../templates/planner/plugin.json")),
            ("cases/priority.json", include_str!("../../templates/planner/cases/priority.json")),
        ],
        Role::Executor => &[
            ("src/lib.rs", include_str!("../../templates/executor/lib.rs")),
            ("plugin.json", include_str!("../../templates/executor/plugin.json")),
            ("cases/greets.json", include_str!("../../templates/executor/cases/greets.json")),
        ],
        Role::Reflector => &[
            ("src/lib.rs", include_str!("../../templates/reflector/lib.rs")),
            ("plugin.json", include_str!("../../templates/reflector/plugin.json")),
            ("cases/todo.json", include_str!("../../templates/reflector/cases/todo.json")),
        ],
        Role::Auditor => &[
            ("src/lib.rs", include_str!("../../templates/auditor/lib.rs")),
            ("plugin.json", include_str!("../../templates/auditor/plugin.json")),
            ("cases/failed-task.json", include_str!("../../templates/auditor/cases/failed-task.json")),
            ("cases/lines.json", include_str!("../../templates/auditor/cases/lines.json")),
        ],
        Role::Verifier => &[
            ("src/lib.rs", include_str!("../../templates/verifier/lib.rs")),
            ("plugin.json", include_str!("../../templates/verifier/plugin.json")),
            (
                "cases/unfinished-merge.json",
                include_str!("../../templates/verifier/cases/unfinished-merge.json"),
            ),
        ],
        Role::Service => &[
            ("src/lib.rs", include_str!("../../templates/service/lib.rs")),
            ("plugin.json", include_str!("../../templates/service/plugin.json")),
            ("cases/elsewhere.json", include_str!("../../templates/service/cases/elsewhere.json")),
            ("cases/root.json", include_str!("../../templates/service/cases/root.json")),
        ],
    }
}

/// What to change first, and what then is different: one sentence for the project's README.
pub fn edit(role: Role) -> &'static str {
    match role {
        Role::Planner => "Change `before`, and the journal has the attempts in another order.",
        Role::Executor => "Change `greet`, and the journal has another summary for each task of its kind.",
        Role::Reflector => "Change `MARK`, and the journal has other tasks added before the first attempt.",
        Role::Auditor => "Change `note`, and the journal has other tasks added after a failure.",
        Role::Verifier => "Change `marks`, and the journal has other findings.",
        Role::Service => {
            "Change `answer`, and clients get another answer; services leave no trace in a run's journal."
        }
    }
}

/// The line under `roles:` of a workspace's `config.yaml` that binds it, with `{{name}}` and `{{id}}` to be filled in.
pub fn bind(role: Role) -> &'static str {
    match role {
        Role::Planner => "planner: {{id}}",
        // A new executor's kind is its name.
        Role::Executor => "executors: {{{name}}: {{id}}}",
        Role::Reflector => "reflectors: [{{id}}]",
        Role::Auditor => "auditors: [{{id}}]",
        Role::Verifier => "verifiers: [{{id}}]",
        Role::Service => "services: {/: {{id}}}",
    }
}

/// The SDK, to be written into `orch/sdk`.
pub const SDK: &[Embedded] = &[
    ("Cargo.toml", include_str!("../../templates/sdk/Cargo.toml")),
    ("src/bindings.rs", include_str!("../../src/bindings.rs")),
    ("src/bindings/auditor.rs", include_str!("../../src/bindings/auditor.rs")),
    ("src/bindings/capabilities.rs", include_str!("../../src/bindings/capabilities.rs")),
    ("src/bindings/executor.rs", include_str!("../../src/bindings/executor.rs")),
    ("src/bindings/planner.rs", include_str!("../../src/bindings/planner.rs")),
    ("src/bindings/reflector.rs", include_str!("../../src/bindings/reflector.rs")),
    ("src/bindings/service.rs", include_str!("../../src/bindings/service.rs")),
    ("src/bindings/verifier.rs", include_str!("../../src/bindings/verifier.rs")),
    ("src/clocks.rs", include_str!("../../src/clocks.rs")),
    ("src/error.rs", include_str!("../../src/error.rs")),
    ("src/export.rs", include_str!("../../src/export.rs")),
    ("src/failure.rs", include_str!("../../src/failure.rs")),
    ("src/files.rs", include_str!("../../src/files.rs")),
    ("src/findings.rs", include_str!("../../src/findings.rs")),
    ("src/http.rs", include_str!("../../src/http.rs")),
    ("src/kv.rs", include_str!("../../src/kv.rs")),
    ("src/lib.rs", include_str!("../../src/lib.rs")),
    ("src/log.rs", include_str!("../../src/log.rs")),
    ("src/metrics.rs", include_str!("../../src/metrics.rs")),
    ("src/panic.rs", include_str!("../../src/panic.rs")),
    ("src/process.rs", include_str!("../../src/process.rs")),
    ("src/random.rs", include_str!("../../src/random.rs")),
    ("src/role.rs", include_str!("../../src/role.rs")),
    ("src/role/auditor.rs", include_str!("../../src/role/auditor.rs")),
    ("src/role/executor.rs", include_str!("../../src/role/executor.rs")),
    ("src/role/planner.rs", include_str!("../../src/role/planner.rs")),
    ("src/role/reflector.rs", include_str!("../../src/role/reflector.rs")),
    ("src/role/service.rs", include_str!("../../src/role/service.rs")),
    ("src/role/verifier.rs", include_str!("../../src/role/verifier.rs")),
    ("src/settings.rs", include_str!("../../src/settings.rs")),
    ("src/tasks.rs", include_str!("../../src/tasks.rs")),
];

/// The interfaces, to be written into `orch/wit`.
pub const WIT: &[Embedded] = &[
    ("auditor/0.1.0/auditor.wit", include_str!("../../../wit/auditor/0.1.0/auditor.wit")),
    ("executor/0.1.0/executor.wit", include_str!("../../../wit/executor/0.1.0/executor.wit")),
    ("files/0.1.0/files.wit", include_str!("../../../wit/files/0.1.0/files.wit")),
    ("findings/0.1.0/findings.wit", include_str!("../../../wit/findings/0.1.0/findings.wit")),
    ("kv/0.1.0/kv.wit", include_str!("../../../wit/kv/0.1.0/kv.wit")),
    ("log/0.1.0/log.wit", include_str!("../../../wit/log/0.1.0/log.wit")),
    ("metrics/0.1.0/metrics.wit", include_str!("../../../wit/metrics/0.1.0/metrics.wit")),
    ("planner/0.1.0/planner.wit", include_str!("../../../wit/planner/0.1.0/planner.wit")),
    ("process/0.1.0/process.wit", include_str!("../../../wit/process/0.1.0/process.wit")),
    ("reflector/0.1.0/reflector.wit", include_str!("../../../wit/reflector/0.1.0/reflector.wit")),
    ("settings/0.1.0/settings.wit", include_str!("../../../wit/settings/0.1.0/settings.wit")),
    ("tasks/0.1.0/tasks.wit", include_str!("../../../wit/tasks/0.1.0/tasks.wit")),
    ("types/0.1.0/types.wit", include_str!("../../../wit/types/0.1.0/types.wit")),
    ("verifier/0.1.0/verifier.wit", include_str!("../../../wit/verifier/0.1.0/verifier.wit")),
    ("wasi/LICENSE", include_str!("../../../wit/wasi/LICENSE")),
    ("wasi/README.md", include_str!("../../../wit/wasi/README.md")),
    ("wasi/clocks/0.2.12/clocks.wit", include_str!("../../../wit/wasi/clocks/0.2.12/clocks.wit")),
    ("wasi/http/0.2.12/http.wit", include_str!("../../../wit/wasi/http/0.2.12/http.wit")),
    ("wasi/io/0.2.12/io.wit", include_str!("../../../wit/wasi/io/0.2.12/io.wit")),
    ("wasi/random/0.2.12/random.wit", include_str!("../../../wit/wasi/random/0.2.12/random.wit")),
    ("worlds/0.1.0/worlds.wit", include_str!("../../../wit/worlds/0.1.0/worlds.wit")),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    fn listed(folder: &Path, under: &str, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{under}{}", entry.file_name().to_str().unwrap());
            match entry.path().is_dir() {
                true => listed(&entry.path(), &format!("{name}/"), found),
                false => drop(found.insert(name)),
            }
        }
    }

    #[track_caller]
    fn check(embedded: &[Embedded], folder: &str, under: &str) {
        let mut expected = BTreeSet::new();
        listed(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), under, &mut expected);
        let found: BTreeSet<_> = embedded.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn every_file_of_the_sdk_and_the_interfaces_is_carried() {
        let (manifest, sources) = SDK.split_first().unwrap();
        assert_eq!(manifest.0, "Cargo.toml");
        check(sources, "../src", "src/");
        check(WIT, "../../wit", "");
    }

    #[test]
    fn every_case_of_a_role_is_carried() {
        for of in Role::ALL {
            let cases: Vec<_> =
                role(of).iter().copied().filter(|(path, _)| path.starts_with("cases/")).collect();
            check(&cases, &format!("../templates/{}/cases", of.as_str()), "cases/");
        }
    }

    #[test]
    fn the_carried_sdk_uses_the_same_runtime() {
        let runtime =
            |text: &str| text.lines().find(|line| line.starts_with("wit-bindgen = ")).unwrap().to_owned();
        let own = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml")).unwrap();
        assert_eq!(runtime(SDK[0].1), runtime(&own));
    }

    #[test]
    fn the_word_that_an_author_is_told_to_change_is_there() {
        for of in Role::ALL {
            let word = edit(of).split('`').nth(1).unwrap();
            let source = role(of)[0].1;
            assert!(
                source.contains(&format!("fn {word}")) || source.contains(&format!("const {word}")),
                "{word}"
            );
        }
    }
}
