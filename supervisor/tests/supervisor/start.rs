//! What a command gets, and what is said when there is none.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use orch_supervisor::{Exit, ProcessIdentity, Request, RunError, StartStep, boot_id};

use crate::bench::{Mark, child_of, line, pool, run, shell};

async fn stdout_of(request: Request) -> String {
    let output = run(&pool(1), request).await.unwrap();
    assert_eq!(output.ended.exit, Exit::Code(0), "{}", String::from_utf8_lossy(&output.stderr.captured));
    String::from_utf8(output.stdout.captured).unwrap()
}

#[tokio::test]
async fn exit_codes_and_signals_are_told_apart() {
    let (pool, mark) = (pool(1), Mark::new());
    for (script, exit) in [
        ("exit 0", Exit::Code(0)),
        ("exit 7", Exit::Code(7)),
        ("exit 255", Exit::Code(255)),
        ("kill -TERM $$", Exit::Signal(15)),
        ("kill -KILL $$", Exit::Signal(9)),
        ("kill -SEGV $$", Exit::Signal(11)),
    ] {
        assert_eq!(run(&pool, shell(script, &mark)).await.unwrap().ended.exit, exit, "{script}");
    }
}

#[tokio::test]
async fn environment_is_exactly_what_was_asked_for() {
    assert_eq!(stdout_of(Request::new("/usr/bin/env", "/")).await, "");
    let env = vec![("B".into(), "1=2".into()), ("A".into(), "x y".into())];
    assert_eq!(stdout_of(Request { env, ..Request::new("/usr/bin/env", "/") }).await, "B=1=2\nA=x y\n");
}

#[tokio::test]
async fn arguments_and_directory_arrive_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().canonicalize().unwrap();
    let args = vec!["[%s]\\n".into(), "a b".into(), "".into(), "$HOME; *".into()];
    assert_eq!(
        stdout_of(Request { args, ..Request::new("/usr/bin/printf", "/") }).await,
        "[a b]\n[]\n[$HOME; *]\n"
    );
    assert_eq!(stdout_of(Request::new("/bin/pwd", &folder)).await, format!("{}\n", folder.display()));
}

#[tokio::test]
async fn only_the_standard_descriptors_are_open() {
    // One that this process would hand on: it is not closed on exec.
    let leaky = fs::File::open("/etc/passwd").unwrap();
    rustix::io::fcntl_setfd(&leaky, rustix::io::FdFlags::empty()).unwrap();
    // Links that are not there are left out; it opens nothing itself.
    let args = (0..1000).map(|number| format!("/proc/self/fd/{number}").into()).collect();
    let output = run(&pool(1), Request { args, ..Request::new("/usr/bin/readlink", "/") }).await.unwrap();
    drop(leaky);
    let found = String::from_utf8(output.stdout.captured).unwrap();
    let lines: Vec<&str> = found.lines().collect();
    assert!(
        matches!(lines[..], ["/dev/null", stdout, stderr] if stdout.starts_with("pipe:") && stderr.starts_with("pipe:")),
        "{found}"
    );
}

#[tokio::test]
async fn no_signal_is_blocked_or_ignored_and_no_privilege_to_be_had() {
    // Not through a shell, which may settle some of it itself.
    let args = ["-E", "^(SigBlk|SigIgn|NoNewPrivs):", "/proc/self/status"].map(Into::into).to_vec();
    let found = stdout_of(Request { args, ..Request::new("/bin/grep", "/") }).await;
    assert_eq!(found, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\nNoNewPrivs:\t1\n");
}

#[tokio::test]
async fn session_and_umask_are_its_own() {
    let script = "umask; set -- $(cat /proc/$$/stat); echo $(($1 == $5)) $(($1 == $6)) $7";
    let found = stdout_of(shell(script, &Mark::new())).await;
    let (umask, leads) = found.split_once('\n').unwrap();
    let umask = u32::from_str_radix(umask, 8).unwrap();
    assert_eq!(umask & 0o022, 0o022, "{umask:o}");
    assert_eq!(leads, "1 1 0\n", "leads its group and its session, without a terminal");
}

#[tokio::test]
async fn identity_is_that_of_the_command() {
    let mut running = pool(1).run(shell("echo $$; exec sleep 1000", &Mark::new())).await.unwrap();
    let identity = running.identity().clone();
    assert_eq!(line(&mut running).await, identity.pid.to_string());
    assert_eq!(identity.boot_id, boot_id().unwrap());
    assert_eq!(identity, ProcessIdentity::of(identity.pid).unwrap());
    assert_eq!(child_of(child_of(running.supervisor().pid)), identity.pid);
}

#[tokio::test]
async fn a_supervisor_shows_none_of_the_hosts_environment() {
    let mut running = pool(1).run(shell("echo; exec sleep 1000", &Mark::new())).await.unwrap();
    line(&mut running).await;
    let guardian = running.supervisor().pid;
    for pid in [guardian, child_of(guardian)] {
        assert_eq!(fs::read(format!("/proc/{pid}/environ")).unwrap(), b"");
        assert_eq!(fs::read_link(format!("/proc/{pid}/cwd")).unwrap(), Path::new("/"));
    }
}

#[track_caller]
fn check_not_started(found: Result<orch_supervisor::Output, RunError>, wanted: StartStep, errno: i32) {
    match found {
        Err(RunError::NotStarted { step, source, .. }) => {
            assert_eq!((step, source.raw_os_error()), (wanted, Some(errno)));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn says_what_could_not_be_started_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, mode: u32, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    let pool = pool(1);
    let missing = folder.path().join("missing");
    check_not_started(run(&pool, Request::new(&missing, "/")).await, StartStep::Program, libc::ENOENT);
    check_not_started(
        run(&pool, Request::new("/bin/true", &missing)).await,
        StartStep::Directory,
        libc::ENOENT,
    );
    let plain = file("plain", 0o644, "#!/bin/sh\n");
    check_not_started(run(&pool, Request::new(&plain, "/")).await, StartStep::Program, libc::EACCES);
    check_not_started(
        run(&pool, Request::new("/bin/true", &plain)).await,
        StartStep::Directory,
        libc::ENOTDIR,
    );
    // The standard library's exec would hand this one to a shell, which nobody granted.
    let marked = folder.path().join("marked");
    let bare = file("bare", 0o755, &format!("touch {}\n", marked.display()));
    check_not_started(run(&pool, Request::new(&bare, "/")).await, StartStep::Program, libc::ENOEXEC);
    assert!(!marked.exists());
    let invalid = run(&pool, Request::new("true", "/")).await;
    assert!(matches!(invalid, Err(RunError::Invalid { .. })), "{invalid:?}");
    assert_eq!(run(&pool, Request::new("/bin/true", "/")).await.unwrap().ended.exit, Exit::Code(0));
}

#[tokio::test]
async fn more_arguments_than_the_system_takes_are_a_failed_start() {
    let pool = pool(1);
    let args = vec!["x".repeat(100_000).into(); 100];
    let found = run(&pool, Request { args, ..Request::new("/bin/true", "/") }).await;
    check_not_started(found, StartStep::Program, libc::E2BIG);
    let args = vec!["x".repeat(1_000_000).into(); 40];
    let found = run(&pool, Request { args, ..Request::new("/bin/true", "/") }).await;
    assert!(matches!(found, Err(RunError::Invalid { .. })), "{found:?}");
    assert_eq!(run(&pool, Request::new("/bin/true", "/")).await.unwrap().ended.exit, Exit::Code(0));
}

#[tokio::test]
async fn an_executable_that_cannot_be_a_supervisor_is_said() {
    let missing = orch_supervisor::SupervisorPool::new("/no/such/program", 1);
    let found = run(&missing, Request::new("/bin/true", "/")).await;
    assert!(matches!(found, Err(RunError::SupervisorNotStarted { .. })), "{found:?}");
    let other = orch_supervisor::SupervisorPool::new("/bin/true", 1);
    let found = run(&other, Request::new("/bin/true", "/")).await;
    assert!(matches!(found, Err(RunError::SupervisorGone)), "{found:?}");
}

#[test]
fn serving_without_a_host_is_refused() {
    let found = std::process::Command::new(crate::bench::SUPERVISE)
        .arg(orch_supervisor::ARGUMENT)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert_eq!(found.status.code(), Some(125));
    assert!(String::from_utf8_lossy(&found.stderr).contains("with a socket as stdin"));
    // The test harness has threads.
    let refused = orch_supervisor::serve().unwrap_err();
    assert!(refused.to_string().contains("before any thread"), "{refused}");
}
