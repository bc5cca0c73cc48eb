//! The files under `deploy/`: what they copy, call and name is there.
//!
//! In -> out: Dockerfiles, scripts, `compose.yaml`, policies -> the checkout, the programs and the readers that they name.
//! Not here: building and running images, which takes a container engine.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use orch_host::config::workspace::WorkspaceConfig;
use orch_tests::{binary, out, root};
use orch_trust::manifest::Role;
use orch_trust::permission::HttpTarget;
use orch_trust::policy::Policy;
use serde_json::Value;

/// What `cargo xtask dist` makes; below it a Dockerfile may name what `xtask/src/dist.rs` names.
const DIST: &str = "target/dist/orch/";
const DOCKERFILES: [&str; 2] = ["deploy/broker/Dockerfile", "deploy/worker/Dockerfile"];

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("`{path}`: {error}"))
}

/// Instructions of a Dockerfile, with what follows.
fn instructions(path: &str) -> Vec<(String, String)> {
    let text = read(path);
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| line.split_once(' ').map(|(word, rest)| (word.to_owned(), rest.to_owned())).unwrap())
        .collect()
}

/// Each `orch-host` line of a script or an entry point: its verb and its options.
fn calls(text: &str) -> Vec<(Vec<String>, Vec<String>)> {
    let after = text.split("orch-host ").skip(1).filter(|rest| !rest.starts_with("/usr"));
    let words = |rest: &str| {
        let line = rest.lines().next().unwrap_or_default().replace(['"', '\\', ']'], "");
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let split = |words: Vec<String>| {
        let is_word = |word: &&String| word.bytes().all(|byte| byte.is_ascii_lowercase());
        let verb = words.iter().take(2).take_while(is_word).cloned().collect();
        (verb, words.into_iter().filter(|word| word.starts_with("--")).collect())
    };
    after.map(words).map(split).collect()
}

#[test]
fn images_copy_what_is_there() {
    let made = read("xtask/src/dist.rs");
    for path in DOCKERFILES {
        let found = instructions(path);
        assert_eq!(found[0].0, "FROM");
        let known =
            ["FROM", "RUN", "COPY", "ENV", "USER", "WORKDIR", "VOLUME", "EXPOSE", "STOPSIGNAL", "ENTRYPOINT"];
        for (word, rest) in &found {
            assert!(known.contains(&word.as_str()), "{path}: `{word}`");
            if word != "COPY" {
                continue;
            }
            let words: Vec<&str> = rest.split(' ').filter(|word| !word.starts_with("--")).collect();
            assert_eq!(words.len(), 2, "{path}: {rest}");
            match words[0].strip_prefix(DIST) {
                Some("") => {}
                Some(below) => {
                    let name = below.strip_prefix("bin/").unwrap_or_else(|| panic!("{path}: {below}"));
                    assert!(made.contains(&format!("\"{name}\"")), "{path}: no release has `{name}`");
                }
                None => assert!(root().join(words[0]).is_file(), "{path}: `{}` is not there", words[0]),
            }
        }
        let user = found.iter().rposition(|(word, _)| word == "USER").unwrap();
        assert_eq!(found[user].1, "orch", "{path}: nothing runs as root");
    }
}

#[test]
fn images_call_verbs_and_options_that_there_are() {
    let mut texts: Vec<String> = DOCKERFILES.iter().map(|path| read(path)).collect();
    let script = root().join("deploy/broker/entry.sh");
    texts.push(std::fs::read_to_string(&script).unwrap());
    let parsed = Command::new("sh").arg("-n").arg(&script).status().unwrap();
    assert!(parsed.success());
    let calls: Vec<_> = texts.iter().flat_map(|text| calls(text)).collect();
    let verbs: BTreeSet<&str> = calls.iter().map(|(verb, _)| verb[0].as_str()).collect();
    assert_eq!(verbs, ["init", "serve", "token", "worker"].into());
    for (verb, options) in calls {
        let help = Command::new(binary("orch-host")).args(&verb).arg("--help").output().unwrap();
        let help = out(&help);
        for option in options {
            assert!(
                help.contains(&format!("{option} ")),
                "`orch-host {}` has no `{option}`:\n{help}",
                verb.join(" ")
            );
        }
    }
}

#[test]
fn the_compose_file_has_the_containers_and_nothing_that_is_not_there() {
    let compose: Value = serde_saphyr::from_str(&read("deploy/compose.yaml")).unwrap();
    let services = compose["services"].as_object().unwrap();
    let names: Vec<&str> = services.keys().map(String::as_str).collect();
    assert_eq!(
        names.into_iter().collect::<BTreeSet<_>>(),
        ["broker", "orchestrator-api", "orchestrator-worker"].into()
    );
    let volumes = compose["volumes"].as_object().unwrap();
    for (name, service) in services {
        let file = service["build"]["dockerfile"].as_str().unwrap();
        assert!(DOCKERFILES.contains(&file), "{name}: {file}");
        assert_eq!(service["build"]["context"], "..");
        for volume in service["volumes"].as_array().unwrap() {
            let from = volume.as_str().unwrap().split(':').next().unwrap();
            match from.strip_prefix("./") {
                Some(path) => assert!(root().join("deploy").join(path).is_file(), "{name}: {from}"),
                None => assert!(volumes.contains_key(from), "{name}: no volume `{from}`"),
            }
        }
    }
    // What is published is what the image says and its program listens on; what is mounted over is a place that the image made.
    for name in ["broker", "orchestrator-api"] {
        let image = instructions("deploy/broker/Dockerfile");
        let of = |wanted: &'static str| {
            image.iter().filter(move |(word, _)| word == wanted).map(|(_, rest)| rest.as_str())
        };
        let exposed: Vec<&str> = of("EXPOSE").flat_map(str::split_whitespace).collect();
        for port in services[name]["ports"].as_array().unwrap() {
            let inside = port.as_str().unwrap().rsplit(':').next().unwrap();
            assert!(exposed.contains(&inside), "{name}: {inside} of {exposed:?}");
            let listens = format!("--listen 0.0.0.0:{inside}");
            assert!(read("deploy/broker/entry.sh").contains(&listens), "{name}: nothing says `{listens}`");
        }
        let kept: Vec<String> =
            of("VOLUME").flat_map(|list| serde_json::from_str::<Vec<String>>(list).unwrap()).collect();
        for volume in services[name]["volumes"].as_array().unwrap() {
            let inside = volume.as_str().unwrap().split(':').nth(1).unwrap().to_owned();
            let is_file = of("COPY").any(|rest| rest.ends_with(&format!(" {inside}")));
            assert!(kept.contains(&inside) || is_file, "{name}: the image has no {inside}");
        }
    }
    let at = services["broker"]["networks"]["orch"]["ipv4_address"].as_str().unwrap();
    // The worker's image asks there, and its policy lets it.
    let url = format!("http://{at}:8000");
    assert!(read("deploy/worker/Dockerfile").contains(&format!("BROKER_URL={url}\n")));
    let worker = Policy::parse(&read("deploy/worker/policy.toml")).unwrap().worker.allow;
    let target = HttpTarget::new("GET", "http", &format!("{at}:8000"), "/tasks/next").unwrap();
    assert!(worker.http.unwrap().allows(&target) && worker.process.unwrap().allows_program("sh"));
}

#[test]
fn what_the_containers_serve_is_bound_at_the_seeds_paths() {
    for (folder, service) in
        [("broker", "demo/service-broker"), ("orchestrator-api", "demo/service-orchestrator-api")]
    {
        let config = WorkspaceConfig::read(&root().join("deploy").join(folder)).unwrap();
        let bound: Vec<_> =
            config.roles.of(Role::Service).map(|found| (found.key.clone(), found.id.clone())).collect();
        assert_eq!(bound, [("/".to_owned(), service.to_owned())]);
    }
    assert!(Path::new(&root()).join("deploy/README.md").is_file());
}
