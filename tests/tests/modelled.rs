//! Runs, kills, and a person's words in random order, beside a model of a few lines: the person's tree is what they took in and
//! wrote themselves, and the run's branch has each kept attempt once.
//!
//! `cargo xtask campaign edits` asks for more kills by `ORCH_EDITS`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::collections::BTreeMap;
use std::fs::File;
use std::time::Duration;

use orch_tests::isolated::{Bench, POINTS};
use orch_tests::kill::{self, Moment};
use orch_tests::random::Random;

/// Lines of each file, sorted: tasks that run beside each other come in any order.
type Files = BTreeMap<String, Vec<String>>;

const FILES: u64 = 4;
/// How many kills of a run an ordinary test makes, in one workspace and in all.
const KILLS: u64 = 6;

struct Model {
    bench: Bench,
    random: Random,
    /// What the person has.
    person: Files,
    round: u64,
    kills: u64,
    /// The last host was killed: what it had in its own folder is the next one's to remove.
    was_cut: bool,
}

impl Model {
    fn new(seed: u64) -> Self {
        let bench = Bench::new("[]\n");
        let person = BTreeMap::from([("a.txt".to_owned(), lines("one\ntwo\nthree\n"))]);
        Self { bench, random: Random(seed), person, round: 0, kills: 0, was_cut: false }
    }

    /// Some tasks that each add a line, one of which may fail after it did.
    fn tasks(&mut self) -> (String, Vec<(String, String)>) {
        let (mut text, mut kept) = (String::new(), Vec::new());
        for number in 0..=self.random.below(3) {
            let line = format!("r{}t{number}", self.round);
            let file = match self.random.below(FILES) {
                0 => "a.txt".to_owned(),
                other => format!("new/f{other}"),
            };
            let fails = self.random.below(5) == 0;
            let end = if fails { "; exit 1" } else { "" };
            text += &format!(
                "- {{id: {line}, command: [sh, -c, 'mkdir -p new; echo {line} >> {file}{end}'], allow_failure: true}}\n"
            );
            kept.extend((!fails).then_some((file, line)));
        }
        (text, kept)
    }

    /// True if this round's run is closed, whatever was killed after that: the next one would be another.
    fn is_over(&self) -> bool {
        let runs = if self.bench.0.has_run() { self.bench.0.reader().runs().unwrap() } else { Vec::new() };
        runs.len() as u64 == self.round && runs[0].completed_at.is_some()
    }

    /// Kills the host at a random moment, if it comes to it.
    fn kill(&mut self, jobs: &str) {
        let moment = match self.random.below(POINTS.len() as u64 + 2) as usize {
            place if place < POINTS.len() => Moment::At(POINTS[place], 1 + self.random.below(2)),
            _ => Moment::After(Duration::from_millis(self.random.below(1500))),
        };
        let said = File::create(self.bench.0.outside().join("said")).unwrap();
        let mut host = kill::host(&self.bench.0, &["--trust-workspace", "--jobs", jobs], moment);
        let errors = File::create(self.bench.0.outside().join("errors")).unwrap();
        let mut child = host.stdout(said).stderr(errors).spawn().unwrap();
        if let Moment::After(pause) = moment {
            std::thread::sleep(pause);
            // It may be over by now.
            let _ = child.kill();
        }
        self.was_cut = kill::wait(&mut child).code().is_none();
        self.kills += 1;
        self.is_the_persons(&format!("killed at {moment:?}"));
    }

    /// One run with its kills, then what a person does with it.
    fn round(&mut self) {
        self.round += 1;
        let (tasks, kept) = self.tasks();
        self.bench.0.write("tasks.yml", &tasks);
        let jobs = (1 + self.random.below(3)).to_string();
        for _ in 0..self.random.below(3) {
            if !self.is_over() {
                self.kill(&jobs);
            }
        }
        if !self.is_over() {
            let run = self.bench.0.command(&["run", "--trust-workspace", "--jobs", &jobs]).output().unwrap();
            self.was_cut = false;
            let said = String::from_utf8_lossy(&run.stderr).into_owned();
            assert!(
                matches!(run.status.code(), Some(0 | 1)),
                "round {}: {:?} {said}",
                self.round,
                run.status
            );
        }
        self.is_the_persons("after the run");
        let mut branch = self.person.clone();
        for (file, line) in kept {
            branch.entry(file).or_default().push(line);
        }
        branch.values_mut().for_each(|lines| lines.sort());
        for (file, expected) in &branch {
            let found = lines(&self.bench.on_branch(file).unwrap_or_default());
            let report = self.bench.0.command(&["report"]).output().unwrap().stdout;
            let report = String::from_utf8_lossy(&report).into_owned();
            assert_eq!(&found, expected, "round {}: `{file}` of the branch\n{tasks}{report}", self.round);
        }
        // One that was killed after it had closed its run is the last of this round.
        match self.was_cut {
            true => self.bench.is_whole(),
            false => self.bench.is_sound(),
        }
        self.decide(branch);
        self.is_the_persons("after their word");
    }

    /// Whatever was killed, the next start leaves nothing of it.
    fn end(&mut self) {
        self.bench.0.write("tasks.yml", "[]\n");
        self.bench.0.host(&["run", "--trust-workspace"], 0);
        self.is_the_persons("at the end");
        self.bench.is_sound();
    }

    fn decide(&mut self, branch: Files) {
        let run = self.bench.run_id();
        let host = |args: &[&str]| drop(self.bench.0.host(args, 0));
        // What they write themselves between a run and their word.
        if self.random.below(2) == 0 {
            let line = format!("mine{}", self.round);
            self.bench.0.write("mine", &format!("{line}\n"));
            self.bench.git(&["add", "mine"]);
            self.bench.git(&["commit", "--quiet", "--message=mine"]);
            self.person.insert("mine".to_owned(), vec![line]);
        }
        let taken = |person: &Files| {
            let own = person.get("mine").map(|lines| ("mine".to_owned(), lines.clone()));
            branch.clone().into_iter().filter(|(name, _)| name != "mine").chain(own).collect::<Files>()
        };
        match self.random.below(5) {
            0 => host(&["reject", &run]),
            1 => {
                host(&["accept", "--unfinished", "--squash"]);
                self.person = taken(&self.person);
            }
            // Killed between their tree and their branch: nothing of theirs is gone, and it is taken again.
            2 => {
                let head = self.bench.git(&["rev-parse", "HEAD"]);
                let mut accept = self.bench.0.command(&["accept", "--unfinished"]);
                let status = accept.env("ORCH_FAILPOINT", "inside-accept:1").status().unwrap();
                assert_eq!(self.bench.git(&["rev-parse", "HEAD"]), head);
                self.bench.git(&["reset", "--quiet", "--hard"]);
                self.is_the_persons(&format!("after {status:?}"));
                host(&["accept", "--unfinished"]);
                self.person = taken(&self.person);
            }
            3 => {
                host(&["accept", "--unfinished"]);
                if self.bench.git(&["for-each-ref", &format!("refs/orch/before/{run}-1")]).is_empty() {
                    return;
                }
                host(&["rollback", &format!("{run}-1")]);
            }
            _ => {
                host(&["accept", "--unfinished"]);
                self.person = taken(&self.person);
            }
        }
    }

    /// Their tree is the model's, and nothing of it is changed or unknown to their git.
    #[track_caller]
    fn is_the_persons(&self, when: &str) {
        for (file, expected) in &self.person {
            let found = lines(&self.bench.0.read(file));
            assert_eq!(&found, expected, "round {}, {when}: `{file}`", self.round);
        }
        let new = self.bench.0.path().join("new");
        let found = std::fs::read_dir(new).map_or(0, Iterator::count);
        let expected = self.person.keys().filter(|name| name.starts_with("new/")).count();
        assert_eq!(found, expected, "round {}, {when}", self.round);
        // A host that is killed while it writes the task file leaves its draft beside it until the next start.
        let but_tasks = [".", ":!tasks.yml", ":!.tasks.yml.*.orch-new", ":!.tasks.yml.*.orch-swap"];
        let status = self.bench.git(&[&["status", "--porcelain", "--"], &but_tasks[..]].concat());
        assert_eq!(status, "", "round {}, {when}", self.round);
    }
}

fn lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn whatever_is_killed_and_decided_the_persons_tree_is_that_of_a_simple_model() {
    let asked: Option<u64> = std::env::var("ORCH_EDITS").ok().map(|text| text.parse().unwrap());
    let (mut kills, mut rounds, mut seed) = (0, 0, 0x0ed1_7500);
    while kills < asked.unwrap_or(KILLS) {
        seed += 1;
        let mut model = Model::new(seed);
        for _ in 0..6 {
            model.round();
            if kills + model.kills >= asked.unwrap_or(KILLS) {
                break;
            }
        }
        model.end();
        (kills, rounds) = (kills + model.kills, rounds + model.round);
        println!("seed {seed:#x}: {kills} kills in {rounds} rounds so far");
    }
    println!("{kills} kills in {rounds} rounds, the last seed is {seed:#x}");
}
