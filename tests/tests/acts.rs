//! People's words from many programs at once, about a run whose host is killed and started again: each word that was taken
//! is in the journal once, with who said it; none that was refused is; of the run nothing is lost and nothing repeated.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::collections::BTreeMap;
use std::fs::File;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, RwLock};
use std::time::{Duration, Instant};

use orch_journal::Event;
use orch_journal::event::Who;
use orch_tests::checker::{self, Fault, Tasks};
use orch_tests::random::Random;
use orch_tests::{Workspace, binary, err, out};

const CLIENTS: u64 = 8;

/// How much of it; `ORCH_ACTS` is the seed of the whole (`cargo xtask campaign acts`).
struct Size {
    seed: u64,
    tasks: u64,
    acts: u64,
    kills: u64,
}

/// Of twenty tasks one fails, one asks for approval, one names a verifier that cannot look, and one each
/// depends on those; of the others each depends on the one twenty before.
fn workspace(size: &Size) -> (Workspace, String) {
    let workspace = Workspace::new("");
    let outside = workspace.outside().join("done");
    let outside = outside.to_str().unwrap();
    let mut tasks = String::new();
    for place in 0..size.tasks {
        let id = id(place);
        let (exit, verify) = match place % 20 {
            0 => (3, ""),
            3 => (0, ", verify: [demo/verifier-command]"),
            _ => (0, ""),
        };
        let after = after(place).map(self::id).unwrap_or_default();
        let idempotent = place % 2 == 0;
        tasks.push_str(&format!(
            "- {{id: {id}, command: [sh, append.sh, '{outside}', {id}, '{exit}'], idempotent: {idempotent}, retries: 99, dependencies: [{after}]{verify}}}\n"
        ));
    }
    let root = workspace.admit_hostile("judges-by-id").to_str().unwrap().to_owned();
    let config = workspace.read("config.yaml");
    workspace.write(
        "config.yaml",
        &format!(
            "{config}  guards: {{shell: demo/judges-by-id}}\n  verifiers: [demo/verifier-command]\nsettings:\n  demo/verifier-command: {{checks: [{{name: look, category: test, command: [no-such-program]}}]}}\n"
        ),
    );
    workspace.write("append.sh", checker::APPEND);
    workspace.write("tasks.yml", &tasks);
    workspace.make_known();
    (workspace, root)
}

fn id(place: u64) -> String {
    match place % 20 {
        0 => format!("fails-{place}"),
        2 => format!("escalate-{place}"),
        3 => format!("looked-{place}"),
        _ => format!("t{place}"),
    }
}

fn after(place: u64) -> Option<u64> {
    match place % 20 {
        1 | 4 => Some(place - 1),
        5 => Some(place - 3),
        0 | 2 | 3 => None,
        _ => place.checked_sub(20),
    }
}

/// A word, and what became of it.
#[derive(Debug)]
struct Act {
    pid: u32,
    args: Vec<String>,
    exit: i32,
    by_holder: bool,
    said: String,
}

impl Act {
    /// The events that it is, if it was taken: name, task.
    fn events(&self) -> Vec<(&'static str, Option<String>)> {
        let word = format!("{} {}", self.args[0], self.args[1]);
        let about = |place: usize| Some(self.args[place].clone());
        match word.as_str() {
            "runs stop" => vec![("stop_asked", None)],
            "task waive" => vec![("looks_waived", about(2))],
            "approvals approve" => vec![("task_approved", about(2)), ("task_moved", about(2))],
            _ => vec![("task_moved", about(2))],
        }
    }
}

/// Nobody waits for a campaign that is over, however it ended.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Where all that happens meets.
struct Campaign<'a> {
    workspace: &'a Workspace,
    size: &'a Size,
    /// Held by who says a word; taken whole to look at what a kill left.
    quiet: RwLock<()>,
    /// A host ended by itself, or has nothing to do: there is no more progress to wait for.
    stands: AtomicBool,
    /// A host is at work.
    works: AtomicBool,
    acts: Mutex<Vec<Act>>,
}

impl Campaign<'_> {
    /// How often something happened outside.
    fn happened(&self) -> u64 {
        let done = std::fs::read_to_string(self.workspace.outside().join("done")).unwrap_or_default();
        done.lines().count() as u64
    }

    fn until_happened(&self, so_often: u64) {
        while self.happened() < so_often && !self.stands.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for a host, for a while.
    fn until_somebody_works(&self) {
        let begun = Instant::now();
        while !self.works.load(Ordering::Relaxed) && begun.elapsed() < Duration::from_secs(2) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// One client: its share of the acts, each at a moment of its own.
    fn client(&self, number: u64) {
        let mut random = Random(self.size.seed.wrapping_mul(CLIENTS + 1) + number + 1);
        let share = (number..self.size.acts).step_by(CLIENTS as usize).count();
        let mut moments: Vec<u64> = (0..share).map(|_| 1 + random.below(self.size.tasks / 2)).collect();
        moments.sort_unstable();
        for moment in moments {
            self.until_happened(moment);
            if random.below(8) > 0 {
                self.until_somebody_works();
            }
            let _loud = self.quiet.read().unwrap();
            let Some(args) = self.choose(&mut random) else { panic!("nothing can be said") };
            let mut word = self.workspace.command(&args.iter().map(String::as_str).collect::<Vec<_>>());
            let word = word.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
            let word = word.unwrap();
            let pid = word.id();
            let output = word.wait_with_output().unwrap();
            let said = format!("{}{}", out(&output), err(&output));
            let by_holder = said.contains("the host at work ");
            let exit = output.status.code().unwrap();
            self.acts.lock().unwrap().push(Act { pid, args, exit, by_holder, said });
        }
    }

    /// A word, mostly about a task of which it can be said.
    fn choose(&self, random: &mut Random) -> Option<Vec<String>> {
        let reader = self.workspace.reader();
        let run = reader.runs().unwrap().first()?.id.clone();
        let tasks: Vec<(String, String)> =
            reader.tasks(&run).unwrap().into_iter().map(|task| (task.id, task.status)).collect();
        let any = random.below(4) == 0;
        for tries in 0..9 {
            let (word, fits): (&[&str; 2], &[&str]) = match random.below(16) {
                0 => return Some(vec!["runs".to_owned(), "stop".to_owned()]),
                1..=2 => (&["task", "skip"], &["pending", "failed", "blocked"]),
                3..=4 => (&["task", "cancel"], &["pending", "blocked"]),
                5..=7 => (&["task", "retry"], &["failed", "cancelled", "blocked"]),
                8..=9 => (&["task", "waive"], &["done"]),
                10..=11 => (&["approvals", "approve"], &["waiting_approval"]),
                12 => (&["approvals", "deny"], &["waiting_approval"]),
                13 => (&["resolve", "done"], &["in_doubt"]),
                14 => (&["resolve", "failed"], &["in_doubt"]),
                _ => (&["resolve", "retry"], &["in_doubt"]),
            };
            let is_fit = |(id, status): &&(String, String)| {
                any || tries == 8
                    || fits.contains(&status.as_str()) && (word[1] != "waive" || id.starts_with("looked"))
            };
            let fit: Vec<&(String, String)> = tasks.iter().filter(is_fit).collect();
            if fit.is_empty() {
                continue;
            }
            let task = fit[random.below(fit.len() as u64) as usize].0.clone();
            let mut args: Vec<String> = match word[0] {
                "resolve" => vec!["resolve".to_owned(), run, task, "--as".to_owned(), word[1].to_owned()],
                _ => vec![word[0].to_owned(), word[1].to_owned(), task],
            };
            if word[1] == "waive" {
                args.extend(["--reason".to_owned(), "nobody has to look".to_owned()]);
            }
            return Some(args);
        }
        None
    }

    /// A host, with what it says in that file; true if it serves.
    fn begin(&self, random: &mut Random, root: &str, said: &File) -> (Child, bool) {
        let serves = random.below(2) == 0;
        let mut host = match serves {
            true => self.workspace.command(&[
                "serve",
                "--run",
                "--listen",
                "127.0.0.1:0",
                "--operators",
                "127.0.0.1:0",
                "--plugins",
                root,
            ]),
            false => {
                let jobs = (1 + random.below(4)).to_string();
                let level = ["process", "power"][random.below(2) as usize];
                self.workspace.command(&[
                    "run",
                    "--format",
                    "json",
                    "--jobs",
                    &jobs,
                    "--durability",
                    level,
                    "--plugins",
                    root,
                ])
            }
        };
        let errors = self.workspace.outside().join("errors");
        let errors = File::options().append(true).create(true).open(errors).unwrap();
        let host = host.stdin(Stdio::null()).stdout(said.try_clone().unwrap()).stderr(errors);
        (host.spawn().unwrap(), serves)
    }

    /// Hosts, killed and begun again, until all is over; gives how many there were.
    fn hosts(&self, root: &str, faults: &mut Vec<Fault>, is_over: impl Fn() -> bool) -> u64 {
        let _over = Over(&self.stands);
        let mut random = Random(self.size.seed);
        let (mut kills, mut hosts) = (0, 0);
        loop {
            let said = self.workspace.outside().join(format!("said-{hosts}"));
            let (mut host, serves) = self.begin(&mut random, root, &File::create(&said).unwrap());
            hosts += 1;
            let share = self.size.tasks / 2 / (self.size.kills + 1);
            let moment = share * (kills + 1) + random.below(share.max(1));
            let pause = Duration::from_millis(random.below(60));
            let mut moved = (Instant::now(), self.happened());
            loop {
                std::thread::sleep(Duration::from_millis(10));
                let happened = self.happened();
                if happened != moved.1 {
                    moved = (Instant::now(), happened);
                    self.works.store(true, Ordering::Relaxed);
                }
                let stands = self.stands.load(Ordering::Relaxed);
                if kills < self.size.kills && (happened >= moment || stands) {
                    std::thread::sleep(pause);
                    host.kill().unwrap();
                    host.wait().unwrap();
                    kills += 1;
                    // Whoever is speaking has spoken by then.
                    let _quiet = self.quiet.write().unwrap();
                    let said = if serves { String::new() } else { std::fs::read_to_string(&said).unwrap() };
                    faults.extend(checker::after_a_kill(self.workspace, &said));
                    break;
                }
                if let Some(status) = host.try_wait().unwrap() {
                    let errors = || std::fs::read_to_string(self.workspace.outside().join("errors"));
                    let code = status.code();
                    assert!(matches!(code, Some(0 | 1 | 6 | 7 | 130)), "{status:?} {:?}", errors());
                    // Stopped, or somebody held the store for a moment.
                    if !matches!(code, Some(7 | 130)) {
                        self.stands.store(true, Ordering::Relaxed);
                    }
                    break;
                }
                if serves && moved.0.elapsed() > Duration::from_secs(1) {
                    // Stopped, or there is nothing that could go on.
                    let begun = self.workspace.command(&["runs", "start"]).output().unwrap();
                    assert!(matches!(begun.status.code(), Some(0 | 2 | 5 | 7)), "{begun:?}");
                    let patience = if self.works.load(Ordering::Relaxed) { 3 } else { 10 };
                    if moved.0.elapsed() > Duration::from_secs(patience) {
                        self.stands.store(true, Ordering::Relaxed);
                        let pid = rustix::process::Pid::from_child(&host);
                        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
                        assert_eq!(host.wait().unwrap().code(), Some(0));
                        break;
                    }
                }
            }
            self.works.store(false, Ordering::Relaxed);
            if kills == self.size.kills && is_over() {
                return hosts;
            }
        }
    }
}

/// Events that name a person: name, task, who.
fn said(workspace: &Workspace) -> Vec<(&'static str, Option<String>, Who)> {
    let reader = workspace.reader();
    let mut found = Vec::new();
    for run in reader.runs().unwrap() {
        let names: Vec<String> = reader.tasks(&run.id).unwrap().into_iter().map(|task| task.id).collect();
        for event in reader.events(&run.id) {
            let (_, event) = event.unwrap();
            let name = event.name();
            let (task, who) = match event {
                Event::TaskMoved { task, who: Some(who), .. } => (Some(task), who),
                Event::TaskApproved { task, who, .. } => (Some(task), who.unwrap()),
                Event::LooksWaived { task, who, .. } => (task, who),
                Event::StopAsked { who, .. } => (None, who),
                _ => continue,
            };
            found.push((name, task.map(|task| names[task as usize].clone()), who));
        }
    }
    found
}

/// What does not hold of the acts.
fn judge(workspace: &Workspace, acts: &[Act]) -> Vec<String> {
    let (uid, program) = (rustix::process::getuid().as_raw(), binary("orch-host").canonicalize().unwrap());
    let mut found: BTreeMap<u32, Vec<(&'static str, Option<String>)>> = BTreeMap::new();
    let mut faults = Vec::new();
    for (name, task, who) in said(workspace) {
        if who.uid != uid || who.program != program.display().to_string() || who.token.is_some() {
            faults.push(format!("{name} of {task:?} names {who:?}"));
        }
        found.entry(who.pid).or_default().push((name, task));
    }
    for act in acts {
        let events = found.remove(&act.pid).unwrap_or_default();
        let is_right = match act.exit {
            0 => events == act.events(),
            2 | 7 => events.is_empty(),
            // Who was asked was killed: whether it took it nobody knows.
            5 => events.is_empty() || events == act.events(),
            _ => false,
        };
        if !is_right {
            faults.push(format!("{events:?} are of {act:?}: {}", act.said));
        }
    }
    faults.extend(found.into_iter().map(|(pid, events)| format!("{events:?} are of nobody, {pid}")));
    faults
}

#[test]
fn words_of_many_at_once_are_each_taken_once_or_not_at_all_whatever_is_killed() {
    let size = match std::env::var("ORCH_ACTS") {
        Ok(seed) => Size { seed: seed.parse().unwrap(), tasks: 2000, acts: 100, kills: 5 },
        Err(_) => Size { seed: 0x5eed_0006, tasks: 150, acts: 24, kills: 2 },
    };
    let begun = Instant::now();
    let (workspace, root) = workspace(&size);
    let campaign = Campaign {
        workspace: &workspace,
        size: &size,
        quiet: RwLock::new(()),
        stands: AtomicBool::new(false),
        works: AtomicBool::new(false),
        acts: Mutex::default(),
    };
    let mut faults = Vec::new();
    let hosts = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                scope.spawn({
                    let campaign = &campaign;
                    move || campaign.client(number)
                })
            })
            .collect();
        campaign.hosts(&root, &mut faults, || clients.iter().all(|client| client.is_finished()))
    });
    // To its end.
    let end = workspace.command(&["run", "--plugins", &root]).output().unwrap();
    assert!(matches!(end.status.code(), Some(0 | 1 | 6)), "{end:?}");
    faults.extend(checker::at_the_end(&workspace, Tasks::Told));
    // What nothing holds up is over.
    let statuses = workspace.statuses();
    for place in 0..size.tasks {
        let (id, after) = (id(place), after(place).map(id));
        if statuses[&id] == "pending"
            && after.is_none_or(|after| statuses[&after] == "done" && !after.starts_with("looked"))
        {
            faults.push(Fault::Lost(format!("`{id}` never began")));
        }
    }
    workspace.host(&["audit", "verify"], 0);
    workspace.host(&["db", "check"], 0);
    let acts = campaign.acts.into_inner().unwrap();
    let of_acts = judge(&workspace, &acts);
    let mut words: BTreeMap<(String, i32), u64> = BTreeMap::new();
    for act in &acts {
        *words
            .entry((
                format!("{} {}", act.args[0], act.args.last().unwrap().split('-').next().unwrap()),
                act.exit,
            ))
            .or_default() += 1;
    }
    println!(
        "seed {:#x}: {} tasks, {} acts ({} taken by the host at work, {} by the command, {} refused, {} cut off), {} kills, {hosts} hosts, {} s; \
         {} faults of the run, {} of acts; {words:?}",
        size.seed,
        size.tasks,
        acts.len(),
        acts.iter().filter(|act| act.exit == 0 && act.by_holder).count(),
        acts.iter().filter(|act| act.exit == 0 && !act.by_holder).count(),
        acts.iter().filter(|act| act.exit == 2 || act.exit == 7).count(),
        acts.iter().filter(|act| act.exit == 5).count(),
        size.kills,
        begun.elapsed().as_secs(),
        faults.len(),
        of_acts.len(),
    );
    assert_eq!((faults, of_acts), (Vec::new(), Vec::new()));
    assert_eq!(acts.len() as u64, size.acts);
    let by_holder = acts.iter().filter(|act| act.exit == 0 && act.by_holder).count() as u64;
    // How many depends on how long hosts are at work, which a busy machine decides.
    assert!(by_holder > 0, "none of {} was taken by a host at work", size.acts);
}
