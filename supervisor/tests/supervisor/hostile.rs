//! What hostile programs try, and which walls hold each of them: one program, an attempt each (`hostile.py`).
//!
//! In -> out: walls -> of each attempt, whether it was refused; `docs/sandbox.md` has the table, which a test here writes.
//! Not here: what a command may do (`sandboxed.rs`), the same programs in bubblewrap (`bubblewrap.rs`).

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

use orch_supervisor::{Cache, Exit, Limit, Limits, Place, Request, Running, SupervisorPool, Wall, Walls};

use crate::bench::{pool, run};
use crate::sandboxed::{Ground, USER, pool_of};

pub(crate) const HOSTILE: &str = include_str!("hostile.py");
/// Where commands find their way out, each in its own network namespace.
const RELAY: &str = "127.0.0.1:61080";
/// What is taken of a disk at most.
const FILL_BYTES_MAX: u64 = 256 << 20;
/// What lies beside a workspace, and is not a command's.
const BESIDE: [&str; 5] = [
    "home/.ssh/id_ed25519",
    "operator/secret",
    "operator/policy.toml",
    "native-code/component.cwasm",
    "cache/kept",
];
const KEPT: &str = "kept";

/// Whoever is around a sandbox.
pub(crate) struct Outside {
    victim: Child,
    /// Another command of the same host, with a way out of its own.
    neighbour: Running,
    /// Of the next command.
    supervisor: u32,
    port: u16,
    _tcp: TcpListener,
    socket: PathBuf,
    _unix: UnixListener,
    name: String,
    _abstract: UnixListener,
}

impl Outside {
    /// `pool`: of two, one for the neighbour.
    pub(crate) async fn new(pool: &SupervisorPool, ground: &Ground) -> Self {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = ground.beside("host.sock");
        let unix = UnixListener::bind(&socket).unwrap();
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).unwrap();
        // Another's: a child that is being started may hold the one before for a moment.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let nth = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("orch-test-{}-{nth}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let mut victim = Command::new("/bin/sleep");
        victim.arg("300").stdin(Stdio::null()).env("SECRET_OF_ANOTHER", "1");
        let walls = Walls { listen: vec![RELAY.parse().unwrap()], ..ground.walls() };
        let neighbour = pool.run(ground.request(walls, "exec sleep 300")).await.unwrap();
        let mut before = pool.run(Request::new("/bin/true", "/")).await.unwrap();
        let supervisor = before.supervisor().pid;
        before.wait().await.unwrap();
        Self {
            victim: victim.spawn().unwrap(),
            neighbour,
            supervisor,
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
        let (_, relay) = RELAY.split_once(':').unwrap();
        let paths = [("OUTSIDE", &ground.secret), ("SOCKET", &self.socket)];
        let rest = [
            ("ABSTRACT", self.name.clone()),
            ("VICTIM", self.victim.id().to_string()),
            ("NEIGHBOUR", self.neighbour.identity().pid.to_string()),
            ("SUPERVISOR", self.supervisor.to_string()),
            ("PORT", self.port.to_string()),
            ("RELAY", relay.to_owned()),
        ];
        let rest = rest.map(|(name, value)| (name.into(), value.into()));
        paths.map(|(name, path)| (name.into(), path.into())).into_iter().chain(rest).collect()
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let _ = self.victim.kill();
        let _ = self.victim.wait();
        let _ = fs::remove_file(&self.socket);
    }
}

/// The walls of the hostile programs: limits that they pass, something hidden, something to be read only, a cache.
pub(crate) fn around_hostile(ground: &Ground) -> Walls {
    let mut walls = ground.walls();
    let hidden = ["hidden", "hidden-file"].map(|name| Place::hidden(ground.workspace.join(name)));
    // Whoever says it twice means the same.
    walls.places.extend(hidden.clone().into_iter().chain(hidden));
    walls.places.push(Place::read(ground.workspace.join("kept")));
    let cache = ground.beside("cache");
    let [upper, work] = ["layer/upper", "layer/work"].map(|name| ground.beside(name));
    walls.caches.push(Cache { path: cache.clone(), beneath: vec![cache], upper, work });
    walls.limits = Limits {
        processes: Some(310),
        memory_bytes: Some(256 << 20),
        file_bytes: Some(50 << 20),
        ..Limits::default()
    };
    walls
}

/// Attempts that end whoever makes them, and the limit that does it.
const ALONE: [(&str, Limit); 3] = [
    ("fill_the_disk", Limit::Room),
    ("start_too_many_processes", Limit::Processes),
    ("take_too_much_memory", Limit::Memory),
];

static DISK_IN_MEMORY: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

async fn hostile(pool: &SupervisorPool, ground: &Ground, walls: &Walls, args: &[&str]) -> (Exit, String) {
    let outside = Outside::new(pool, ground).await;
    let found = rustix::fs::statvfs(&ground.workspace).unwrap();
    let room = found.f_bavail * found.f_frsize;
    let fill = (room / 2).min(FILL_BYTES_MAX);
    let mut walls = walls.clone();
    if args.contains(&"fill_the_disk") {
        walls.limits.free_bytes = Some(room - fill / 2);
    }
    let more = [("PATH", "/usr/bin:/bin"), ("FILL", &fill.to_string())];
    let more = more.map(|(name, value)| (name.into(), value.into()));
    let args = ["-c", HOSTILE].iter().chain(args).map(Into::into);
    let request = Request {
        args: args.collect(),
        env: outside.told(ground).into_iter().chain(more).collect(),
        timeout: Some(Duration::from_secs(60)),
        sandbox: walls.into(),
        ..Request::new("/usr/bin/python3", &ground.workspace)
    };
    let output = run(pool, request).await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.ended.exit, text(&output.stdout.captured) + "\n" + &text(&output.stderr.captured))
}

/// Of each attempt, whether it was refused. `user`: whose the grounds are.
pub(crate) async fn attempts(
    pool: &SupervisorPool,
    ground: &Ground,
    walls: &Walls,
    user: Option<u32>,
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
    found.insert("make_a_file_outside".to_owned(), !ground.has_made_outside());
    found.insert("poison_a_cache".to_owned(), !ground.has_a_poisoned_cache());
    for (name, limit) in ALONE.into_iter().filter(|_| with_alone) {
        // Nobody else takes or gives back room of the disk in memory: given up after what lies there is gone.
        let _alone = DISK_IN_MEMORY.lock().await;
        let in_memory = hostile_ground_in(Path::new("/dev/shm"), user);
        let is_of_a_disk = limit == Limit::Room;
        let (ground, walls) = match is_of_a_disk {
            true => (&in_memory, Walls { up: walls.up.clone(), ..around_hostile(&in_memory) }),
            false => (ground, walls.clone()),
        };
        let (exit, text) = hostile(pool, ground, &walls, &[name]).await;
        let is_refused = exit == Exit::Beyond(limit) || text.contains("refused");
        assert!(is_refused || text.contains("got"), "{exit:?} {text}");
        found.insert(name.to_owned(), is_refused);
    }
    found
}

pub(crate) fn hostile_ground() -> Ground {
    hostile_ground_in(&std::env::temp_dir(), None)
}

/// `user`: whose all of it is, if not this one's.
fn hostile_ground_in(folder: &Path, user: Option<u32>) -> Ground {
    let ground = Ground::new_in(folder);
    for folder in ["hidden", "kept"] {
        fs::create_dir(ground.workspace.join(folder)).unwrap();
        fs::write(ground.workspace.join(folder).join("file"), "x").unwrap();
    }
    fs::write(ground.workspace.join("hidden-file"), "x").unwrap();
    for name in BESIDE {
        fs::create_dir_all(ground.beside(name).parent().unwrap()).unwrap();
        fs::write(ground.beside(name), KEPT).unwrap();
    }
    for layer in ["layer/upper", "layer/work"] {
        fs::create_dir_all(ground.beside(layer)).unwrap();
    }
    if let Some(user) = user {
        let root = ground.workspace.parent().unwrap();
        let owned = Command::new("chown").args(["-R", &format!("{user}:{user}")]).arg(root).status();
        assert!(owned.unwrap().success());
    }
    ground
}

impl Ground {
    fn has_made_outside(&self) -> bool {
        let made = self.secret.with_extension("made");
        let has_made = made.exists();
        let _ = fs::remove_file(made);
        has_made
    }

    fn has_a_poisoned_cache(&self) -> bool {
        let kept = self.beside("cache/kept");
        let is_poisoned = fs::read_to_string(&kept).unwrap() != KEPT;
        fs::write(&kept, KEPT).unwrap();
        is_poisoned
    }
}

/// Those that succeeded.
fn got(found: &BTreeMap<String, bool>) -> Vec<&String> {
    found.iter().filter(|(_, refused)| !**refused).map(|(name, _)| name).collect()
}

#[tokio::test]
async fn nothing_that_a_hostile_program_tries_succeeds() {
    let ground = hostile_ground();
    let found = attempts(&pool(2), &ground, &around_hostile(&ground), None).await;
    assert!(got(&found).is_empty(), "{:?}", got(&found));
    assert!(found.len() > 55, "{}", found.len());
}

#[tokio::test]
async fn nor_where_it_was_granted_a_network() {
    let ground = hostile_ground();
    let walls = Walls { listen: vec!["127.0.0.1:61081".parse().unwrap()], ..around_hostile(&ground) };
    let found = attempts(&pool(2), &ground, &walls, None).await;
    assert!(got(&found).is_empty(), "{:?}", got(&found));
}

#[tokio::test]
async fn nor_where_the_host_is_an_ordinary_users() {
    // Without root this user is one already: the test above was it.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let ground = hostile_ground_in(&std::env::temp_dir(), Some(USER));
    let programs = tempfile::tempdir().unwrap();
    fs::set_permissions(programs.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let found =
        attempts(&pool_of(USER, programs.path(), 2), &ground, &around_hostile(&ground), Some(USER)).await;
    assert!(got(&found).is_empty(), "{:?}", got(&found));
}

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/sandbox.md");
const TABLE_HEAD: &str = "| attempt | ";

/// What each wall holds alone is what the page says; `BLESS=1`, as root, writes it.
#[tokio::test]
async fn each_wall_holds_alone_what_the_documentation_says() {
    let (pool, ground) = (pool(2), hostile_ground());
    let walls = around_hostile(&ground);
    let mut columns = Vec::new();
    for wall in Wall::ALL {
        let alone = Walls { up: [wall].into(), ..walls.clone() };
        columns.push(attempts(&pool, &ground, &alone, None).await);
    }
    let none = match std::env::var_os("BLESS") {
        Some(_) => attempts(&pool, &ground, &Walls { up: [].into(), ..walls.clone() }, None).await,
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
