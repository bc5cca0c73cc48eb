//! A host that serves and lacks what it needs for a while, or is asked by those who do not take their answers: nobody is told
//! less than is true, no plugin is lost by it, and what was answered is kept.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use orch_tests::served::{Answer, Served, answer, serve, serve_as};
use orch_tests::{Workspace, err, out, until};

/// With services, a token for all, and the folder of the packages.
fn workspace(tasks: &str) -> (Workspace, String, String) {
    let workspace = Workspace::new(tasks);
    let root = workspace.admit_hostile("counts-requests").to_str().unwrap().to_owned();
    let services = "  services: {/status: demo/service-status, /count: demo/counts-requests}\n";
    workspace.write("config.yaml", &(workspace.read("config.yaml") + services));
    workspace.make_known();
    let token = workspace.host(&["token", "add", "all", "--scope", "run,read"], 0);
    (workspace, root, out(&token).trim().to_owned())
}

/// A connection that is kept.
struct Kept {
    stream: BufReader<TcpStream>,
    token: String,
}

impl Kept {
    fn to(served: &Served, token: &str) -> Self {
        let stream = TcpStream::connect(served.services).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Self { stream: BufReader::new(stream), token: token.to_owned() }
    }

    fn head(&self, what: &str, length: usize) -> String {
        let token = &self.token;
        format!(
            "{what} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Length: {length}\r\n\r\n"
        )
    }

    fn send(&mut self, text: &str) {
        self.stream.get_mut().write_all(text.as_bytes()).unwrap();
    }

    fn read(&mut self) -> Answer {
        let mut text = String::new();
        while !text.ends_with("\r\n\r\n") {
            assert!(self.stream.read_line(&mut text).unwrap() > 0, "the answer ends: {text}");
        }
        let length = answer(&text)
            .head
            .lines()
            .find_map(|line| Some(line.strip_prefix("content-length: ")?.parse().unwrap()));
        let mut body = vec![0; length.unwrap()];
        self.stream.read_exact(&mut body).unwrap();
        answer(&(text + &String::from_utf8(body).unwrap()))
    }

    fn ask(&mut self, what: &str) -> Answer {
        let head = self.head(what, 0);
        self.send(&head);
        self.read()
    }
}

/// A write that is too far behind fails, as one without room does, and ends nobody.
fn survives_a_full_disk() -> std::io::Result<()> {
    // SAFETY: sets how one signal is taken, in a process that has nothing else to do yet.
    match unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) } {
        libc::SIG_ERR => Err(std::io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Another limit for a host at work; it may be lifted again.
fn limit(served: &Served, which: libc::__rlimit_resource_t, most: libc::rlim_t) {
    limit_of(served.host.id(), which, most);
}

fn limit_of(pid: u32, which: libc::__rlimit_resource_t, most: libc::rlim_t) {
    let pid = pid as libc::pid_t;
    // SAFETY: both are written and read by the kernel within their size.
    unsafe {
        let mut now: libc::rlimit = std::mem::zeroed();
        assert_eq!(libc::prlimit(pid, which, std::ptr::null(), &raw mut now), 0);
        now.rlim_cur = most.min(now.rlim_max);
        assert_eq!(libc::prlimit(pid, which, &raw const now, std::ptr::null_mut()), 0);
    }
}

/// Both tasks, or an error; never less.
fn is_true(status: &Answer) -> bool {
    match status.status {
        200 => status.json()["total"] == 2,
        500.. => !status.code().is_empty(),
        _ => false,
    }
}

#[test]
fn want_of_descriptors_is_no_empty_answer_and_withdraws_nobody() {
    let (workspace, root, token) = workspace("- {id: t, kind: note}\n- {id: u, kind: note}\n");
    workspace.run(&["--plugins", &root], 0);
    let served = serve(&workspace, &["--plugins", &root]);
    let mut kept = Kept::to(&served, &token);
    assert_eq!(kept.ask("GET /v1/runs").status, 200);
    limit(&served, libc::RLIMIT_NOFILE, 3);
    // What a service's first call needs cannot be opened: it fails at once, and waits for nothing.
    let begun = Instant::now();
    let status = kept.ask("GET /status");
    assert_eq!(
        (status.status, status.code().as_str()),
        (500, "host-failed"),
        "no fault of the service: {status:?}"
    );
    assert!(begun.elapsed() < Duration::from_secs(5));
    limit(&served, libc::RLIMIT_NOFILE, 1024);
    assert_eq!(kept.ask("GET /status").json()["total"], 2);
    assert_eq!(kept.ask("POST /count/count").body, "1");
    limit(&served, libc::RLIMIT_NOFILE, 3);
    let (begun, mut counted) = (Instant::now(), 1);
    // Longer than a folder of the operator may be unreadable.
    while begun.elapsed() < Duration::from_secs(5) {
        let status = kept.ask("GET /status");
        assert!(is_true(&status), "{status:?}");
        let count = kept.ask("POST /count/count");
        match count.status {
            200 => counted += 1,
            500.. => {}
            _ => panic!("{count:?}"),
        }
        let runs = kept.ask("GET /v1/runs");
        assert!(runs.status >= 500 && !runs.code().is_empty(), "the store cannot be opened: {runs:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
    limit(&served, libc::RLIMIT_NOFILE, 1024);
    let status = kept.ask("GET /status");
    assert_eq!((status.status, &status.json()["total"]), (200, &2.into()), "{status:?}");
    assert_eq!(kept.ask("GET /count/count").body, counted.to_string());
    assert_eq!(kept.ask("GET /v1/runs").json()["runs"].as_array().unwrap().len(), 1);
    assert_eq!(served.get("/status", None).status, 200, "others connect again");
}

#[test]
fn on_a_full_disk_nothing_is_answered_that_is_not_kept() {
    let (workspace, root, token) = workspace("- {id: t, kind: note}\n- {id: u, kind: note}\n");
    workspace.run(&["--plugins", &root], 0);
    let mut command = workspace.command(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--operators",
        "127.0.0.1:0",
        "--plugins",
        &root,
    ]);
    // SAFETY: one system call, which allocates nothing.
    unsafe { command.pre_exec(survives_a_full_disk) };
    let served = serve_as(command);
    let mut kept = Kept::to(&served, &token);
    assert_eq!(kept.ask("POST /count/count").body, "1");
    limit(&served, libc::RLIMIT_FSIZE, 0);
    for _ in 0..3 {
        let count = kept.ask("POST /count/count");
        assert_eq!((count.status, count.code().as_str()), (507, "not-kept"), "{count:?}");
        // What it would show could still be lost.
        let count = kept.ask("GET /count/count");
        assert!(count.status == 507 || count.body == "1", "{count:?}");
        let status = kept.ask("GET /status");
        assert!(is_true(&status), "{status:?}");
    }
    let health = served.operators("/health");
    assert_eq!((health.status, health.code().as_str()), (503, "store"), "{health:?}");
    drop(served);
    let served = serve(&workspace, &["--plugins", &root]);
    assert_eq!(served.get("/count/count", Some(&token)).body, "1");
    assert_eq!(served.ask("POST", "/count/count", Some(&token), "").body, "2");
}

#[test]
fn a_word_of_which_nobody_knows_whether_it_is_kept_is_said_so() {
    let workspace = Workspace::new(
        "- {id: t, command: 'touch begun; until test -e go; do sleep 0.05; done'}\n- {id: u, kind: note, dependencies: [t]}\n",
    );
    workspace.make_known();
    let mut host = workspace.command(&["run"]);
    // SAFETY: one system call, which allocates nothing.
    unsafe { host.pre_exec(survives_a_full_disk) };
    let mut host = host.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until(|| workspace.path().join("begun").exists());
    limit_of(host.id(), libc::RLIMIT_FSIZE, 0);
    let said = workspace.host(&["task", "skip", "u"], 5);
    assert!(err(&said).contains("code: act-unsure"), "{}", err(&said));
    workspace.write("go", "");
    assert_eq!(host.wait().unwrap().code(), Some(5), "the run ends with the fault of its store");
    workspace.run(&[], 6);
    assert_eq!(workspace.statuses()["u"], "pending", "it was not kept");
}

#[test]
fn a_service_that_wants_more_memory_than_it_may_have_fails_alone() {
    let (workspace, root, token) = workspace("- {id: t, kind: note}\n- {id: u, kind: note}\n");
    workspace.run(&["--plugins", &root], 0);
    let served = serve(&workspace, &["--plugins", &root]);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..8 {
                    let hoard = served.get("/count/hoard", Some(&token));
                    assert_eq!((hoard.status, hoard.code().as_str()), (502, "service-failed"), "{hoard:?}");
                }
            });
        }
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(1) {
            let status = served.get("/status", None);
            assert!(is_true(&status), "{status:?}");
        }
    });
    assert_eq!(served.ask("POST", "/count/count", Some(&token), "").body, "1");
    assert_eq!(served.get("/status", None).json()["total"], 2);
}

#[test]
fn who_listens_to_events_and_never_reads_holds_up_neither_the_run_nor_others() {
    let tasks: String = (0..1500).map(|task| format!("- {{id: t{task}, kind: note}}\n")).collect();
    let (workspace, root, token) = workspace(&tasks);
    let mut served = serve(&workspace, &["--plugins", &root]);
    let run = served.ask("POST", "/v1/runs", Some(&token), "").json()["run"].as_str().unwrap().to_owned();
    let never: Vec<Kept> = (0..40)
        .map(|_| {
            let mut kept = Kept::to(&served, &token);
            let head = kept.head(&format!("GET /v1/runs/{run}/events"), 0);
            kept.send(&head);
            kept
        })
        .collect();
    until(|| served.get(&format!("/v1/runs/{run}"), Some(&token)).json()["status"] == "completed");
    assert_eq!(served.get("/status", None).json()["total"], 1500);
    // Nor does it keep the host.
    let begun = Instant::now();
    assert_eq!(served.signal(rustix::process::Signal::TERM), 0);
    assert!(begun.elapsed() < Duration::from_secs(20));
    drop(never);
}

#[test]
fn a_host_that_is_asked_to_end_answers_what_is_under_way_and_no_longer() {
    let (workspace, root, token) = workspace("- {id: t, kind: note}\n- {id: u, kind: note}\n");
    let mut served = serve(&workspace, &["--plugins", &root]);
    let mut under_way: Vec<Kept> = (0..17)
        .map(|_| {
            let mut kept = Kept::to(&served, &token);
            let head = kept.head("POST /count/count", 4);
            kept.send(&(head + "bo"));
            kept
        })
        .collect();
    // One of them never says the rest.
    let never = under_way.pop().unwrap();
    let idle = Kept::to(&served, &token);
    until(|| served.operators("/metrics").body.contains("\norch_connections 19\n"));
    let begun = Instant::now();
    let ending = std::thread::spawn(move || served.signal(rustix::process::Signal::TERM));
    std::thread::sleep(Duration::from_millis(300));
    let mut counts: Vec<u64> = under_way
        .iter_mut()
        .map(|kept| {
            kept.send("dy");
            let counted = kept.read();
            assert_eq!(counted.status, 200, "{counted:?}");
            counted.body.parse().unwrap()
        })
        .collect();
    counts.sort_unstable();
    assert_eq!(counts, (1..=16).collect::<Vec<_>>());
    assert_eq!(ending.join().unwrap(), 0);
    assert!(begun.elapsed() < Duration::from_secs(20), "who never ends keeps it for a while only");
    drop((never, idle));
    let served = serve(&workspace, &["--plugins", &root]);
    assert_eq!(served.get("/count/count", Some(&token)).body, "16");
}
