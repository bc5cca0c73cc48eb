//! `kill -9` at any moment: nothing acknowledged is lost, nothing with an effect runs twice without saying so.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail loudly")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use orch_journal::failpoint::POINTS;
use orch_tests::checker::{self, Fault, Tasks};
use orch_tests::kill::{self, Moment};
use orch_tests::random::Random;
use orch_tests::{Workspace, root};

/// Of each of the two campaigns in every test run; `ORCH_KILLS` asks for more (`cargo xtask campaign kills`).
const KILLS: u64 = 20 + (POINTS.len() - ELSEWHERE.len()) as u64;

/// Reached only when somebody edits the task file in that moment, by tasks that say what they read, by runs whose ends
/// somebody hears of, and by those whose edits go to a branch: tested by themselves (`doubt.rs`, `fresh.rs`, `provided.rs`,
/// `isolated.rs`, `judged.rs`, `modelled.rs`).
const ELSEWHERE: [&str; 10] = [
    "before-exchange-back",
    "before-mark",
    "before-notice",
    "after-notice",
    "before-edits",
    "after-objects",
    "after-held",
    "after-edits",
    "after-branch",
    "inside-accept",
];

/// Twelve tasks in three layers; of each layer but the last a verifier looks at one.
fn fresh(idempotent: bool) -> Workspace {
    let workspace = Workspace::new("");
    let outside = workspace.outside().join("done");
    let outside = outside.to_str().unwrap();
    let mut tasks = String::new();
    for task in 0..12 {
        let after: Vec<String> = (0..task)
            .filter(|before| before / 4 + 1 == task / 4)
            .map(|before| format!("t{before}"))
            .collect();
        let after = after.join(", ");
        // Some tasks see more kills than a host's ends are borne without `retries`.
        tasks.push_str(&format!("- {{id: t{task}, command: [sh, append.sh, '{outside}', t{task}], "));
        tasks.push_str(&format!("idempotent: {idempotent}, retries: 99, dependencies: [{after}]"));
        tasks.push_str(if matches!(task, 1 | 6) { ", verify: [demo/verifier-command]}\n" } else { "}\n" });
    }
    let config = workspace.read("config.yaml");
    let check = "{checks: [{name: look, category: test, command: [sleep, '0.02']}]}";
    workspace.write(
        "config.yaml",
        &format!(
            "{config}  verifiers: [demo/verifier-command]\nsettings:\n  demo/verifier-command: {check}\n"
        ),
    );
    workspace.write("append.sh", checker::APPEND);
    workspace.write("tasks.yml", &tasks);
    workspace
}

/// A workspace that is killed again and again, and what became of it.
struct Campaign {
    random: Random,
    idempotent: bool,
    workspace: Workspace,
    kills: BTreeMap<&'static str, u64>,
    runs: u64,
    workspaces: u64,
    faults: Vec<Fault>,
}

impl Campaign {
    fn new(seed: u64, idempotent: bool) -> Self {
        let (kills, workspace) = (BTreeMap::new(), fresh(idempotent));
        let random = Random(seed);
        Self { random, idempotent, workspace, kills, runs: 0, workspaces: 1, faults: Vec::new() }
    }

    /// As many kills at each failpoint as at least half of `count` gives, the others at random moments, mixed.
    fn plan(&mut self, count: u64) -> Vec<Option<&'static str>> {
        let points = POINTS.iter().map(|(name, _)| *name).filter(|name| !ELSEWHERE.contains(name));
        let each = (count / 2 / POINTS.len() as u64).max(1);
        let mut plan: Vec<_> =
            points.flat_map(|name| std::iter::repeat_n(Some(name), each as usize)).collect();
        plan.resize(plan.len().max(count as usize), None);
        for place in (1..plan.len()).rev() {
            plan.swap(place, self.random.below(place as u64 + 1) as usize);
        }
        plan
    }

    /// One run that is to be killed there; false if it was over before.
    fn run(&mut self, moment: Moment) -> bool {
        let jobs = (1 + self.random.below(4)).to_string();
        let mut args = match self.random.below(2) {
            0 => vec!["--jobs", "1", "--audit", "every-completion"],
            _ => vec!["--jobs", &jobs],
        };
        match self.random.below(4) {
            0 => args.extend(["--durability", "process"]),
            1 => args.extend(["--durability", "power"]),
            _ => {}
        }
        let said = self.workspace.outside().join(format!("said-{}", self.runs));
        let killed = kill::run_and_kill(&self.workspace, &args, moment, &File::create(&said).unwrap());
        self.runs += 1;
        let said = std::fs::read_to_string(said).unwrap();
        self.faults.extend(checker::after_a_kill(&self.workspace, &said));
        if killed {
            let point = match moment {
                Moment::After(_) => "at random",
                Moment::At(point, _) => point,
            };
            *self.kills.entry(point).or_default() += 1;
        } else {
            self.check();
            self.workspace = fresh(self.idempotent);
            self.workspaces += 1;
        }
        killed
    }

    /// The run is over: everything must hold.
    fn check(&mut self) {
        let tasks = if self.idempotent { Tasks::Idempotent } else { Tasks::Doubtful };
        self.faults.extend(checker::at_the_end(&self.workspace, tasks));
        self.workspace.host(&["audit", "verify"], 0);
        self.workspace.host(&["db", "check"], 0);
    }

    /// Kills at that failpoint, now or in a fresh workspace.
    fn kill_at(&mut self, point: &'static str) {
        let often = 1 + self.random.below(4);
        for count in [often, 1, 1, 1] {
            // A host meets what another left only if it left something.
            if point.ends_with("-settle") && !self.run(Moment::At("after-intent", 1)) {
                continue;
            }
            let count = if point.ends_with("-settle") { 1 } else { count };
            if self.run(Moment::At(point, count)) {
                return;
            }
        }
        panic!("no run meets `{point}`");
    }

    fn kill_at_random(&mut self) {
        while !{
            let pause = Duration::from_millis(20 + self.random.below(500));
            self.run(Moment::After(pause))
        } {}
    }
}

/// Kills, judges, goes on; tells the numbers.
fn campaign(seed: u64, idempotent: bool) {
    let asked: Option<u64> = std::env::var("ORCH_KILLS").ok().map(|text| text.parse().unwrap());
    let mut campaign = Campaign::new(seed, idempotent);
    for point in campaign.plan(asked.map_or(KILLS, |all| all.div_ceil(2))) {
        match point {
            Some(point) => campaign.kill_at(point),
            None => campaign.kill_at_random(),
        }
    }
    // The last one to its end.
    let end = campaign.workspace.command(&["run", "--trust-workspace"]).output().unwrap();
    assert!(matches!(end.status.code(), Some(0 | 6)), "{end:?}");
    campaign.check();
    let (all, faults) = (campaign.kills.values().sum::<u64>(), &campaign.faults);
    let lost = faults.iter().filter(|fault| matches!(fault, Fault::Lost(_))).count();
    let repeated = faults.iter().filter(|fault| matches!(fault, Fault::Repeated(_))).count();
    println!(
        "seed {seed:#x}, idempotent {idempotent}: {all} kills in {} runs of {} workspaces; {lost} lost, {repeated} repeated \
         unannounced, {} other faults; kills {:?}",
        campaign.runs + 1,
        campaign.workspaces,
        faults.len() - lost - repeated,
        campaign.kills
    );
    assert_eq!(*faults, []);
}

#[test]
fn idempotent_tasks_all_end_done_whatever_is_killed() {
    campaign(0x5eed_0001, true);
}

#[test]
fn tasks_in_doubt_wait_and_nothing_is_repeated_unannounced() {
    campaign(0x5eed_0002, false);
}

/// Names in quotes after `mark`, in all sources below a folder.
fn names(folder: &Path, mark: &str, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names(&path, mark, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            found.extend(text.split(mark).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()));
        }
    }
}

#[test]
fn the_list_of_failpoints_is_the_one_of_the_sources() {
    let mut found = BTreeSet::new();
    for folder in ["host/src", "journal/src"] {
        names(&root().join(folder), "failpoint::hit(\"", &mut found);
    }
    // The task file's crate is handed what it calls.
    names(&root().join("task/src"), " on(\"", &mut found);
    let listed: BTreeSet<String> = POINTS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(found, listed);
    assert_eq!(listed.len(), POINTS.len(), "a name is there twice");
}

#[test]
fn no_process_is_left_when_the_host_is_killed() {
    let marker = "31.7180339";
    let workspace = Workspace::new(&format!(
        "- {{id: a, command: [sleep, '{marker}']}}\n- {{id: b, command: 'setsid sleep {marker} & (sleep {marker} &) ; sleep {marker}'}}\n"
    ));
    let mut host = workspace.command(&["run", "--trust-workspace", "--jobs", "2"]);
    let mut child = host.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let alive = || {
        let processes = std::fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok());
        processes.filter(|line| String::from_utf8_lossy(line).contains(&format!("sleep\0{marker}"))).count()
    };
    let until = |wanted: &dyn Fn(usize) -> bool| {
        (0..400).any(|_| {
            std::thread::sleep(Duration::from_millis(25));
            wanted(alive())
        })
    };
    assert!(until(&|count| count >= 4), "the commands did not start: {}", alive());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(until(&|count| count == 0), "{} processes are left", alive());
    // What was cut off is in doubt, and says so.
    let output = workspace.run(&[], 6);
    assert!(orch_tests::out(&output).contains("waits for you: a"), "{}", orch_tests::out(&output));
    let run = workspace.reader().runs().unwrap()[0].id.clone();
    workspace.host(&["resolve", &run, "a", "--as", "done"], 0);
    workspace.host(&["resolve", &run, "b", "--as", "failed"], 0);
    workspace.run(&[], 1);
}
