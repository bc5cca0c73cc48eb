//! Commands of plugins: what is granted, what is refused, and what reaches the supervisor.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use wasmtime::component::ResourceTable;

use orch_task::Env;

use super::*;
use crate::capability::bench::{Bench, WALL};
use crate::capability::effect::{Boxed, EffectGate};
use crate::capability::mood::Mood;
use crate::capability::{EffectRecord, Ledger};

struct Open {
    bench: Bench,
    process: Process,
    ledger: Ledger,
    folder: tempfile::TempDir,
}

impl Open {
    fn new(programs: &[&str], env: &[&str]) -> Self {
        Self::in_mood(programs, env, Mood::Good)
    }

    fn in_mood(programs: &[&str], env: &[&str], mood: Mood) -> Self {
        Self::told(programs, env, mood, CommandEnv::default())
    }

    fn told(programs: &[&str], env: &[&str], mood: Mood, said: CommandEnv) -> Self {
        let (bench, folder) = (Bench::in_mood(mood), tempfile::tempdir().unwrap());
        let bin = folder.path().join("in-workspace");
        fs::create_dir_all(&bin).unwrap();
        // `ls` stands there before any other, as `python3` does of a virtual environment that is active.
        for name in ["mine", "ls"] {
            fs::write(bin.join(name), "").unwrap();
            fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        let variables = [("HOME", "/home/me"), ("TOKEN", "secret"), ("MODE", "host"), ("PATH", "/bin")];
        let host = HostEnvironment {
            path: vec![bin, "/usr/bin".into(), "/bin".into()],
            variables: variables.map(|(name, value)| (name.to_owned(), value.into())).into(),
        };
        let list = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let permission = ProcessPermission { programs: list(programs), env: list(env), network: Vec::new() };
        let granted = Arc::new(ProcessGrant::new(&permission, &host));
        let workspace = Arc::new(folder.path().to_owned());
        let process = Process::new(granted, workspace, bench.0.processes.clone(), said);
        Self { process, ledger: bench.ledger(), bench, folder }
    }

    async fn run(&mut self, command: Command) -> wasmtime::Result<Result<Output, Error>> {
        let mut table = ResourceTable::new();
        View::of(&mut self.process, &mut table, &mut self.ledger).run(command).await
    }

    async fn ran(&mut self, command: Command) -> Result<ProcessRequest, Error> {
        self.run(command).await.unwrap()?;
        Ok(self.bench.0.processes.requests().pop().unwrap())
    }
}

fn command(program: &str) -> Command {
    Command {
        program: program.to_owned(),
        args: Vec::new(),
        env: Vec::new(),
        directory: String::new(),
        timeout_ms: 0,
        capture_bytes: 10,
    }
}

#[tokio::test]
async fn a_granted_name_means_one_absolute_path() {
    let mut open = Open::new(&["ls"], &[]);
    let request = open.ran(command("ls")).await.unwrap();
    assert!(request.program.is_absolute() && request.program.ends_with("ls"));
    assert_eq!(request.env, []);
    assert_eq!(request.directory, open.folder.path());
    assert!(WALL - request.timeout < Duration::from_secs(1), "what is left of the call");
    let path = request.program.to_str().unwrap().to_owned();
    assert_eq!(open.ran(command(&path)).await.unwrap().program, request.program);
}

#[tokio::test]
async fn other_programs_are_denied_and_missing_ones_not_found() {
    let mut open = Open::new(&["ls", "no-such-program-at-all"], &[]);
    for program in ["sh", "/bin/sh", "./ls", "", "LS"] {
        assert!(matches!(open.run(command(program)).await.unwrap(), Err(Error::Denied(_))), "{program}");
    }
    let missing = open.run(command("no-such-program-at-all")).await.unwrap();
    assert!(matches!(missing, Err(Error::NotFound)));
    assert_eq!(open.bench.effects(), []);
    let (denied, effect) = open.ledger.into_parts();
    assert_eq!((denied[0].as_str(), effect), ("process: program `sh`", false));
}

#[tokio::test]
async fn a_name_never_means_a_file_of_the_workspace() {
    let mut open = Open::new(&["mine"], &[]);
    assert!(matches!(open.run(command("mine")).await.unwrap(), Err(Error::Denied(_))));
    assert_eq!(open.ledger.into_parts().0, ["process: program `mine` in the workspace"]);
    // One behind it along `PATH` is meant, if there is one, unless that very path is granted.
    let mut open = Open::new(&["ls"], &[]);
    assert!(!open.ran(command("ls")).await.unwrap().program.starts_with(open.folder.path()));
    let mut open = Open::new(&["ls", "in-workspace/ls"], &[]);
    let expected = open.folder.path().join("in-workspace/ls");
    assert_eq!(open.ran(command("ls")).await.unwrap().program, expected);
}

#[tokio::test]
async fn a_path_in_the_workspace_is_granted_by_that_path_alone() {
    for granted in ["in-workspace/mine", "in-workspace/*"] {
        let mut open = Open::new(&[granted], &[]);
        let expected = open.folder.path().join("in-workspace/mine");
        for written in ["in-workspace/mine", "./in-workspace/mine", expected.to_str().unwrap()] {
            assert_eq!(open.ran(command(written)).await.unwrap().program, expected, "{written}");
        }
        for other in [
            "mine",
            "./mine",
            "in-workspace/../in-workspace/mine",
            "../mine",
            "in-workspace//mine",
            "in-workspace/*",
            "/mine",
        ] {
            assert!(matches!(open.run(command(other)).await.unwrap(), Err(Error::Denied(_))), "{other}");
        }
    }
    let mut open = Open::new(&["in-workspace/*", "./run"], &[]);
    assert!(matches!(open.run(command("in-workspace/none")).await.unwrap(), Err(Error::NotFound)));
    assert!(matches!(open.run(command("./run")).await.unwrap(), Err(Error::NotFound)));
    fs::write(open.folder.path().join("run"), "").unwrap();
    assert!(open.ran(command("./run")).await.unwrap().program.ends_with("run"));
    assert!(
        matches!(open.run(command("run")).await.unwrap(), Err(Error::Denied(_))),
        "a name is along `PATH`"
    );
}

#[tokio::test]
async fn no_folder_on_the_way_leads_out_of_the_workspace_and_the_last_name_may() {
    let mut open = Open::new(&["out/ls", "in/ls", "venv/python3", "in/broken", "in/folder"], &[]);
    let folder = open.folder.path().to_owned();
    symlink("/bin", folder.join("out")).unwrap();
    symlink("in-workspace", folder.join("in")).unwrap();
    symlink("/nowhere", folder.join("in/broken")).unwrap();
    fs::create_dir(folder.join("in/folder")).unwrap();
    fs::create_dir(folder.join("venv")).unwrap();
    symlink("/bin/sh", folder.join("venv/python3")).unwrap();
    assert!(matches!(open.run(command("out/ls")).await.unwrap(), Err(Error::NotFound)));
    assert!(matches!(open.run(command("in/broken")).await.unwrap(), Err(Error::NotFound)));
    assert!(matches!(open.run(command("in/folder")).await.unwrap(), Err(Error::NotFound)));
    assert_eq!(open.ran(command("in/ls")).await.unwrap().program, folder.join("in/ls"));
    // By the path that it has, so that it finds what lies beside it.
    assert_eq!(open.ran(command("venv/python3")).await.unwrap().program, folder.join("venv/python3"));
}

#[tokio::test]
async fn only_granted_variables_are_handed_on_or_set() {
    let mut open = Open::new(&["ls"], &["HOME", "MODE"]);
    let set = |name: &str| vec![(name.to_owned(), "x".to_owned())];
    let request = open.ran(Command { env: set("MODE"), ..command("ls") }).await.unwrap();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let expected = [("HOME", "/home/me"), ("MODE", "x")].map(|(name, value)| (name.to_owned(), value.into()));
    assert_eq!(request.env, expected, "and no other");
    let denied = open.run(Command { env: set("LD_PRELOAD"), ..command("ls") }).await.unwrap();
    assert!(matches!(denied, Err(Error::Denied(_))));
    let nul = Command { env: vec![pair("MODE", "a\0b")], ..command("ls") };
    assert!(matches!(open.run(nul).await.unwrap(), Err(Error::Invalid(_))));
}

fn said(workspace: &[(&str, &str)], task: &[(&str, &str)]) -> CommandEnv {
    let env = |said: &[(&str, &str)]| {
        Arc::new(Env::of(said.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))).unwrap())
    };
    CommandEnv { workspace: env(workspace), task: Some(env(task)) }
}

#[tokio::test]
async fn what_people_say_goes_before_what_the_host_has_and_the_task_before_the_workspace() {
    let env =
        said(&[("MODE", "workspace"), ("CI", "1"), ("PATH", "/evil")], &[("MODE", "task"), ("EMPTY", "")]);
    let mut open =
        Open::told(&["ls", "sh"], &["HOME", "MODE", "CI", "EMPTY", "PATH", "PATH@sh"], Mood::Good, env);
    let of = |request: ProcessRequest| {
        request
            .env
            .iter()
            .map(|(name, value)| format!("{name}={}", value.display()))
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(of(open.ran(command("ls")).await.unwrap()), "CI=1 EMPTY= HOME=/home/me MODE=task PATH=/bin");
    assert_eq!(of(open.ran(command("sh")).await.unwrap()), "CI=1 EMPTY= HOME=/home/me MODE=task PATH=/evil");
}

#[tokio::test]
async fn a_variable_that_is_not_granted_for_the_program_is_denied_without_its_value() {
    for (granted, task) in [
        (&["HOME"][..], ("MODE", "hunter2")),
        (&["PATH"], ("PATH", "hunter2")),
        (&["PATH@sh"], ("PATH", "hunter2")),
        (&["LD_PRELOAD"], ("LD_PRELOAD", "hunter2")),
        (&[], ("https_proxy", "hunter2")),
    ] {
        let mut open = Open::told(&["ls"], granted, Mood::Good, said(&[], &[task]));
        let answer = open.run(command("ls")).await.unwrap();
        assert!(matches!(answer, Err(Error::Denied(_))), "{granted:?} {task:?}");
        let denied = open.ledger.into_parts().0.join("\n") + &format!("{answer:?}");
        assert!(denied.contains(task.0) && !denied.contains("hunter2"), "{denied}");
        assert!(open.bench.0.processes.requests().is_empty());
    }
    // Nor may the plugin itself say what steers a program.
    let mut open = Open::new(&["ls"], &["PATH"]);
    let set = Command { env: vec![("PATH".to_owned(), "/evil".to_owned())], ..command("ls") };
    assert!(matches!(open.run(set).await.unwrap(), Err(Error::Denied(_))));
}

#[tokio::test]
async fn a_task_whose_variables_are_in_no_file_any_more_runs_nothing() {
    let gone = CommandEnv { task: None, ..CommandEnv::default() };
    let mut open = Open::told(&["ls"], &[], Mood::Good, gone);
    assert!(matches!(open.run(command("ls")).await.unwrap(), Err(Error::Invalid(_))));
    assert!(open.bench.0.processes.requests().is_empty());
}

#[tokio::test]
async fn each_field_has_its_limit() {
    let mut open = Open::new(&["ls"], &["A"]);
    let args = |args: Vec<String>| Command { args, ..command("ls") };
    assert!(open.ran(args(vec!["a".to_owned(); 1024])).await.is_ok());
    assert!(open.ran(Command { capture_bytes: CAPTURE_BYTES_MAX, ..command("ls") }).await.is_ok());
    for wrong in [
        args(vec!["a".to_owned(); 1025]),
        args(vec!["a".repeat(131_072)]),
        args(vec!["\0".to_owned()]),
        Command { capture_bytes: CAPTURE_BYTES_MAX + 1, ..command("ls") },
        Command { env: vec![("A".to_owned(), String::new()); 65], ..command("ls") },
        Command { directory: "..".to_owned(), ..command("ls") },
        Command { directory: "/tmp".to_owned(), ..command("ls") },
    ] {
        let shown = format!("{wrong:?}").chars().take(200).collect::<String>();
        assert!(matches!(open.ran(wrong).await, Err(Error::Invalid(_))), "{shown}");
    }
    let request = open.ran(Command { timeout_ms: 99_000, ..command("ls") }).await.unwrap();
    assert!(request.timeout <= WALL, "never longer than the call");
}

#[tokio::test]
async fn the_folder_is_inside_the_workspace_and_no_link() {
    let mut open = Open::new(&["ls"], &[]);
    fs::create_dir_all(open.folder.path().join("a/b")).unwrap();
    std::os::unix::fs::symlink("/", open.folder.path().join("root")).unwrap();
    let at = |directory: &str| Command { directory: directory.to_owned(), ..command("ls") };
    assert_eq!(open.ran(at("a/b")).await.unwrap().directory, open.folder.path().join("a/b"));
    assert!(matches!(open.ran(at("none")).await, Err(Error::NotFound)));
    assert!(matches!(open.ran(at("root/tmp")).await, Err(Error::Invalid(_))));
}

#[tokio::test]
async fn the_intent_is_recorded_once_and_before_the_program_starts() {
    let mut open = Open::new(&["ls"], &[]);
    open.ran(command("ls")).await.unwrap();
    open.ran(command("ls")).await.unwrap();
    let started = |effect: &EffectRecord| matches!(effect, EffectRecord::ProcessStarted { .. });
    let effects = open.bench.effects();
    assert_eq!(
        effects[0],
        EffectRecord::Intent { domain: DomainName::Process, effect: "process", spends: false }
    );
    assert_eq!((effects.len(), effects.iter().filter(|effect| started(effect)).count()), (3, 2));
}

#[tokio::test]
async fn a_gate_that_refuses_ends_the_call_before_the_program_starts() {
    let mut open = Open::in_mood(&["ls"], &[], Mood::Closed);
    let ended = open.run(command("ls")).await;
    assert!(ended.unwrap_err().downcast_ref::<GateClosed>().is_some());
    assert!(open.bench.0.processes.requests().is_empty());
}

#[tokio::test]
async fn output_is_handed_back_as_far_as_asked() {
    let mut open = Open::in_mood(&["ls"], &[], Mood::Failing);
    let output = open.run(Command { capture_bytes: 3, ..command("ls") }).await.unwrap().unwrap();
    assert_eq!((output.stdout.as_slice(), output.stdout_bytes), (b"err".as_slice(), 23));
}

/// Their supervisor has died.
struct Gone;

impl Processes for Gone {
    fn run(
        &self,
        _request: ProcessRequest,
        _effects: Arc<dyn EffectGate>,
    ) -> Boxed<'_, Result<ProcessOutput, ProcessError>> {
        Box::pin(async { Err(ProcessError::EndUnknown { why: "its supervisor is gone".to_owned() }) })
    }
}

#[tokio::test]
async fn a_command_of_which_nobody_knows_the_end_ends_the_call() {
    let mut open = Open::new(&["ls"], &[]);
    open.process.processes = Arc::new(Gone);
    // An answer would let the guest call its task retriable, and an effect could happen twice unsaid.
    assert!(open.run(command("ls")).await.unwrap_err().downcast_ref::<GateClosed>().is_some());
}
