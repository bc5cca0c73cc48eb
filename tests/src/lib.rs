//! The program from outside: real binaries, signed packages, a workspace of its own for each test.
//!
//! In -> out: files of a workspace -> runs of `orch-host`, what is on disk afterwards.
//! Invariant: nothing of the user's is read; the operator's folder is a copy, mostly of the one that
//! `cargo xtask packages` made.
//! Not here: what is tested (`tests/`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail loudly"
)]

pub mod case;
pub mod catalogue;
pub mod chats;
pub mod checker;
pub mod defect;
pub mod hears;
pub mod isolated;
pub mod kill;
pub mod left_out;
pub mod manifest_readers;
pub mod newcomer;
pub mod random;
pub mod reference;
pub mod registry;
pub mod second;
pub mod served;
pub mod swap;
pub mod twins;
pub mod under_root;
pub mod vouch;
pub mod world;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use orch_journal::{Event, Reader};

/// The checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Where cargo builds to.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A binary of the development build.
pub fn binary(name: &str) -> PathBuf {
    let path = target().join("debug").join(name);
    assert!(path.exists(), "`{}` is not built: run `cargo xtask packages`", path.display());
    path
}

/// The packages that `cargo xtask packages` made.
pub fn packages() -> PathBuf {
    let path = root().join("target/test-packages");
    assert!(path.exists(), "no packages: run `cargo xtask packages`");
    path
}

/// What hostile guests are allowed.
const HOSTILE: &str = r#"log = {}
settings = {}
kv = { labels = ["notes"], bytes = 8400000 }
artifacts = { types = ["*"], count = 9, bytes = 10000 }
control = { start = true, stop = true, read = true }
findings = {}
metrics = { read = ["visits"] }
notify = { channels = ["ops"] }
secrets = { use = [{ name = "token", host = "api.example.com:443" }, { name = "hook", host = "hooks.example.com:443" }] }
wasi = { http_types = true }
tasks = { read = true, add = 10, kinds = ["note", "shell"] }
"#;

/// A workspace and an operator of its own.
pub struct Workspace {
    folder: tempfile::TempDir,
    /// Below that.
    name: PathBuf,
}

const CONFIG: &str = "\
roles:
  planner: demo/planner-priority
  executors: {shell: demo/executor-shell, note: demo/executor-note}
";

impl Workspace {
    /// With that `tasks.yml`, the planner and both executors.
    pub fn new(tasks: &str) -> Self {
        Self::with_operator(tasks, &root().join("target/test-operator"))
    }

    /// The same with a copy of another operator's folder.
    pub fn with_operator(tasks: &str, operator: &Path) -> Self {
        // What a test writes into the operator's folder must not be writable by a group.
        rustix::process::umask(rustix::fs::Mode::WGRP | rustix::fs::Mode::WOTH);
        let folder = tempfile::tempdir().unwrap();
        let workspace = Self { folder, name: "workspace".into() };
        copy(operator, &workspace.operator());
        std::fs::create_dir(workspace.path()).unwrap();
        workspace.write("tasks.yml", tasks);
        workspace.write("config.yaml", CONFIG);
        workspace
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join(&self.name)
    }

    /// From now on the workspace is that folder in it.
    pub fn move_into(&mut self, name: &str) {
        self.name.push(name);
    }

    /// A folder outside the workspace.
    pub fn outside(&self) -> &Path {
        self.folder.path()
    }

    /// What `XDG_CONFIG_HOME` must be for the operator's folder.
    pub fn config_home(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    pub fn operator(&self) -> PathBuf {
        self.config_home().join("orch")
    }

    /// The host knows this workspace, as after `init`.
    pub fn make_known(&self) {
        std::fs::write(self.operator().join("workspaces"), format!("{}\n", self.path().display())).unwrap();
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap()
    }

    /// Whether a command wrote a line into that file and ended it: a shell opens what it writes to before
    /// there is anything in it.
    pub fn has_line(&self, name: &str) -> bool {
        std::fs::read_to_string(self.path().join(name)).is_ok_and(|text| text.ends_with('\n'))
    }

    /// `orch-host` with these arguments, in the workspace.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut host = Command::new(binary("orch-host"));
        host.current_dir(self.path()).args(args).arg("--config-home").arg(self.operator());
        host.env_remove("PLUGIN_SIGNING_KEY").env("NO_COLOR", "1");
        hears_signals(&mut host);
        // Where the host at work is found: here, whoever runs the tests.
        host.env("XDG_RUNTIME_DIR", self.outside());
        // Where trees of attempts are made.
        host.env("XDG_STATE_HOME", self.outside().join("state"));
        host
    }

    /// Runs `orch-host` and checks its exit status.
    #[track_caller]
    pub fn host(&self, args: &[&str], exit: i32) -> Output {
        let output = self.command(args).output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(exit), "{args:?}\n{out}\n{err}");
        output
    }

    /// `orch-host run --trust-workspace` with more arguments.
    #[track_caller]
    pub fn run(&self, args: &[&str], exit: i32) -> Output {
        self.host(&[&["run", "--trust-workspace"], args].concat(), exit)
    }

    /// Lets a hostile guest in: a certifier vouched for it and the operator approved it. Gives its package folder's root.
    pub fn admit_hostile(&self, name: &str) -> PathBuf {
        self.admit_guest(name, HOSTILE)
    }

    /// The same with these lines of `policy.toml`, which allow it something.
    pub fn admit_guest(&self, name: &str, allowed: &str) -> PathBuf {
        let root = self.outside().join("hostile");
        let package = root.join("demo").join(name).join("0.1.0");
        copy(&packages().join("demo").join(name).join("0.1.0"), &package);
        vouch::vouch(&package, &self.operator().join("keys/certifier.json"));
        let policy = self.operator().join("policy.toml");
        let more = format!(
            "\n[plugins.\"demo/{name}\".allow]\n{allowed}[plugins.\"demo/{name}\".provide]\nnotify = {{ channels = [\"ops\"] }}\n"
        );
        let text = std::fs::read_to_string(&policy).unwrap();
        std::fs::write(&policy, text + &more).unwrap();
        self.host(&["plugin", "approve", &format!("demo/{name}"), "--plugins", root.to_str().unwrap()], 0);
        root
    }

    pub fn reader(&self) -> Reader {
        Reader::open(&self.path().join(".orch")).unwrap()
    }

    /// True once a run is in the store; a host that begins makes the store in steps.
    pub fn has_run(&self) -> bool {
        Reader::open(&self.path().join(".orch"))
            .is_ok_and(|reader| reader.runs().is_ok_and(|runs| !runs.is_empty()))
    }

    /// The newest run's events, each checked against the chain.
    pub fn events(&self) -> Vec<Event> {
        let reader = self.reader();
        let run = reader.runs().unwrap().first().unwrap().id.clone();
        reader.events(&run).map(|event| event.unwrap().1).collect()
    }

    /// Status of each task of the newest run, by id.
    pub fn statuses(&self) -> std::collections::BTreeMap<String, String> {
        let reader = self.reader();
        let run = reader.runs().unwrap().first().unwrap().id.clone();
        reader.tasks(&run).unwrap().into_iter().map(|task| (task.id, task.status)).collect()
    }
}

/// Lets a program hear the signals that a shell's `&` and `nohup` have ignored, whoever runs the tests.
pub fn hears_signals(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    let reset = || {
        for signal in [libc::SIGINT, libc::SIGQUIT, libc::SIGHUP, libc::SIGTERM] {
            // SAFETY: sets a default, in a process that has nothing else to do yet.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        Ok(())
    };
    // SAFETY: system calls only.
    unsafe { command.pre_exec(reset) };
}

/// What a command wrote to standard error.
pub fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What it wrote to standard output.
pub fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Waits for what comes within half a minute, looking forty times a second.
#[track_caller]
pub fn until(wanted: impl Fn() -> bool) {
    let came = (0..1200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(25));
        wanted()
    });
    assert!(came, "it never came");
}

/// Copies a folder.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    std::fs::set_permissions(to, std::fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true => copy(&path, &target),
            false => drop(std::fs::copy(&path, &target).unwrap()),
        }
    }
}
