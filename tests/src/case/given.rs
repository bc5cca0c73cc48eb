//! What `given:` means: things that a text cannot hold, or that another program must have done before.
//!
//! In -> out: a sentence -> files in the workspace, or a host that runs beside.
//! Invariant: a sentence that nobody knows is an error.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Workspace;

const WAIT_MAX: Duration = Duration::from_secs(60);
const SLOW: &str = "- id: slow\n  command: [sleep, '600']\n";

/// What was made, for as long as the case runs.
#[derive(Default)]
pub(super) struct Given {
    host: Option<Child>,
    /// It goes on by itself after a command.
    serves: bool,
}

impl Given {
    pub(super) fn make(&mut self, sentence: &str, workspace: &Workspace) -> Result<(), String> {
        let tasks = workspace.path().join("tasks.yml");
        match sentence {
            "a task file of one byte more than 64 MiB" => {
                let file = std::fs::File::create(tasks).unwrap();
                file.set_len((64 << 20) + 1).unwrap();
            }
            "a task file of 200001 tasks" => {
                let text: String = (0..200_001).map(|number| format!("- {{id: t{number}}}\n")).collect();
                std::fs::write(tasks, text).unwrap();
            }
            "a task file that is not UTF-8" => {
                std::fs::write(tasks, b"- id: hello\n  description: gr\xfc\xdfe\n").unwrap();
            }
            "a task file that is a link" => {
                std::fs::rename(&tasks, workspace.path().join("elsewhere.yml")).unwrap();
                std::os::unix::fs::symlink("elsewhere.yml", tasks).unwrap();
            }
            "a workspace that the host does not know" => {
                std::fs::remove_file(workspace.operator().join("workspaces")).unwrap();
            }
            "a store that a newer host made" => {
                let store = rusqlite::Connection::open(store(workspace)?).unwrap();
                store.pragma_update(None, "user_version", 4242).unwrap();
            }
            "a store with an event that somebody changed" => {
                let store = rusqlite::Connection::open(store(workspace)?).unwrap();
                let changed = store.execute(
                    "UPDATE events SET bytes = CAST(replace(CAST(bytes AS TEXT), 'hello', 'jello') AS BLOB)",
                    [],
                );
                assert!(changed.unwrap() > 0);
            }
            "a decision that somebody changed" => {
                let path = workspace.operator().join("journal/state.db");
                let store = rusqlite::Connection::open(path).unwrap();
                let changed = store.execute(
                    "UPDATE events SET bytes = CAST(replace(CAST(bytes AS TEXT), 'demo/', 'demp/') AS BLOB) WHERE seq = 1",
                    [],
                );
                assert!(changed.unwrap() > 0);
            }
            "another host holds the store" => {
                let mut host = slow_host(workspace);
                wait_for_log(workspace, &mut host)?;
                self.host = Some(host);
            }
            "another host serves the workspace" => {
                workspace.make_known();
                let any = ["serve", "--listen", "127.0.0.1:0", "--operators", "127.0.0.1:0"];
                let mut serve = workspace.command(&any);
                let mut host = serve.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
                let mut lines = BufReader::new(host.stdout.take().unwrap()).lines().map_while(Result::ok);
                (self.host, self.serves) = (Some(host), true);
                if !lines.any(|line| line.ends_with("/metrics")) {
                    return Err("the host that serves ended".to_owned());
                }
                // Whatever its run prints finds a reader.
                std::thread::spawn(move || lines.for_each(drop));
            }
            "a host was killed while a command ran" => {
                let mut host = slow_host(workspace);
                wait_for_log(workspace, &mut host)?;
                host.kill().unwrap();
                host.wait().unwrap();
            }
            "a repository whose runs go to a branch" => repository(workspace),
            "a database of advisories of today" => {
                let folder = workspace.path().join("advisories/crates/parser");
                std::fs::create_dir_all(&folder).unwrap();
                let now = orch_host::clock::now().to_string();
                let today = now.split('T').next().unwrap_or_default();
                let text = format!(
                    "```toml\n[advisory]\nid = \"RUSTSEC-2026-0001\"\npackage = \"parser\"\ndate = \"{today}\"\n\n\
                     [versions]\npatched = []\n```\n\n# It reads what is not there\n"
                );
                std::fs::write(folder.join("RUSTSEC-2026-0001.md"), text).unwrap();
            }
            other => match other.strip_prefix("the operator lets in the guest ") {
                Some(guest) => drop(workspace.admit_hostile(guest)),
                None => return Err(format!("nobody knows what `given: {other}` means")),
            },
        }
        Ok(())
    }

    /// Waits until a host that serves is done with the run that a command asked for.
    pub(super) fn settle(&self, workspace: &Workspace) {
        if !self.serves {
            return;
        }
        let is_over = || {
            let newest = workspace.reader().runs().unwrap().into_iter().next();
            newest.is_none_or(|run| {
                let head = workspace.operator().join("heads").join(format!("{}.json", run.id));
                run.status == "completed" && head.exists()
            })
        };
        crate::until(is_over);
    }

    /// The pid of the host that runs beside.
    pub(super) fn holder(&self) -> Option<u32> {
        self.host.as_ref().map(Child::id)
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        if let Some(mut host) = self.host.take() {
            let _ = host.kill();
            let _ = host.wait();
        }
    }
}

fn store(workspace: &Workspace) -> Result<std::path::PathBuf, String> {
    let path = workspace.path().join(".orch/state.db");
    path.exists().then_some(path).ok_or_else(|| "there is no store yet".to_owned())
}

fn slow_host(workspace: &Workspace) -> Child {
    workspace.write("tasks.yml", SLOW);
    let mut host: Command = workspace.command(&["run"]);
    host.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Waits until the command of the slow task has its log: its effect has begun.
fn wait_for_log(workspace: &Workspace, host: &mut Child) -> Result<(), String> {
    let logs = workspace.path().join("logs");
    let until = Instant::now() + WAIT_MAX;
    let is_log = |name: std::io::Result<std::fs::DirEntry>| {
        name.is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with("task-slow-"))
    };
    while !std::fs::read_dir(&logs).is_ok_and(|mut names| names.any(is_log)) {
        if Instant::now() > until || host.try_wait().unwrap().is_some() {
            return Err("the other host does not run its command".to_owned());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// With one commit, which has the same name each time.
fn repository(workspace: &Workspace) {
    workspace.write("config.yaml", &(workspace.read("config.yaml") + "isolation: worktree\n"));
    for args in [
        &["init", "--quiet", "--initial-branch=main"][..],
        &["add", "--all"],
        &["commit", "--quiet", "--message=first"],
    ] {
        let mut git = std::process::Command::new("git");
        git.current_dir(workspace.path()).args(args).env("GIT_CONFIG_GLOBAL", "/dev/null");
        for who in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{who}_NAME"), "Ada").env(format!("GIT_{who}_EMAIL"), "ada@example.com");
            git.env(format!("GIT_{who}_DATE"), "@1000000000 +0000");
        }
        assert!(git.status().unwrap().success());
    }
}
