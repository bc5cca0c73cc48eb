//! A third party's plugin of each role: made, certified and approved as a newcomer would, run in the loop; and what
//! its template says is to be edited changes what the README says.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};

use orch_journal::Event;
use orch_journal::event::Ending;
use orch_plugin::template;
use orch_tests::newcomer::{Newcomer, Offer};
use orch_tests::{Workspace, packages, root};
use orch_trust::manifest::Role;

/// What is edited in a template, and what the role's plugin did before and after: its part of the journal, and for
/// the service its answer.
struct Edit {
    role: Role,
    from: &'static str,
    to: &'static str,
    before: &'static str,
    after: &'static str,
}

const EDITS: [Edit; 6] = [
    Edit {
        role: Role::Planner,
        from: "-i64::from(task.priority)",
        to: "i64::from(task.priority)",
        before: "high, breaks, low",
        after: "low, breaks, high",
    },
    Edit {
        role: Role::Executor,
        from: "hello, ",
        to: "goodbye, ",
        before: "high: hello, first; low: hello, last",
        after: "high: goodbye, first; low: goodbye, last",
    },
    Edit {
        role: Role::Reflector,
        from: "TODO",
        to: "FIXME",
        before: "todo-a-py: 1 x TODO in a.py",
        after: "todo-b-py: 1 x FIXME in b.py",
    },
    Edit {
        role: Role::Auditor,
        from: "look at {id}: it failed",
        to: "repair {id}",
        before: "look-at-breaks: look at breaks: it failed",
        after: "look-at-breaks: repair breaks",
    },
    Edit {
        role: Role::Verifier,
        from: "<<<<<<< ",
        to: ">>>>>>> ",
        before: "merge.txt:1: a merge was not finished",
        after: "merge.txt:3: a merge was not finished",
    },
    Edit { role: Role::Service, from: "hello", to: "goodbye", before: "hello\n", after: "goodbye\n" },
];

/// A new executor's kind is its name, and `note` is the kind that the reflector and the auditor ask for.
fn name(role: Role) -> &'static str {
    if role == Role::Executor { "note" } else { role.as_str() }
}

const TASKS: &str = "\
- {id: low, kind: note, priority: 1, description: last}
- {id: high, kind: note, priority: 9, description: first}
- {id: breaks, command: ['false'], priority: 5}
";

/// A provider is bound elsewhere and does nothing by itself (`provided.rs`).
fn in_the_loop() -> impl Iterator<Item = Role> {
    Role::ALL.into_iter().filter(|role| *role != Role::Provider)
}

/// Runs all in a new workspace of that operator; gives what each did, by role, and the version that acted.
fn play(newcomer: &Newcomer) -> BTreeMap<&'static str, (String, String)> {
    let workspace = Workspace::with_operator(TASKS, &newcomer.operator());
    let mut config = "findings: {max_major: 9}\nroles:\n".to_owned();
    for role in in_the_loop() {
        let binding = newcomer.binding(name(role));
        let line = match role {
            // Beside the one plugin here that is not the newcomer's: something must fail.
            Role::Executor => binding.replace('}', ", shell: demo/executor-shell}"),
            _ => binding,
        };
        config.push_str(&format!("{line}\n"));
    }
    workspace.write("config.yaml", &config);
    workspace.write("a.py", "# TODO one\n");
    workspace.write("b.py", "# FIXME two\n");
    workspace.write("merge.txt", "<<<<<<< ours\n=======\n>>>>>>> theirs\n");
    workspace.run(&["--jobs", "1", "--audit", "every-completion"], 1);
    workspace.host(&["audit", "verify"], 0);
    let mut told = journal(&workspace);
    told.insert(Role::Service.as_str(), answer(&workspace));
    let versions = versions(&workspace);
    let with_version = |(role, said): (&'static str, String)| {
        let id = format!("acme/{}", name(Role::from_word(role).unwrap()));
        (role, (said, versions[&id].clone()))
    };
    told.into_iter().map(with_version).collect()
}

fn versions(workspace: &Workspace) -> BTreeMap<String, String> {
    let started = workspace.events().into_iter().find_map(|event| match event {
        Event::RunStarted(started) => Some(started.plugins),
        _ => None,
    });
    started.unwrap().into_iter().map(|pin| (pin.id, pin.version)).collect()
}

/// What the journal says that each role's plugin did.
fn journal(workspace: &Workspace) -> BTreeMap<&'static str, String> {
    let (mut ids, mut order, mut summaries) = (Vec::new(), Vec::new(), BTreeMap::new());
    let mut added: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut findings = Vec::new();
    // Of the tasks that people wrote.
    let is_own = |task: u32| task < 3;
    for event in workspace.events() {
        match event {
            Event::TasksAdded { tasks, .. } => {
                for one in tasks {
                    if let Some(by) = one.added_by {
                        added
                            .entry(by)
                            .or_default()
                            .push(format!("{}: {}", one.task.id, one.task.description));
                    }
                    ids.push(one.task.id.to_string());
                }
            }
            Event::AttemptStarted { task, .. } if is_own(task) => order.push(ids[task as usize].clone()),
            Event::AttemptFinished(finished) if is_own(finished.task) => {
                if let Ending::Done { summary } = finished.ending {
                    summaries.insert(ids[finished.task as usize].clone(), summary);
                }
            }
            Event::Called(called) if called.call == "verify" => {
                assert_eq!((called.plugin.as_str(), &called.fault), ("acme/verifier", &None));
                for found in called.writes.findings {
                    findings.push(format!("{}: {}", found.location.unwrap(), found.message));
                }
            }
            _ => {}
        }
    }
    let summaries: Vec<_> = summaries.into_iter().map(|(id, summary)| format!("{id}: {summary}")).collect();
    let mut asked = |by: &str| added.remove(by).unwrap_or_default().join("; ");
    BTreeMap::from([
        (Role::Planner.as_str(), order.join(", ")),
        (Role::Executor.as_str(), summaries.join("; ")),
        (Role::Reflector.as_str(), asked("acme/reflector")),
        (Role::Auditor.as_str(), asked("acme/auditor")),
        (Role::Verifier.as_str(), findings.join("; ")),
    ])
}

/// A host that serves as long as this lives.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// What the service answers to `GET /`.
fn answer(workspace: &Workspace) -> String {
    let mut host = workspace.command(&["serve", "--listen", "127.0.0.1:0", "--operators", "127.0.0.1:0"]);
    let mut serving = Serving(host.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let mut line = String::new();
    // Kept to the end: whatever the host says next must find a reader.
    let mut said = BufReader::new(serving.0.stdout.take().unwrap());
    said.read_line(&mut line).unwrap();
    let address = line.strip_prefix("http://").unwrap().split('/').next().unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    response.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// Makes the edit of a template in the item that the template's sentence names.
fn edit(project: &Path, edit: &Edit) {
    let word = template::edit(edit.role).split('`').nth(1).unwrap();
    let source = project.join("src/lib.rs");
    let text = std::fs::read_to_string(&source).unwrap();
    let item = text.find(&format!("fn {word}")).or_else(|| text.find(&format!("const {word}"))).unwrap();
    let place = item + text[item..].find(edit.from).unwrap();
    let end = item + text[item..].find("\n}\n").unwrap_or(0).max(text[item..].find(";\n").unwrap_or(0));
    assert!(place < end, "`{}` is not in `{word}`", edit.from);
    let edited = format!("{}{}{}", &text[..place], edit.to, &text[place + edit.from.len()..]);
    std::fs::write(&source, edited).unwrap();
}

#[test]
fn a_plugin_of_each_role_goes_from_new_to_the_loop_and_its_edit_shows() {
    let newcomer = Newcomer::new(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests"));
    // From nothing, each refusal says the next step; later ones find trust in place.
    let first = [
        "release-missing",
        "release-unknown-key",
        "certificate-missing",
        "certificate-unknown-key",
        "permission-not-allowed",
    ];
    let later = ["release-missing", "certificate-missing", "permission-not-allowed"];
    for (place, role) in in_the_loop().enumerate() {
        newcomer.make(name(role), role);
        let refusals = newcomer.let_in(&newcomer.pack(name(role), "0.1.0"));
        assert_eq!(refusals, if place == 0 { &first[..] } else { &later[..] }, "{role:?}");
    }
    let_in_the_shell(&newcomer);

    let before: BTreeMap<_, _> =
        EDITS.iter().map(|edit| (edit.role.as_str(), (edit.before.to_owned(), "0.1.0".to_owned()))).collect();
    let mut expected = before;
    assert_eq!(play(&newcomer), expected);
    for one in &EDITS {
        let name = name(one.role);
        edit(&newcomer.project(name), one);
        newcomer.raise_version(name, "0.1.0", "0.2.0");
        let refusals = newcomer.let_in(&newcomer.pack(name, "0.2.0"));
        assert_eq!(refusals, ["release-missing", "certificate-missing"], "{:?}", one.role);
        expected.insert(one.role.as_str(), (one.after.to_owned(), "0.2.0".to_owned()));
        assert_eq!(play(&newcomer), expected, "what {:?} does changed, and nothing else", one.role);
    }
}

/// The reference plugin that runs commands, of a publisher and a certifier that the newcomer did not know.
fn let_in_the_shell(newcomer: &Newcomer) {
    let trust = root().join("target/test-operator/trust");
    let offer = Offer {
        package: packages().join("demo/executor-shell/0.1.0"),
        publisher: trust.join("publishers/demo.toml"),
        certifier: trust.join("certifiers/local.toml"),
    };
    let refusals = newcomer.let_in(&offer);
    assert_eq!(refusals, ["release-unknown-key", "certificate-unknown-key", "permission-not-allowed"]);
    // It asks for the programs that the operator names; the hint leaves their names to the operator.
    let policy = newcomer.operator().join("policy.toml");
    let text = std::fs::read_to_string(&policy).unwrap();
    assert!(text.contains("[\"PROGRAM\"]"), "{text}");
    std::fs::write(&policy, text.replace("PROGRAM", "false")).unwrap();
}
