//! What a command in a sandbox can do, and what it cannot.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use orch_supervisor::{
    Cache, Exit, Limit, Limits, Place, Request, RunError, StartStep, SupervisorPool, Wall, Walls,
    system_places,
};

use crate::bench::{Mark, SUPERVISE, pool, run, wait_until};

pub(crate) const HOSTILE: &str = include_str!("hostile.py");
/// Nobody's, where the tests run as root.
const USER: u32 = 61_001;

/// A workspace, and something outside of it.
pub(crate) struct Ground {
    _folder: tempfile::TempDir,
    pub(crate) workspace: PathBuf,
    secret: PathBuf,
}

impl Ground {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let (workspace, secret) = (root.join("workspace"), root.join("secret"));
        fs::create_dir(&workspace).unwrap();
        fs::write(&secret, "outside").unwrap();
        Self { _folder: folder, workspace, secret }
    }

    fn walls(&self) -> Walls {
        let places = system_places().into_iter().chain([Place::write(&self.workspace)]);
        Walls::around(places.collect())
    }

    fn request(&self, walls: Walls, script: &str) -> Request {
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

/// Whoever is around a sandbox.
pub(crate) struct Outside {
    victim: Child,
    port: u16,
    _tcp: TcpListener,
    socket: PathBuf,
    _unix: UnixListener,
    name: String,
    _abstract: UnixListener,
}

impl Outside {
    pub(crate) fn new(ground: &Ground) -> Self {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = ground.secret.with_file_name("socket");
        let unix = UnixListener::bind(&socket).unwrap();
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).unwrap();
        // Another's: a child that is being started may hold the one before for a moment.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let nth = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("orch-test-{}-{nth}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let mut victim = Command::new("/bin/sleep");
        victim.arg("300").stdin(Stdio::null()).env("SECRET_OF_ANOTHER", "1");
        Self {
            victim: victim.spawn().unwrap(),
            port: tcp.local_addr().unwrap().port(),
            _tcp: tcp,
            socket,
            _unix: unix,
            name,
            _abstract: UnixListener::bind_addr(&address).unwrap(),
        }
    }

    /// Where a hostile program finds them.
    pub(crate) fn told(&self, ground: &Ground) -> Vec<(OsString, OsString)> {
        let (victim, port) = (self.victim.id().to_string(), self.port.to_string());
        let outside = ("OUTSIDE", ground.secret.as_os_str());
        let rest = [("ABSTRACT", &self.name), ("VICTIM", &victim), ("PORT", &port)];
        let rest = rest.map(|(name, value)| (name.into(), value.into()));
        let first =
            [outside, ("SOCKET", self.socket.as_os_str())].map(|(name, value)| (name.into(), value.into()));
        first.into_iter().chain(rest).collect()
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let _ = self.victim.kill();
        let _ = self.victim.wait();
        let _ = fs::remove_file(&self.socket);
    }
}

/// The walls of the hostile programs: limits that they pass, something hidden, something to be read only.
pub(crate) fn around_hostile(ground: &Ground) -> Walls {
    let mut walls = ground.walls();
    let hidden = ["hidden", "hidden-file"].map(|name| Place::hidden(ground.workspace.join(name)));
    // Whoever says it twice means the same.
    walls.places.extend(hidden.clone().into_iter().chain(hidden));
    walls.places.push(Place::read(ground.workspace.join("kept")));
    walls.limits = Limits {
        processes: Some(310),
        memory_bytes: Some(256 << 20),
        file_bytes: Some(50 << 20),
        ..Limits::default()
    };
    walls
}

/// Attempts that end whoever makes them, and the limit that does it.
const ALONE: [(&str, Limit); 2] =
    [("start_too_many_processes", Limit::Processes), ("take_too_much_memory", Limit::Memory)];

async fn hostile(pool: &SupervisorPool, ground: &Ground, walls: &Walls, args: &[&str]) -> (Exit, String) {
    let outside = Outside::new(ground);
    let path = ("PATH".into(), "/usr/bin:/bin".into());
    let env: Vec<_> = outside.told(ground).into_iter().chain([path]).collect();
    let args = ["-c", HOSTILE].iter().chain(args).map(Into::into);
    let request = Request {
        args: args.collect(),
        env,
        timeout: Some(Duration::from_secs(60)),
        sandbox: walls.clone().into(),
        ..Request::new("/usr/bin/python3", &ground.workspace)
    };
    let output = run(pool, request).await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.ended.exit, text(&output.stdout.captured) + "\n" + &text(&output.stderr.captured))
}

/// Of each attempt, whether it was refused.
pub(crate) async fn attempts(
    pool: &SupervisorPool,
    ground: &Ground,
    walls: &Walls,
) -> BTreeMap<String, bool> {
    let with_alone = walls.up.contains(&Wall::Limits) || std::env::var_os("BLESS").is_some();
    let (exit, text) = hostile(pool, ground, walls, &[]).await;
    assert_eq!(exit, Exit::Code(0), "{text}");
    let read = |line: &str| {
        let (name, said) = line.split_once(' ').unwrap();
        assert!(matches!(said, "got" | "refused"), "{text}");
        (name.to_owned(), said == "refused")
    };
    let mut found: BTreeMap<String, bool> =
        text.lines().take_while(|line| !line.is_empty()).map(read).collect();
    let made = ground.secret.with_extension("made");
    found.insert("make_a_file_outside".to_owned(), !made.exists());
    let _ = fs::remove_file(made);
    for (name, limit) in ALONE.into_iter().filter(|_| with_alone) {
        let (exit, text) = hostile(pool, ground, walls, &[name]).await;
        let is_refused = exit == Exit::Beyond(limit) || text.contains("refused");
        assert!(is_refused || text.contains("got"), "{exit:?} {text}");
        found.insert(name.to_owned(), is_refused);
    }
    found
}

pub(crate) fn hostile_ground() -> Ground {
    let ground = Ground::new();
    for folder in ["hidden", "kept"] {
        fs::create_dir(ground.workspace.join(folder)).unwrap();
        fs::write(ground.workspace.join(folder).join("file"), "x").unwrap();
    }
    fs::write(ground.workspace.join("hidden-file"), "x").unwrap();
    ground
}

#[tokio::test]
async fn nothing_that_a_hostile_program_tries_succeeds() {
    let ground = hostile_ground();
    let found = attempts(&pool(1), &ground, &around_hostile(&ground)).await;
    let got: Vec<&String> = found.iter().filter(|(_, refused)| !**refused).map(|(name, _)| name).collect();
    assert!(got.is_empty(), "{got:?}");
    assert!(found.len() > 45, "{}", found.len());
}

#[tokio::test]
async fn nor_where_it_was_granted_a_network() {
    let ground = hostile_ground();
    let listen = vec!["127.0.0.1:61080".parse().unwrap()];
    let walls = Walls { listen, ..around_hostile(&ground) };
    let (exit, text) = hostile(&pool(1), &ground, &walls, &[]).await;
    assert_eq!(exit, Exit::Code(0), "{text}");
    let got: Vec<&str> = text.lines().filter(|line| line.ends_with(" got")).collect();
    // Whether that one succeeded is looked at outside.
    assert!(got.iter().all(|line| line.starts_with("make_a_file_outside ")), "{text}");
    assert!(!ground.secret.with_extension("made").exists());
}

/// A pool whose supervisors are another user's.
fn pool_of(user: u32, folder: &Path) -> SupervisorPool {
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
    SupervisorPool::new(script, 1)
}

#[tokio::test]
async fn nor_where_the_host_is_an_ordinary_users() {
    // Without root this user is one already: the test above was it.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let ground = hostile_ground();
    let root = ground.workspace.parent().unwrap();
    fs::set_permissions(root, fs::Permissions::from_mode(0o755)).unwrap();
    let owned = Command::new("chown").args(["-R", &format!("{USER}:{USER}")]).arg(&ground.workspace).status();
    assert!(owned.unwrap().success());
    let found = attempts(&pool_of(USER, root), &ground, &around_hostile(&ground)).await;
    let got: Vec<&String> = found.iter().filter(|(_, refused)| !**refused).map(|(name, _)| name).collect();
    assert!(got.is_empty(), "{got:?}");
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
                pool_of(user, root)
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

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/sandbox.md");
const TABLE_HEAD: &str = "| attempt | ";

/// What each wall holds alone is what the page says; `BLESS=1`, as root, writes it.
#[tokio::test]
async fn each_wall_holds_alone_what_the_documentation_says() {
    let (pool, ground) = (pool(1), hostile_ground());
    let walls = around_hostile(&ground);
    let mut columns = Vec::new();
    for wall in Wall::ALL {
        let alone = Walls { up: [wall].into(), ..walls.clone() };
        columns.push(attempts(&pool, &ground, &alone).await);
    }
    let none = match std::env::var_os("BLESS") {
        Some(_) => attempts(&pool, &ground, &Walls { up: [].into(), ..walls.clone() }).await,
        None => BTreeMap::new(),
    };
    let names: Vec<String> = Wall::ALL.iter().map(Wall::to_string).collect();
    let mut table = format!("{TABLE_HEAD}{} |\n|---|{}\n", names.join(" | "), "---|".repeat(names.len()));
    for (name, refused_anyway) in &none {
        let cell = |column: &BTreeMap<String, bool>| match (column[name], refused_anyway) {
            (true, false) => "holds",
            (false, _) => "-",
            (true, true) => "?",
        };
        let cells: Vec<&str> = columns.iter().map(cell).collect();
        table += &format!("| {} | {} |\n", name.replace('_', " "), cells.join(" | "));
    }
    let page = fs::read_to_string(TABLE).unwrap();
    let begin = page.find(TABLE_HEAD).unwrap();
    let end = page[begin..].find("\n\n").map_or(page.len(), |end| begin + end + 1);
    if std::env::var_os("BLESS").is_some() {
        fs::write(TABLE, format!("{}{table}{}", &page[..begin], &page[end..])).unwrap();
        return;
    }
    let rows: Vec<&str> = page[begin..end].lines().skip(2).collect();
    let limits = Wall::ALL.iter().position(|wall| *wall == Wall::Limits).unwrap();
    assert_eq!(rows.len(), columns[limits].len());
    for (row, name) in rows.iter().zip(columns[limits].keys()) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells[0], name.replace('_', " "));
        assert!(cells[1..].contains(&"holds") || cells[1..].contains(&"?"), "{row}");
        for ((cell, wall), column) in cells[1..].iter().zip(Wall::ALL).zip(&columns) {
            assert!(*cell != "holds" || column[name], "{name}: {wall}");
        }
    }
}
