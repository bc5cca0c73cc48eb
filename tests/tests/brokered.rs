//! A broker and its workers, as programs: who works on what, what comes back of those that die, and what is refused.
//!
//! In -> out: tasks of `service-broker`, `orch-host worker` -> results, each judged by what the broker's journal has.
//! Not here: the broker's own rules (its tests), how it describes itself (`described.rs`).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use orch_journal::event::Event;
use orch_tests::random::Random;
use orch_tests::served::{Answer, Served, serve};
use orch_tests::{Workspace, err, out};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// In every test run; `ORCH_BROKERED` asks for more (`cargo xtask campaign brokered`).
const TASKS: u64 = 200;
/// Of so many tasks for one kill: 5,000 tasks have 50 kills or more.
const TASKS_A_KILL: u64 = 20;
const PATIENCE: Duration = Duration::from_secs(120);

/// A host that serves a broker, and what its workers need.
pub(crate) struct Broker {
    pub(crate) workspace: Workspace,
    pub(crate) served: Served,
    pub(crate) token: String,
}

impl Broker {
    pub(crate) fn new() -> Self {
        let workspace = Workspace::new("- {id: t, kind: note}\n");
        let config = workspace.read("config.yaml") + "  services: {/broker: demo/service-broker}\n";
        workspace.write("config.yaml", &config);
        workspace.make_known();
        let token = out(&workspace.host(&["token", "add", "workers", "--scope", "run"], 0)).trim().to_owned();
        let served = serve(&workspace, &[]);
        let broker = Self { workspace, served, token };
        broker.allow("\"sh\"");
        broker
    }

    /// What a worker may run here, from now on.
    fn allow(&self, programs: &str) {
        let path = self.workspace.operator().join("policy.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text.split("[worker.allow]").next().unwrap().to_owned();
        let at = self.served.services;
        let more = format!(
            "[worker.allow]\nprocess = {{ programs = [{programs}], env = [\"PATH\"] }}\n\
             http = [{{ scheme = \"http\", hosts = [\"{at}\"], methods = [\"GET\", \"POST\"], paths = [\"/broker\"] }}]\n"
        );
        std::fs::write(&path, text + &more).unwrap();
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/broker", self.served.services)
    }

    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        self.served.ask(method, &format!("/broker{path}"), Some(&self.token), body)
    }

    fn add(&self, task: Value) -> String {
        let added = self.ask("POST", "/tasks", &task.to_string());
        assert_eq!(added.status, 201, "{added:?}");
        added.json()["id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn task(&self, id: &str) -> Value {
        self.ask("GET", &format!("/tasks/{id}"), "").json()
    }

    #[track_caller]
    fn until_task(&self, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let task = self.task(id);
            if wanted(&task) {
                return task;
            }
            assert!(begun.elapsed() < PATIENCE, "it never came: {task}");
            std::thread::sleep(Duration::from_millis(25));
        }
    }

    #[track_caller]
    pub(crate) fn until_ended(&self, id: &str) -> Value {
        self.until_task(id, |task| !task["result"].is_null())
    }

    /// Leases the task that is first, by hand, as soon as one waits.
    #[track_caller]
    fn lease(&self) -> Value {
        let begun = Instant::now();
        loop {
            let next = self.ask("GET", "/tasks/next?worker=by-hand&lease_seconds=600", "");
            if next.status == 200 {
                return next.json();
            }
            assert!(begun.elapsed() < PATIENCE, "no task waits: {next:?}");
            std::thread::sleep(Duration::from_millis(25));
        }
    }

    fn command(&self, name: &str, args: &[&str]) -> std::process::Command {
        let folder = self.folder(name);
        std::fs::create_dir_all(&folder).unwrap();
        let (url, folder) = (self.url(), folder.display().to_string());
        let all = [&["worker", "--broker", &url, "--name", name], args, &[&folder]].concat();
        let mut command = self.workspace.command(&all);
        command.env("ORCH_BROKER_TOKEN", &self.token);
        command
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.workspace.outside().join(name)
    }

    pub(crate) fn worker(&self, name: &str, args: &[&str]) -> Worker {
        let mut command = self.command(name, args);
        let mut host =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (lines, accepted) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicU64::new(0)));
        let (to, count, from) =
            (lines.clone(), accepted.clone(), BufReader::new(host.stdout.take().unwrap()));
        std::thread::spawn(move || {
            for line in from.lines().map_while(Result::ok) {
                if line.contains("exit ") {
                    count.fetch_add(1, Ordering::Relaxed);
                }
                to.lock().unwrap().push(line);
            }
        });
        Worker { host, lines, accepted }
    }

    /// How often each task ended, by what the journal has.
    pub(crate) fn ends(&self) -> BTreeMap<String, u32> {
        let reader = self.workspace.reader();
        let stream = reader.stream().unwrap().unwrap();
        let mut found = BTreeMap::new();
        for event in reader.events(&stream) {
            let Event::Called(called) = event.unwrap().1 else { continue };
            for (key, value) in called.writes.kv.get("queue").into_iter().flatten() {
                let (Some(id), Some(value)) = (key.strip_prefix("t/"), value) else { continue };
                let task: Value = serde_json::from_slice(&value.0).unwrap();
                if !task["ended"].is_null() {
                    *found.entry(id.to_owned()).or_default() += 1;
                }
            }
        }
        found
    }
}

/// A worker, killed when it is dropped.
pub(crate) struct Worker {
    host: Child,
    lines: Arc<Mutex<Vec<String>>>,
    /// Lines about commands that exited, and whose result the broker has.
    accepted: Arc<AtomicU64>,
}

impl Worker {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.host), signal).unwrap();
    }

    /// Asks it to end; gives how it ended.
    pub(crate) fn end(&mut self) -> i32 {
        self.signal(Signal::TERM);
        self.host.wait().unwrap().code().unwrap_or(-1)
    }

    #[track_caller]
    fn until_said(&self, wanted: &str) -> String {
        let begun = Instant::now();
        loop {
            let found = self.lines.lock().unwrap().iter().find(|line| line.contains(wanted)).cloned();
            if let Some(found) = found {
                return found;
            }
            assert!(begun.elapsed() < PATIENCE, "it was never said: {:?}", self.lines.lock().unwrap());
            std::thread::sleep(Duration::from_millis(25));
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.host.kill();
        let _ = self.host.wait();
    }
}

/// True while a process has that word among its own.
fn runs(word: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let lines = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.into_iter().any(|line| line.split(|byte| *byte == 0).any(|found| found == word.as_bytes()))
}

#[test]
fn two_workers_do_what_a_broker_has_and_output_arrives_whole() {
    let broker = Broker::new();
    let plain: Vec<String> = (0..12)
        .map(|number| broker.add(json!({ "command": format!("echo {number}; echo e >&2") })))
        .collect();
    let failed = broker.add(json!({ "command": "exit 3" }));
    let listed = broker.add(json!({ "command": ["sh", "-c", "printf %s \"$1\"", "sh", "a  b"] }));
    let several = broker.add(json!({ "command": "false\necho not-reached" }));
    // No text, and more than goes with a result.
    let bytes = "i=0; while [ $i -lt 20000 ]; do printf '\\377line %d of many\\n' $i; i=$((i+1)); done";
    let large = broker.add(json!({ "command": bytes }));
    let other = broker.add(json!({ "command": ["python3", "-c", "1"] }));
    let missing = broker.add(json!({ "command": ["/bin/ls"] }));
    let slow = broker.add(json!({ "command": "while :; do :; done", "timeout_seconds": 1 }));
    let mut workers = [broker.worker("w1", &["--jobs", "2"]), broker.worker("w2", &[])];
    for (number, id) in plain.iter().enumerate() {
        let task = broker.until_ended(id);
        assert_eq!((&task["status"], &task["attempts"]), (&json!("done"), &json!(1)), "{task}");
        assert_eq!(broker.ask("GET", &format!("/tasks/{id}/output/stdout"), "").body, format!("{number}\n"));
        assert_eq!(broker.ask("GET", &format!("/tasks/{id}/output/stderr"), "").body, "e\n");
    }
    let found = broker.until_ended(&failed);
    assert_eq!((&found["status"], &found["result"]["exit_code"]), (&json!("failed"), &json!(3)));
    broker.until_ended(&listed);
    assert_eq!(broker.ask("GET", &format!("/tasks/{listed}/output/stdout"), "").body, "a  b");
    let found = broker.until_ended(&several);
    assert_eq!((&found["result"]["exit_code"], &found["stdout_bytes"]), (&json!(1), &json!(0)));
    let found = broker.until_ended(&large);
    let whole: Vec<u8> = (0..20_000)
        .flat_map(|number| [&b"\xffline "[..], number.to_string().as_bytes(), b" of many\n"].concat())
        .collect();
    assert_eq!((&found["status"], &found["stdout_bytes"]), (&json!("done"), &json!(whole.len())));
    let read = broker.ask("GET", &format!("/tasks/{large}/output/stdout"), "").body;
    assert!(read == String::from_utf8_lossy(&whole), "{} of {} bytes", read.len(), whole.len());
    for (id, code) in [(other, "not-allowed"), (missing, "not-allowed"), (slow, "timeout")] {
        let found = broker.until_ended(&id);
        let reason = found["result"]["reason"].as_str().unwrap();
        assert!(found["status"] == "failed" && reason.starts_with(code), "{found}");
    }
    for worker in &mut workers {
        assert_eq!(worker.end(), 0);
    }
    let left = |name: &str| broker.folder(name).join(".orch-worker/tasks").exists();
    assert!(!left("w1") && !left("w2"), "no folder of a task is left");
}

#[test]
fn a_killed_workers_task_comes_back_and_its_late_result_is_refused() {
    let broker = Broker::new();
    let id = broker.add(json!({ "command": "sleep 86321" }));
    let worker = broker.worker("w1", &["--lease", "2"]);
    broker.until_task(&id, |task| task["status"] == "in_progress");
    let begun = Instant::now();
    while !runs("86321") {
        assert!(begun.elapsed() < PATIENCE, "the command never began");
    }
    worker.signal(Signal::KILL);
    let again = broker.lease();
    assert_eq!((&again["id"], &again["attempts"]), (&json!(id), &json!(2)));
    let begun = Instant::now();
    while runs("86321") {
        assert!(begun.elapsed() < PATIENCE, "the command of a killed worker is left");
    }
    let fence = again["fence"].as_u64().unwrap();
    let say = |fence: u64| {
        broker.ask(
            "POST",
            &format!("/tasks/{id}/result"),
            &json!({ "fence": fence, "exit_code": 0 }).to_string(),
        )
    };
    let late = say(fence - 1);
    assert_eq!((late.status, late.code().as_str()), (409, "lease-lost"));
    assert_eq!(say(fence).status, 200);
    assert_eq!(say(fence).code(), "result-accepted");
    assert_eq!(broker.ends(), BTreeMap::from([(id, 1)]));
}

#[test]
fn a_worker_that_lost_its_lease_ends_the_command_and_says_nothing() {
    let broker = Broker::new();
    let id = broker.add(json!({ "command": "sleep 86322" }));
    let mut worker = broker.worker("w1", &["--lease", "1"]);
    broker.until_task(&id, |task| task["status"] == "in_progress");
    worker.signal(Signal::STOP);
    let again = broker.lease();
    assert_eq!(again["id"], json!(id));
    worker.signal(Signal::CONT);
    let said = worker.until_said("lost: ");
    assert!(said.starts_with(&format!("{id} (fence 1): lost: ")), "{said}");
    assert!(!runs("86322"), "its command is left");
    assert_eq!(broker.task(&id)["lease"]["worker"], "by-hand", "the other lease counts");
    assert_eq!(worker.end(), 0);
    assert_eq!(broker.ends(), BTreeMap::new());
}

#[test]
fn a_brokers_commands_see_their_own_folder_and_reach_nothing() {
    let broker = Broker::new();
    let policy = broker.workspace.operator().join("policy.toml");
    let text = std::fs::read_to_string(&policy).unwrap();
    assert!(text.contains("[sandbox]\nmode = \"off\"\n"), "{text}");
    std::fs::write(&policy, text.replace("[sandbox]\nmode = \"off\"\n", "[sandbox]\n")).unwrap();
    let left = broker.add(json!({ "command": "echo mine > ../mine; echo mine > mine; ls ..; env" }));
    let looks = "ls ..; test ! -e mine && test ! -e ../../lock && test ! -e /etc/shadow && test $(wc -l < /proc/net/dev) = 3";
    let (first, second) = (broker.add(json!({ "command": looks })), broker.add(json!({ "command": looks })));
    let mut worker = broker.worker("w1", &["--jobs", "2"]);
    for id in [&left, &first, &second] {
        let task = broker.until_ended(id);
        let [stdout, stderr] = ["stdout", "stderr"]
            .map(|name| broker.ask("GET", &format!("/tasks/{id}/output/{name}"), "").body);
        assert_eq!(task["status"], "done", "{task}\n{stdout}\n{stderr}");
        assert!(!stdout.contains(&broker.token) && !stdout.contains("ORCH_BROKER_TOKEN"), "{stdout}");
    }
    assert_eq!(worker.end(), 0);
}

#[test]
fn a_lease_is_renewed_as_long_as_its_command_runs() {
    let broker = Broker::new();
    let id = broker.add(json!({ "command": "sleep 4; echo done" }));
    let mut worker = broker.worker("w1", &["--lease", "1"]);
    let task = broker.until_ended(&id);
    assert_eq!((&task["status"], &task["attempts"]), (&json!("done"), &json!(1)), "{task}");
    assert_eq!(worker.end(), 0);
}

#[test]
fn a_worker_that_is_asked_to_end_ends_what_runs_first_or_cuts_it_after_its_grace() {
    let broker = Broker::new();
    let flag = broker.workspace.outside().join("go");
    let wait = format!("while ! test -e {}; do sleep 0.05; done; echo whole", flag.display());
    let (id, next) = (broker.add(json!({ "command": wait })), broker.add(json!({ "command": "echo next" })));
    let mut worker = broker.worker("w1", &[]);
    broker.until_task(&id, |task| task["status"] == "in_progress");
    worker.signal(Signal::TERM);
    std::fs::write(&flag, "").unwrap();
    assert_eq!(worker.host.wait().unwrap().code(), Some(0));
    assert_eq!(broker.task(&id)["status"], "done");
    assert_eq!(broker.task(&next)["status"], "pending", "nothing more is begun");

    broker.ask("DELETE", &format!("/tasks/{next}"), "");
    let id = broker.add(json!({ "command": "sleep 86323" }));
    let mut worker = broker.worker("w1", &["--grace", "0"]);
    broker.until_task(&id, |task| task["status"] == "in_progress");
    assert_eq!(worker.end(), 130);
    assert!(!runs("86323"), "its command is left");
    worker.until_said("cut: given back");
    let task = broker.task(&id);
    assert_eq!((&task["status"], &task["attempts"]), (&json!("pending"), &json!(0)), "{task}");
}

#[test]
fn a_host_is_no_worker_unless_its_policy_says_so() {
    let broker = Broker::new();
    let refused = |command: &mut std::process::Command, exit: i32, code: &str| {
        let output = command.output().unwrap();
        let said = err(&output);
        assert_eq!(output.status.code(), Some(exit), "{said}");
        assert!(said.contains(&format!("code: {code}\n")), "{said}");
        assert!(!said.contains(&broker.token), "the token is shown");
    };
    refused(broker.command("w1", &[]).env("ORCH_BROKER_TOKEN", "no-token-that-counts"), 5, "broker-refused");
    let mut other = broker.workspace.command(&["worker", "--broker", "http://127.0.0.1:9/broker"]);
    refused(&mut other, 2, "worker-not-allowed");
    let mut elsewhere = broker.workspace.command(&["worker", "--broker", &format!("{}/../v1", broker.url())]);
    refused(&mut elsewhere, 2, "broker-address");
    refused(&mut broker.workspace.command(&["worker", "--broker", "broker"]), 2, "broker-address");
    let named = ["worker", "--broker", &broker.url(), "--name", "a/b"];
    refused(&mut broker.workspace.command(&named), 2, "worker-name");
    let file = broker.workspace.outside().join("token");
    std::fs::write(&file, &broker.token).unwrap();
    refused(&mut broker.command("w1", &["--token-file", file.to_str().unwrap()]), 2, "broker-token");
    // Two in one folder.
    let _first = broker.worker("w2", &[]);
    _first.until_said("worker w2");
    refused(&mut broker.command("w2", &[]), 7, "worker-held");
    let policy = broker.workspace.operator().join("policy.toml");
    let text = std::fs::read_to_string(&policy).unwrap();
    std::fs::write(&policy, text.split("[worker.allow]").next().unwrap()).unwrap();
    refused(&mut broker.command("w1", &[]), 2, "worker-not-allowed");
}

#[test]
fn each_task_has_one_accepted_result_whoever_is_killed() {
    let tasks: u64 = std::env::var("ORCH_BROKERED").map_or(TASKS, |text| text.parse().unwrap());
    let broker = Broker::new();
    let begun = Instant::now();
    let ids: Vec<String> =
        (0..tasks).map(|number| broker.add(json!({ "command": format!("echo task-{number}") }))).collect();
    let added = begun.elapsed();
    let args = ["--jobs", "4", "--lease", "2"];
    let mut workers = ["w0", "w1"].map(|name| broker.worker(name, &args));
    let (mut random, mut kills, mut before) = (Random(0x0b20_cecd), 0, 0);
    let begun = Instant::now();
    // Lines of workers say when it is time, so that every kill comes in the midst of work.
    while kills < tasks / TASKS_A_KILL {
        let accepted =
            before + workers.iter().map(|worker| worker.accepted.load(Ordering::Relaxed)).sum::<u64>();
        if accepted < kills * TASKS_A_KILL * 9 / 10 + 1 + random.below(10) {
            assert!(
                begun.elapsed() < PATIENCE * u32::try_from(1 + tasks / TASKS).unwrap(),
                "{accepted} accepted"
            );
            std::thread::sleep(Duration::from_millis(5));
            continue;
        }
        let victim = usize::try_from(random.below(2)).unwrap();
        workers[victim].signal(Signal::KILL);
        workers[victim].host.wait().unwrap();
        before += workers[victim].accepted.load(Ordering::Relaxed);
        workers[victim] = broker.worker(&format!("w{victim}"), &args);
        kills += 1;
    }
    let (mut attempts, mut attempts_most) = (0, 0);
    for (number, id) in ids.iter().enumerate() {
        let task = broker.until_ended(id);
        assert_eq!((&task["status"], &task["result"]["exit_code"]), (&json!("done"), &json!(0)), "{task}");
        let output = broker.ask("GET", &format!("/tasks/{id}/output/stdout"), "").body;
        assert_eq!(output, format!("task-{number}\n"), "of one attempt, and whole");
        let tried = task["attempts"].as_u64().unwrap();
        attempts += tried;
        attempts_most = tried.max(attempts_most);
    }
    let took = begun.elapsed();
    for worker in &mut workers {
        assert_eq!(worker.end(), 0);
    }
    let ends = broker.ends();
    assert_eq!(ends.len(), ids.len());
    assert!(ends.values().all(|ends| *ends == 1), "{ends:?}");
    assert!(attempts >= tasks);
    println!(
        "{tasks} tasks added in {added:.1?}; {kills} workers killed; all ended in {took:.1?}; {attempts} leases, at most \
         {attempts_most} of one task; each has one accepted result"
    );
}
