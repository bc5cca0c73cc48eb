//! The examples of `docs/operating.md` are what the host reads, and they leave no key out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail loudly"
)]

use orch_host::capability::secrets::value::SecretEncoding;
use orch_host::config::operator::Operator;
use orch_host::config::workspace::{Isolation, WorkspaceConfig};
use orch_host::exit::Exit;
use orch_task::TaskFile;
use orch_tests::{binary, err, out, root};
use orch_trust::authority::{Certifier, Publisher};
use orch_trust::manifest::Role;
use orch_trust::name::PluginId;
use orch_trust::permission::DomainName;
use orch_trust::policy::{Allowance, CertificatesPolicy, Deny, Policy, Renewal, ServePolicy, TasksPolicy};
use orch_trust::root::document::NamespaceText;

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

fn block(name: &str) -> String {
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
        egress: _,
        sandbox: _,
    } = Policy::parse(&block("policy.toml")).unwrap();
    let CertificatesPolicy { threshold, independent, renew } = certificates;
    assert!(threshold.get() > 1 && independent && renew == Some(Renewal::Starter));
    let Deny { digests, keys, ids } = deny;
    let TasksPolicy { auto } = tasks;
    let ServePolicy { public } = serve;
    assert!(!public.is_empty());
    assert!(!packages.is_empty() && default.allow.log.is_some() && !namespaces.is_empty());
    assert!(!digests.is_empty() && !keys.is_empty() && !ids.is_empty() && !auto.is_empty());
    let Allowance { allow, .. } = &plugins[&PluginId::parse("demo/everything").unwrap()];
    let written: Vec<&str> = allow.less().into_iter().map(|(path, _)| path).collect();
    let Allowance { provide, .. } = &plugins[&PluginId::parse("demo/provider-log-notify").unwrap()];
    let provided = DomainName::ALL.iter().copied().filter(|domain| domain.is_provided());
    assert_eq!(provide.domains(), provided.collect::<Vec<_>>());
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
fn the_workspace_has_every_key() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.yaml"), block("config.yaml")).unwrap();
    let WorkspaceConfig {
        roles,
        providers,
        env,
        settings,
        text: _,
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
    assert_eq!(isolation, Isolation::Worktree);
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
