//! The examples of `docs/operating.md` are what the host reads, and they leave no key out; `docs/features.md` has
//! every id and names nothing that is not there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail loudly"
)]

use std::collections::BTreeSet;

use orch_host::capability::secrets::value::SecretEncoding;
use orch_host::config::operator::Operator;
use orch_host::config::workspace::layers::{VARIABLES, Variable};
use orch_host::config::workspace::{Isolation, Record, WorkspaceConfig};
use orch_host::exit::Exit;
use orch_task::TaskFile;
use orch_tests::{binary, err, out, root};
use orch_trust::authority::{Certifier, Publisher};
use orch_trust::manifest::Role;
use orch_trust::name::PluginId;
use orch_trust::permission::DomainName;
use orch_trust::policy::{
    Allowance, CertificatesPolicy, Deny, Policy, Renewal, ServePolicy, TasksPolicy, WorkerAllowance,
    WorkerPolicy,
};
use orch_trust::root::document::NamespaceText;

use crate::packages::catalogue::tests_of_the_sources;

/// Blocks of TOML and YAML; each says in its first line which file it is.
fn blocks() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(root().join("docs/operating.md")).unwrap();
    let mut found = Vec::new();
    for language in ["toml", "yaml"] {
        for rest in text.split(&format!("```{language}\n")).skip(1) {
            let block = rest.split_once("```").unwrap().0;
            let name = block.lines().next().unwrap().strip_prefix("# ").unwrap();
            found.push((name.to_owned(), block.to_owned()));
        }
    }
    found
}

pub(crate) fn block(name: &str) -> String {
    let mut found: Vec<String> =
        blocks().into_iter().filter(|found| found.0 == name).map(|found| found.1).collect();
    assert_eq!(found.len(), 1, "`{name}`");
    found.pop().unwrap()
}

#[test]
fn every_block_is_a_file_that_a_test_reads() {
    let names: Vec<String> = blocks().into_iter().map(|found| found.0).collect();
    let read = [
        "policy.toml",
        "secrets.toml",
        "trust/publishers/acme.toml",
        "trust/certifiers/me.toml",
        "config.yaml",
        "tasks.yml",
    ];
    assert_eq!(names, read);
}

#[test]
fn the_policy_has_every_key_and_every_permission() {
    let Policy {
        packages,
        minimum_level: _,
        default,
        namespaces,
        plugins,
        deny,
        tasks,
        serve,
        certificates,
        worker,
        egress: _,
        sandbox: _,
    } = Policy::parse(&block("policy.toml")).unwrap();
    let CertificatesPolicy { threshold, independent, renew } = certificates;
    assert!(threshold.get() > 1 && independent && renew == Some(Renewal::Starter));
    let Deny { digests, keys, ids } = deny;
    let TasksPolicy { auto } = tasks;
    let ServePolicy { public } = serve;
    let WorkerPolicy { allow: WorkerAllowance { process, http } } = worker;
    assert!(process.is_some() && http.is_some());
    assert!(!public.is_empty());
    assert!(!packages.is_empty() && default.allow.log.is_some() && !namespaces.is_empty());
    assert!(!digests.is_empty() && !keys.is_empty() && !ids.is_empty() && !auto.is_empty());
    let Allowance { allow, .. } = &plugins[&PluginId::parse("demo/everything").unwrap()];
    let written: Vec<&str> = allow.less().into_iter().map(|(path, _)| path).collect();
    let provide: BTreeSet<_> = plugins.values().flat_map(|plugin| plugin.provide.domains()).collect();
    let provided = DomainName::ALL.iter().copied().filter(|domain| domain.is_provided());
    assert_eq!(provide, provided.collect::<BTreeSet<_>>());
    for domain in DomainName::ALL {
        assert!(written.contains(&domain.as_str()), "{}", domain.as_str());
    }
}

#[test]
fn the_secrets_have_every_kind_of_source() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secrets.toml"), block("secrets.toml")).unwrap();
    let secrets = Operator::look(folder.path()).unwrap().secrets;
    let mut kinds: Vec<&str> = secrets.values().map(|source| source.from.kind()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds, ["env", "file", "program"]);
    assert!(secrets.values().any(|source| source.encoding == SecretEncoding::Base64));
}

#[test]
fn the_trust_files_are_trusted() {
    let publisher = Publisher::parse(&block("trust/publishers/acme.toml")).unwrap();
    assert!(publisher.owns(&PluginId::parse("acme/x").unwrap()));
    assert!(publisher.max_permissions.is_some() && publisher.not_after.is_some());
    let certifier = Certifier::parse(&block("trust/certifiers/me.toml")).unwrap();
    assert!(certifier.not_after.is_some());
}

#[test]
fn the_manual_lists_every_variable_that_sets_a_key() {
    let text = std::fs::read_to_string(root().join("docs/operating.md")).unwrap();
    let written: Vec<&str> = text.lines().filter(|line| line.starts_with("| `ORCH_")).collect();
    let row = |variable: &Variable| {
        let default = variable.default.map_or_else(|| "–".to_owned(), |text| format!("`{text}`"));
        format!("| `{}` | `{}` | {} | {default} |", variable.name, variable.key(), variable.expected)
    };
    assert_eq!(written, VARIABLES.iter().map(row).collect::<Vec<_>>());
}

#[test]
fn the_workspace_has_every_key() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.yaml"), block("config.yaml")).unwrap();
    let WorkspaceConfig {
        roles,
        providers,
        env,
        settings,
        layers: _,
        narrow,
        notify,
        asked,
        audit,
        budget,
        findings: _,
        retry: _,
        jobs,
        log_mib,
        isolation,
        record,
        kill_after,
    } = WorkspaceConfig::read(folder.path()).unwrap();
    for role in Role::ALL {
        assert!(roles.of(role).next().is_some(), "{role:?}");
    }
    assert!(
        !env.is_empty()
            && !providers.is_empty()
            && notify.all().iter().all(|(_, channels)| !channels.is_empty())
            && !settings.is_empty()
            && !narrow.is_empty()
            && audit.every.is_some()
            && budget.limit > 0
    );
    assert!(asked["refactor"].timeout.is_some() && !asked["refactor"].verify.is_empty());
    assert!(jobs.is_some() && log_mib.is_some() && kill_after.is_some());
    assert_eq!((isolation, record), (Some(Isolation::Worktree), Record::Full));
    for key in ["  max_major", "  max_medium", "  base_ms", "  max_ms"] {
        let key = key.trim();
        assert!(block("config.yaml").contains(&format!("{key}: ")), "{key}");
    }
}

#[test]
fn the_tasks_are_read_and_only_one_key_is_a_setting() {
    let file = TaskFile::parse(block("tasks.yml").as_bytes()).unwrap();
    let settings: Vec<&String> = file.tasks().iter().flat_map(|found| found.task.settings.keys()).collect();
    assert_eq!(settings, ["directory"]);
    assert_eq!(file.tasks()[0].env.iter().last(), Some(("PORT", "8080")));
    assert_eq!(file.tasks()[1].added_by.as_deref(), Some("demo/reflector-complexity"));
}

#[test]
fn the_namespace_of_a_root_is_one() {
    let text = std::fs::read_to_string(root().join("docs/operating.md")).unwrap();
    let block = text.split_once("```json\n").unwrap().1.split_once("```").unwrap().0;
    let namespace: NamespaceText = serde_json::from_str(block).unwrap();
    assert!(namespace.max_permissions.process.is_some() && namespace.max_permissions.files.is_some());
    let written = serde_json::to_value(&namespace).unwrap();
    assert_eq!(
        written,
        serde_json::from_str::<serde_json::Value>(block).unwrap(),
        "every key is one that is kept"
    );
}

/// Lines of the shell that call one of our programs, without what follows `#`.
fn commands(text: &str) -> Vec<Vec<String>> {
    let blocks = text.split("```sh\n").skip(1).map(|rest| rest.split_once("```").unwrap().0);
    let lines = blocks.flat_map(str::lines).filter(|line| line.starts_with("orch-"));
    lines.map(|line| shlex::split(line).unwrap()).collect()
}

#[test]
fn every_command_is_one_and_has_these_arguments() {
    let text = std::fs::read_to_string(root().join("docs/operating.md")).unwrap();
    let commands = commands(&text);
    assert!(commands.len() > 25, "{commands:?}");
    let is_verb = |word: &&String| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    let mut helps: std::collections::BTreeMap<Vec<String>, String> = Default::default();
    for command in commands {
        // `init project` ends in a folder's name, which no help is asked of.
        let words: Vec<String> =
            command.iter().take_while(is_verb).take_while(|word| !word.starts_with("--")).cloned().collect();
        let verbs = words.iter().take_while(|word| *word != "project").cloned().collect::<Vec<_>>();
        let help = helps.entry(verbs.clone()).or_insert_with(|| {
            let output =
                std::process::Command::new(binary(&verbs[0])).args(&verbs[1..]).arg("--help").output();
            let output = output.unwrap();
            assert!(output.status.success(), "{command:?}: {}", err(&output));
            out(&output)
        });
        for said in command.iter().filter(|word| word.starts_with("--")) {
            assert!(
                help.contains(&format!("{said} ")) || help.contains(&format!("{said}\n")),
                "{said} of {command:?}"
            );
        }
    }
}

#[test]
fn every_exit_code_is_said() {
    let text = std::fs::read_to_string(root().join("docs/operating.md")).unwrap();
    let all = [
        Exit::Done,
        Exit::GoalNotMet,
        Exit::Usage,
        Exit::PluginRefused,
        Exit::PluginFailed,
        Exit::HostError,
        Exit::NeedsDecision,
        Exit::StoreHeld,
        Exit::Interrupted,
    ];
    for exit in all {
        assert!(text.contains(&format!("\n| {} | ", exit.code())), "{exit:?}");
    }
}

/// Ids of `docs/features.md`: of each section the last one, `0-40` and so on.
const FEATURES: &[(u32, u32)] = &[(0, 40), (1, 62), (2, 28), (3, 47), (4, 39)];

/// Rows of its tables, as cells.
fn rows_of_features() -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(root().join("docs/features.md")).unwrap();
    let mut rows = Vec::new();
    for line in text.lines().filter(|line| line.starts_with("| ")) {
        // A bar that is no end of a cell.
        let line = line.replace("\\|", "/");
        let cells: Vec<String> =
            line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        if cells[cells.len() - 1] != "where it is shown" {
            rows.push(cells);
        }
    }
    rows
}

/// True of two numbers, as in `0-1`.
fn is_id(cell: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    cell.split_once('-').is_some_and(|(section, number)| is_number(section) && is_number(number))
}

#[test]
fn the_ids_of_features_are_all_there_once_and_in_order() {
    let mut expected = Vec::new();
    for (section, last) in FEATURES {
        expected.extend((1..=*last).map(|number| format!("{section}-{number}")));
    }
    let found: Vec<String> =
        rows_of_features().into_iter().map(|row| row[0].clone()).filter(|cell| is_id(cell)).collect();
    let differs = found.iter().zip(&expected).find(|(found, expected)| found != expected);
    assert!(found == expected, "{} ids, not {}; first difference: {differs:?}", found.len(), expected.len());
}

#[test]
fn every_feature_has_a_state_and_what_works_names_its_test() {
    let tests = tests_of_the_sources();
    for row in rows_of_features() {
        let columns = if is_id(&row[0]) { 4 } else { 3 };
        assert_eq!(row.len(), columns, "a bar inside of a cell is `\\|`: {row:?}");
        let (state, shown) = (&row[columns - 2], &row[columns - 1]);
        let is_state = ["works", "partly: ", "not yet"].iter().any(|word| state.starts_with(*word));
        assert!(is_state, "no state: {row:?}");
        let mut has_test = false;
        // Whatever stands in backticks is a path, or else a test.
        for name in shown.split('`').skip(1).step_by(2) {
            let path = root().join(name);
            if name.contains(['/', '.']) {
                assert!(path.exists(), "`{}` names `{name}`, which is not there", row[0]);
                has_test |= path.extension().is_some_and(|extension| extension == "case");
            } else {
                assert!(tests.contains(name), "`{}` names `{name}`, which is no test", row[0]);
                has_test = true;
            }
        }
        assert!(has_test || !is_id(&row[0]) || !state.starts_with("works"), "no test: {row:?}");
    }
}

/// True if a source of tests is that module.
fn is_module(path: &str) -> bool {
    let file = path.trim_end_matches("::tests").replace("::", "/");
    ["tests/tests", "host/src"].iter().any(|folder| root().join(folder).join(format!("{file}.rs")).exists())
}

#[test]
fn every_trial_names_tests_that_are_there() {
    let tests = tests_of_the_sources();
    let text = std::fs::read_to_string(root().join("docs/trials.md")).unwrap();
    let mut rows = 0;
    for row in text.lines().filter(|line| line.starts_with("| ") && *line != "| what was tried | test |") {
        let (tried, shown) = row.trim_end_matches(" |").rsplit_once(" | ").unwrap();
        let mut names =
            shown.split('`').skip(1).step_by(2).filter(|name| *name != "verifier-command").peekable();
        assert!(names.peek().is_some(), "no test: {tried}");
        for name in names {
            let is_there = match name.strip_suffix("::*") {
                Some(module) => is_module(module),
                None if name.contains(['/', '.']) => root().join(name).exists(),
                None => tests.contains(name.rsplit("::").next().unwrap()),
            };
            assert!(is_there, "`{name}` is no test, no module of tests and no path: {tried}");
        }
        rows += 1;
    }
    assert!(rows > 100, "{rows}");
}
