//! From an empty folder to a plugin that strangers run: the commands of `docs/authoring.md`, one after the other.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use orch_journal::event::Ending;
use orch_journal::{Event, Reader};
use orch_tests::registry::debian::DebianRegistry;
use orch_tests::registry::{Fault, Gate, Registry, Ways};
use orch_tests::{binary, copy, err, out, packages, root};
use orch_trust::digest::Sha256Digest;

const TASKS: &str =
    "- {id: ready, kind: hello, description: world}\n- {id: odd, kind: hello, description: Nobody}\n";

/// What the author writes in the place of the template's `greet`.
const TEN_LINES: &str = r#"fn greet(description: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in description.split_whitespace() {
        let mut letters = word.chars();
        if let Some(first) = letters.next() {
            words.push(first.to_uppercase().chain(letters).collect());
        }
    }
    format!("hello, {}!", words.join(" "))
}
"#;

/// The next version fails loudly, of which no case and no check knows.
const NEXT: &str = r#"fn greet(description: &str) -> String {
    assert!(description != "Nobody", "nobody to greet");
    format!("good morning, {description}")
}
"#;

/// The blocks of commands under that heading of the page, in their order.
fn blocks(heading: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join("docs/authoring.md")).unwrap();
    let section = text.split("\n## ").find(|section| section.starts_with(heading)).unwrap();
    section.split("```sh\n").skip(1).map(|rest| rest.split_once("```").unwrap().0.to_owned()).collect()
}

/// Somebody's machine: a home, and what the shell finds there.
struct Machine {
    folder: tempfile::TempDir,
    registry: String,
}

impl Machine {
    fn new(registry: &str) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), registry: registry.to_owned() }
    }

    fn at(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    fn shell(&self, at: &str, line: &str, words: &[(&str, &str)]) -> Output {
        let programs = binary("orch-host").parent().unwrap().display().to_string();
        let path = format!("{programs}:{}", std::env::var("PATH").unwrap());
        // Guests are built where the other tests build theirs: what they share is compiled once, as on a machine in use.
        let guests = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests");
        // Rust's tools look for themselves below a home.
        let of_rust = |name: &str, below: &str| {
            std::env::var_os(name)
                .unwrap_or_else(|| Path::new(&std::env::var("HOME").unwrap()).join(below).into())
        };
        let mut shell = Command::new("sh");
        shell.args(["-c", &line.replace("registry.example", &self.registry)]).current_dir(self.at(at));
        shell
            .env("CARGO_HOME", of_rust("CARGO_HOME", ".cargo"))
            .env("RUSTUP_HOME", of_rust("RUSTUP_HOME", ".rustup"));
        shell.env("XDG_CACHE_HOME", of_rust("XDG_CACHE_HOME", ".cache"));
        shell.env("PATH", path).env("CARGO_TARGET_DIR", guests).env("CARGO_NET_OFFLINE", "true");
        shell.env("HOME", self.folder.path()).env("XDG_CONFIG_HOME", self.at("config")).env("NO_COLOR", "1");
        shell.env("XDG_STATE_HOME", self.at("state")).env("XDG_RUNTIME_DIR", self.at("runtime"));
        shell.env_remove("PLUGIN_SIGNING_KEY").envs(words.iter().copied()).output().unwrap()
    }

    /// What a command that ends so says.
    #[track_caller]
    fn ends(&self, at: &str, line: &str, words: &[(&str, &str)], code: i32) -> String {
        let output = self.shell(at, line, words);
        let said = format!("{}{}", out(&output), err(&output));
        assert_eq!(output.status.code(), Some(code), "{line}\n{said}");
        said
    }

    /// What the newest run's attempts said, by task.
    fn summaries(&self) -> Vec<String> {
        let reader = Reader::open(&self.at("ws/.orch")).unwrap();
        let run = reader.runs().unwrap().first().unwrap().id.clone();
        let (mut ids, mut said) = (Vec::new(), Vec::new());
        for event in reader.events(&run) {
            match event.unwrap().1 {
                Event::TasksAdded { tasks, .. } => {
                    ids.extend(tasks.into_iter().map(|one| one.task.id.to_string()))
                }
                Event::AttemptFinished(finished) => {
                    if let Ending::Done { summary } = finished.ending {
                        said.push(format!("{}: {summary}", ids[finished.task as usize]));
                    }
                }
                _ => {}
            }
        }
        said.sort();
        said
    }

    /// Every command of a block, each good.
    #[track_caller]
    fn plays(&self, at: &str, block: &str, words: &[(&str, &str)]) -> Vec<String> {
        block.lines().map(|line| self.ends(at, line, words, 0)).collect()
    }
}

/// An operator elsewhere, with a reference plugin that says which task is next.
fn other_machine(registry: &str, author: &Machine) -> Machine {
    let other = Machine::new(registry);
    for folder in ["runtime", "ws"] {
        fs::create_dir(other.at(folder)).unwrap();
    }
    let keys = root().join("target/test-operator/trust");
    for (from, to) in [
        (author.at("keys/publisher.toml"), "ws/publisher.toml"),
        (author.at("keys/certifier.toml"), "ws/certifier.toml"),
        (keys.join("publishers/demo.toml"), "demo.toml"),
        (keys.join("certifiers/local.toml"), "local.toml"),
    ] {
        fs::copy(from, other.at(to)).unwrap();
    }
    copy(&packages().join("demo/planner-priority/0.1.0"), &other.at("planner"));
    for file in ["demo.toml", "local.toml"] {
        let line = format!("orch-host trust add {file} --key-id {}", id(&other.at(file)));
        other.ends("", &line, &[], 0);
    }
    other
}

/// What a host says that a public file's key is.
fn id(file: &Path) -> String {
    let asked = Command::new(binary("orch-host"))
        .args(["--config-home", file.parent().unwrap().join("nobody").to_str().unwrap(), "trust", "add"])
        .arg(file)
        .output()
        .unwrap();
    let said = err(&asked);
    said.split("`--key-id ").nth(1).unwrap_or_else(|| panic!("{said}")).split('`').next().unwrap().to_owned()
}

fn digest(package: &Path) -> String {
    Sha256Digest::of(&fs::read(package.join("manifest.json")).unwrap()).to_string()
}

/// Puts that in the place of the function, and that greeting into the case.
fn write(project: &Path, function: &str, greeting: &str) {
    let source = project.join("src/lib.rs");
    let text = fs::read_to_string(&source).unwrap();
    let (before, rest) = text.split_once("fn greet(").unwrap();
    let (_, after) = rest.split_once("\n}\n").unwrap();
    let text = format!("{before}{function}{after}");
    fs::write(&source, text).unwrap();
    let case = project.join("cases/greets.json");
    let mut value: serde_json::Value = serde_json::from_slice(&fs::read(&case).unwrap()).unwrap();
    value["expect"]["answer"]["summary"] = greeting.into();
    fs::write(&case, value.to_string()).unwrap();
}

#[test]
fn from_an_empty_folder_to_a_plugin_that_strangers_run_and_update() {
    // Debian's, which has no API for referrers; where it cannot be had, ours that has none either.
    let debian = DebianRegistry::start();
    let registry = match &debian {
        Some(debian) => debian.address().to_owned(),
        None => Registry::start(Ways { gate: Gate::Open, referrers: false, fault: Fault::None })
            .address
            .to_string(),
    };
    let author = Machine::new(&registry);
    let [keys, new, deliver, install, update] = blocks("From an empty folder").try_into().unwrap();
    // Two for the first version, then seven: the page says no more.
    assert!(new.lines().count() + deliver.lines().count() <= 8, "{new}{deliver}");
    author.plays("", &keys, &[]);
    let began = Instant::now();
    author.plays("", &new, &[]);
    write(&author.at("hello"), TEN_LINES, "hello, World!");
    let said = author.plays("hello", &deliver, &[]);
    let first = began.elapsed();
    assert!(said[1].contains("1 of 1 cases passed"), "{said:?}");
    let package = author.at("hello/target/packages/acme/hello/0.1.0");

    let other = other_machine(&registry, &author);
    let (publisher, certifier) = (id(&other.at("ws/publisher.toml")), id(&other.at("ws/certifier.toml")));
    let asked = digest(&package);
    let words = [("PUBLISHER", &*publisher), ("CERTIFIER", &*certifier), ("DIGEST", &*asked)];
    let [init, rest @ .., run] = &*install.lines().collect::<Vec<_>>() else { panic!("{install}") };
    other.plays("ws", init, &words);
    let planner = digest(&other.at("planner"));
    let line = format!("orch-host plugin add ../planner --write-policy --yes {planner}");
    other.ends("ws", &line, &[], 0);
    fs::write(other.at("ws/tasks.yml"), TASKS).unwrap();
    let config = "roles:\n  planner: demo/planner-priority\n  executors: {hello: acme/hello}\n";
    fs::write(other.at("ws/config.yaml"), config).unwrap();
    let began = Instant::now();
    rest.iter().for_each(|line| drop(other.plays("ws", line, &words)));
    let installed = began.elapsed();
    other.plays("ws", run, &words);
    assert_eq!(other.summaries(), ["odd: hello, Nobody!", "ready: hello, World!"]);

    // The same bytes came by mail to a third machine.
    let third = other_machine(&registry, &author);
    fs::copy(author.at("hello/hello-0.1.0.orchpkg"), third.at("ws/hello.orchpkg")).unwrap();
    third.plays("ws", init, &words);
    third.plays("ws", &rest[..2].join("\n"), &words);
    third.ends("ws", "orch-host plugin add hello.orchpkg --write-policy --yes \"$DIGEST\"", &words, 0);
    let kept = |machine: &Machine| machine.at("config/orch/packages/acme/hello/0.1.0");
    for file in ["manifest.json", "component.wasm", "sbom.cdx.json", "release.dsse.json"] {
        let [by_mail, pulled] = [&third, &other].map(|machine| fs::read(kept(machine).join(file)).unwrap());
        assert_eq!(by_mail, pulled, "{file}");
    }

    // What panics is told by certification as by a run.
    write(&author.at("hello"), &NEXT.replace("!= \"Nobody\"", "== \"world\""), "good morning, world");
    author.plays("hello", "orch-plugin test\norch-plugin pack", &[]);
    let certify = deliver.lines().find(|line| line.starts_with("orch-certify run")).unwrap();
    let said = author.ends("hello", certify, &[], 3);
    assert!(said.contains("panicked at src/lib.rs:18:5: nobody to greet"), "{said}");

    // The next version, by the same commands.
    let began = Instant::now();
    write(&author.at("hello"), NEXT, "good morning, world");
    for file in ["plugin.json", "Cargo.toml"] {
        let path = author.at("hello").join(file);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replacen("0.1.0", "0.2.0", 1)).unwrap();
    }
    author.ends("hello", "cargo update --workspace", &[], 0);
    author.plays("hello", &deliver.replace("0.1.0", "0.2.0"), &[]);
    let second = began.elapsed();
    let (take, run) = update.trim_end().split_once('\n').unwrap();
    let said = other.ends("ws", take, &[], 0);
    assert!(said.contains("acme/hello was 0.1.0") && said.contains("0.2.0"), "{said}");
    fs::write(other.at("ws/tasks.yml"), TASKS).unwrap();
    // What it panicked with, and where, is said wherever the failure is.
    let place = "panicked at src/lib.rs:18:5: nobody to greet";
    let said = other.ends("ws", run, &[], 1);
    assert!(said.contains(place), "{said}");
    assert_eq!(other.summaries(), ["ready: good morning, world"]);
    for line in ["orch-host report", "orch-host report --format json", "orch-host logs odd"] {
        let said = other.ends("ws", line, &[], 0);
        assert!(said.contains(place), "{line}: {said}");
    }
    println!("first version {first:?}, installed {installed:?}, next version {second:?}");
    assert!(first < Duration::from_mins(10), "{first:?}");
}
