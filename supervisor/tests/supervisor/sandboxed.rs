//! What a command in a sandbox can do, what it sees, and how it ends.
//!
//! Not here: what hostile programs try (`hostile.rs`).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use orch_supervisor::{
    Cache, Exit, Limit, Limits, Place, Request, RunError, StartStep, SupervisorPool, Wall, Walls,
    system_places,
};

use crate::bench::{Mark, SUPERVISE, pool, run, wait_until};

/// Nobody's, where the tests run as root.
pub(crate) const USER: u32 = 61_001;

/// A workspace, and something outside of it.
pub(crate) struct Ground {
    _folder: tempfile::TempDir,
    pub(crate) workspace: PathBuf,
    pub(crate) secret: PathBuf,
}

impl Ground {
    pub(crate) fn new() -> Self {
        Self::new_in(&std::env::temp_dir())
    }

    pub(crate) fn new_in(folder: &Path) -> Self {
        let folder = tempfile::tempdir_in(folder).unwrap();
        let root = folder.path().canonicalize().unwrap();
        let (workspace, secret) = (root.join("workspace"), root.join("secret"));
        fs::create_dir(&workspace).unwrap();
        fs::write(&secret, "outside").unwrap();
        Self { _folder: folder, workspace, secret }
    }

    /// Of that name beside the workspace.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.secret.with_file_name(name)
    }

    pub(crate) fn walls(&self) -> Walls {
        let places = system_places().into_iter().chain([Place::write(&self.workspace)]);
        Walls::around(places.collect())
    }

    pub(crate) fn request(&self, walls: Walls, script: &str) -> Request {
        Request {
            args: vec!["-c".into(), script.into()],
            env: vec![("PATH".into(), "/usr/bin:/bin".into())],
            timeout: Some(Duration::from_secs(30)),
            sandbox: walls.into(),
            ..Request::new("/bin/sh", &self.workspace)
        }
    }
}

/// Exit and both streams.
async fn said(request: Request) -> (Exit, String) {
    let output = run(&pool(1), request).await.unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    (output.ended.exit, text(&output.stdout.captured) + &text(&output.stderr.captured))
}

#[tokio::test]
async fn a_command_works_in_its_workspace_and_sees_nothing_else() {
    let ground = Ground::new();
    let script = format!(
        "echo in > made && cat made && pwd && test ! -e {} && test ! -e $HOME/.ssh && ls / && ls /tmp && id -u",
        ground.secret.display()
    );
    let (exit, text) = said(ground.request(ground.walls(), &script)).await;
    assert_eq!(exit, Exit::Code(0), "{text}");
    assert_eq!(fs::read_to_string(ground.workspace.join("made")).unwrap(), "in\n");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..2], ["in", ground.workspace.to_str().unwrap()], "{text}");
    assert!(!lines.contains(&"root") || ground.workspace.starts_with("/root"), "{text}");
}

#[tokio::test]
async fn folders_that_hand_on_their_group_are_made_and_copied_as_ever() {
    let ground = Ground::new();
    let script = "mkdir g && chmod 2775 g && mkdir g/in && cp -a g copied && tar cf t.tar g && mkdir out && \
                  tar xpf t.tar -C out && stat -c %A g/in copied copied/in out/g && chmod u+s g/in && echo not so";
    let (exit, text) = said(ground.request(ground.walls(), script)).await;
    assert_ne!(exit, Exit::Code(0), "{text}");
    let modes: Vec<&str> = text.lines().take_while(|line| line.starts_with('d')).collect();
    assert!(modes.len() == 4 && modes.iter().all(|mode| mode.contains('s')), "{text}");
    assert!(text.contains("not permitted") && !text.contains("not so"), "{text}");
}

/// The C library takes an error of a folder for its end; others, as Go's, ask the kernel themselves.
#[tokio::test]
async fn whoever_walks_through_what_is_hidden_finds_nothing_and_goes_on() {
    let ground = Ground::new();
    fs::create_dir(ground.workspace.join("hidden")).unwrap();
    fs::write(ground.workspace.join("hidden/file"), "x").unwrap();
    let script = "import ctypes, os\n\
        libc, buffer = ctypes.CDLL(None, use_errno=True), ctypes.create_string_buffer(4096)\n\
        number = {'x86_64': 217}.get(os.uname().machine, 61)\n\
        for place in 'hidden', '/.no-folder':\n    \
            folder, names = os.open(place, os.O_RDONLY | os.O_DIRECTORY), b''\n    \
            while True:\n        \
                got = libc.syscall(number, folder, buffer, 4096)\n        \
                if got <= 0: break\n        \
                names += buffer.raw[:got]\n    \
            print(place, got, ctypes.get_errno(), b'file' in names)";
    let mut walls = ground.walls();
    walls.places.push(Place::hidden(ground.workspace.join("hidden")));
    let mut request = ground.request(walls, "");
    (request.program, request.args) = ("/usr/bin/python3".into(), vec!["-c".into(), script.into()]);
    let (exit, text) = said(request).await;
    let listed = "hidden 0 0 False\n/.no-folder 0 0 False\n";
    assert_eq!((exit, text.as_str()), (Exit::Code(0), listed));
}

/// A pool whose supervisors are another user's; `folder`: for their program.
pub(crate) fn pool_of(user: u32, folder: &Path, size: usize) -> SupervisorPool {
    let (program, script) = (folder.join("supervise"), folder.join("as-user"));
    fs::copy(SUPERVISE, &program).unwrap();
    let text = format!(
        "#!/bin/sh\nexec setpriv --reuid={user} --regid={user} --clear-groups {} \"$@\"\n",
        program.display()
    );
    fs::write(&script, text).unwrap();
    for path in [&program, &script] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    SupervisorPool::new(script, size)
}

#[tokio::test]
async fn a_cache_is_written_in_a_layer_of_its_own_whoever_the_host_is() {
    for user in [None, rustix::process::geteuid().is_root().then_some(USER)] {
        let ground = Ground::new();
        let root = ground.workspace.parent().unwrap();
        // Overlayfs has its own ways with these.
        let layers = root.join("a,b:c\\d");
        let [kept, base] = ["kept", "base"].map(|name| layers.join(name));
        for (folder, file) in [(&kept, "kept"), (&base, "base")] {
            fs::create_dir_all(folder).unwrap();
            fs::write(folder.join(file), file).unwrap();
        }
        let attempt = |name: &str| {
            let [upper, work] = ["upper", "work"].map(|part| layers.join(name).join(part));
            fs::create_dir_all(&upper).unwrap();
            fs::create_dir_all(&work).unwrap();
            let place = root.join("cache");
            Cache { path: place, beneath: vec![kept.clone(), base.clone()], upper, work }
        };
        let (first, second) = (attempt("first"), attempt("second"));
        let pool = match user {
            None => pool(1),
            Some(user) => {
                fs::set_permissions(root, fs::Permissions::from_mode(0o755)).unwrap();
                let mut owned = Command::new("chown");
                owned.args(["-R", &format!("{user}:{user}")]).args([&ground.workspace, &layers]);
                assert!(owned.status().unwrap().success());
                pool_of(user, root, 1)
            }
        };
        let scripts = [
            (first.clone(), "cat kept base && rm kept && echo x > base && echo x > made"),
            // What an earlier command of the same call wrote is there, and nobody else's.
            (first.clone(), "test ! -e kept && test -e made && mkdir kept && echo x > kept/in"),
            (second, "cat kept base && test ! -e made"),
        ];
        for (cache, script) in scripts {
            let script = format!("cd {} && {script}", root.join("cache").display());
            let walls = Walls { caches: vec![cache], ..ground.walls() };
            let output = run(&pool, ground.request(walls, &script)).await.unwrap();
            let said = String::from_utf8_lossy(&output.stderr.captured).into_owned();
            assert_eq!(output.ended.exit, Exit::Code(0), "{script}: {said}");
        }
        for (folder, file) in [(&kept, "kept"), (&base, "base")] {
            assert_eq!(fs::read_to_string(folder.join(file)).unwrap(), file);
            assert_eq!(fs::read_dir(folder).unwrap().count(), 1);
        }
        assert!(first.upper.join("kept/in").exists() && first.upper.join("made").exists());
        assert!(!root.join("cache").exists());
    }
}

#[tokio::test]
async fn a_command_is_ended_when_less_room_is_left_than_was_asked_for() {
    let ground = Ground::new();
    for (free_bytes, wanted) in
        [(Some(u64::MAX), Exit::Beyond(Limit::Room)), (Some(1), Exit::Code(0)), (None, Exit::Code(0))]
    {
        let walls = Walls { limits: Limits { free_bytes, ..Limits::default() }, ..ground.walls() };
        let script = if wanted == Exit::Code(0) { "sleep 0.3" } else { "sleep 30" };
        let output = run(&pool(1), ground.request(walls, script)).await.unwrap();
        assert_eq!(output.ended.exit, wanted);
    }
}

/// Without a root of its own nothing covers a link: the rules must not follow one.
#[tokio::test]
async fn a_link_in_the_workspace_widens_no_rule() {
    let ground = Ground::new();
    let outside = ground.secret.parent().unwrap().join("folder");
    fs::create_dir(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, ground.workspace.join("link")).unwrap();
    let mut walls = Walls { up: [Wall::Landlock].into(), ..ground.walls() };
    walls.places.push(Place::write(ground.workspace.join("link")));
    let script = "echo in > made || exit 7; echo out > link/made";
    let (exit, text) = said(ground.request(walls, script)).await;
    assert!(matches!(exit, Exit::Code(1 | 2)), "{exit:?} {text}");
    assert!(ground.workspace.join("made").exists() && !outside.join("made").exists());
}

#[tokio::test]
async fn a_program_that_is_not_there_or_a_folder_in_no_place_is_said_and_the_next_command_runs() {
    let (ground, pool) = (Ground::new(), pool(1));
    let missing = Request { program: "/bin/orch-none".into(), ..ground.request(ground.walls(), "true") };
    let nowhere = Request {
        directory: ground.secret.parent().unwrap().into(),
        ..ground.request(ground.walls(), "true")
    };
    let unseen = Walls { places: system_places(), ..ground.walls() };
    for (request, wanted) in [
        (missing, StartStep::Program),
        (ground.request(unseen, "true"), StartStep::Directory),
        (
            ground.request(Walls { places: vec![Place::read("/")], ..ground.walls() }, "true"),
            StartStep::Sandbox(Wall::Mounts),
        ),
    ] {
        match run(&pool, request).await {
            Err(RunError::NotStarted { step, .. }) => assert_eq!(step, wanted),
            other => panic!("{other:?}"),
        }
    }
    // Above the workspace there is an empty folder.
    assert_eq!(run(&pool, nowhere).await.unwrap().ended.exit, Exit::Code(0));
}

#[tokio::test]
async fn a_process_that_was_left_is_ended_and_counted_like_any_other() {
    let (ground, mark) = (Ground::new(), Mark::new());
    let script = "(setsid sleep 300 &) ; setsid sh -c 'trap : TERM; sleep 301 & wait; sleep 302' & sleep 0.3";
    let (name, value) = mark.variable();
    let mut request = ground.request(ground.walls(), script);
    request.env.push((name.into(), value.into()));
    request.kill_after = Duration::from_millis(500);
    let output = run(&pool(1), request).await.unwrap();
    assert_eq!((output.ended.exit, output.ended.left), (Exit::Code(0), 4));
    assert!(mark.carriers().is_empty());
}

#[tokio::test]
async fn a_command_in_a_sandbox_is_asked_to_end_at_its_timeout_and_its_last_words_are_kept() {
    let (ground, mark) = (Ground::new(), Mark::new());
    let script = "trap 'echo last words; exit 3' TERM; setsid sleep 300 & sleep 301 & echo ready; wait";
    let (name, value) = mark.variable();
    let mut request = ground.request(ground.walls(), script);
    request.env.push((name.into(), value.into()));
    (request.timeout, request.kill_after) = (Some(Duration::from_secs(2)), Duration::from_secs(20));
    let output = run(&pool(1), request).await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout.captured).into_owned();
    assert_eq!((output.ended.exit, text.as_str()), (Exit::TimedOut, "ready\nlast words\n"));
    assert!(mark.carriers().is_empty());
}

#[tokio::test]
async fn nobody_is_left_of_a_sandbox_whose_supervisor_is_killed() {
    let (ground, mark) = (Ground::new(), Mark::new());
    let (name, value) = mark.variable();
    let mut request = ground.request(ground.walls(), "setsid sleep 300 & sleep 301");
    request.env.push((name.into(), value.into()));
    let pool = pool(1);
    let running = pool.run(request).await.unwrap();
    mark.wait_for(3);
    let parent = |pid: u32| -> u32 {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        text.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap().parse().unwrap()
    };
    let supervisor = parent(running.identity().pid);
    let killed = Command::new("/bin/kill").args(["-9", &supervisor.to_string()]).status().unwrap();
    assert!(killed.success());
    wait_until("the end of all", || mark.carriers().is_empty());
}
