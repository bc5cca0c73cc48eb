//! A host for `cargo test`. Feature `testing`, for `[dev-dependencies]`.
//!
//! In -> out: what a host has ([`Host`]) -> what a plugin's own code left there: lines, files, values, tasks, findings.
//! Limits: none of the host's; what the manifest permits is not asked either. `orch-plugin test` plays the finished component
//! within both.
//! Invariant: a host is this thread's while [`Host::play`] runs, so tests beside each other do not meet; without one a call panics
//! and says so. The clock stands at 2020-01-01 or where it is set, and moves a millisecond with each look; random numbers are the same each time.
//! Not here: models, HTTP, secrets, git: case files have their answers.

#![expect(clippy::panic, reason = "a test whose host is not there, or does not know an answer, has failed")]

mod glob;
pub(crate) mod interfaces;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use crate::bindings::capabilities::orch::notify::shapes::Message;
use crate::bindings::capabilities::orch::types::types as wire;
use crate::metrics::Recorded;
use crate::process::Output;
use crate::{Attempt, Finding, Metric, NewTask, Task};

/// 2020-01-01T00:00:00Z.
const EPOCH: Duration = Duration::from_secs(1_577_836_800);

thread_local! {
    static HERE: RefCell<Option<Host>> = const { RefCell::new(None) };
}

/// What a host has, and what came of the calls that were made to it.
///
/// ```
/// use orch_sdk::testing::Host;
///
/// let host = Host::new().with_settings(r#"{"limit": 5}"#).with_file("in.txt", "text");
/// let read = host.play(|| orch_sdk::files::read_text("in.txt", 100));
/// assert_eq!(read.as_deref(), Ok("text"));
/// host.play(|| orch_sdk::log::info("seen"));
/// assert_eq!(host.log(), ["info: seen"]);
/// ```
#[derive(Clone, Default)]
pub struct Host(Rc<RefCell<State>>);

#[derive(Default)]
struct State {
    settings: Option<String>,
    files: BTreeMap<String, Vec<u8>>,
    kv: BTreeMap<(String, String), Vec<u8>>,
    tasks: Vec<Task>,
    denied: BTreeSet<String>,
    answers: VecDeque<Output>,
    commands: Vec<Vec<String>>,
    log: Vec<String>,
    findings: Vec<Finding>,
    metrics: Vec<Metric>,
    measured: Vec<Recorded>,
    asked: Vec<NewTask>,
    artifacts: BTreeMap<String, Vec<u8>>,
    notices: Vec<Message>,
    /// Nothing: [`EPOCH`].
    start: Option<Duration>,
    /// Since then.
    clock: Duration,
    random: u64,
}

/// Ends a host's being this thread's, also when what is played panics.
struct Back(Option<Host>);

impl Drop for Back {
    fn drop(&mut self) {
        let before = self.0.take();
        HERE.with(|here| *here.borrow_mut() = before);
    }
}

impl Host {
    /// One that has nothing, and denies nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// With these settings, a JSON object.
    #[must_use]
    pub fn with_settings(self, json: &str) -> Self {
        self.has(|state| state.settings = Some(json.to_owned()))
    }

    /// With this file in the workspace.
    #[must_use]
    pub fn with_file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.has(|state| drop(state.files.insert(path.to_owned(), content.as_ref().to_owned())))
    }

    /// With this value in the store of that label.
    #[must_use]
    pub fn with_value(self, label: &str, key: &str, value: impl AsRef<[u8]>) -> Self {
        let place = (label.to_owned(), key.to_owned());
        self.has(|state| drop(state.kv.insert(place, value.as_ref().to_owned())))
    }

    /// With one more value that was recorded before, newer than those that it has.
    #[must_use]
    pub fn with_recorded(self, value: Recorded) -> Self {
        self.has(|state| state.measured.push(value))
    }

    /// With one more task in the run, pending.
    #[must_use]
    pub fn with_task(self, task: Task) -> Self {
        self.has(|state| state.tasks.push(task))
    }

    /// With this answer to the next command that has none yet.
    #[must_use]
    pub fn with_answer(self, output: Output) -> Self {
        self.has(|state| state.answers.push_back(output))
    }

    /// With a clock that stands so long after 1970-01-01T00:00:00Z at first.
    #[must_use]
    pub fn with_clock(self, since_epoch: Duration) -> Self {
        self.has(|state| state.start = Some(since_epoch))
    }

    /// Denies what that permission opens, by its name in `plugin.json`: `files`, `kv`. `settings` and `log` are never denied.
    #[must_use]
    pub fn without(self, permission: &str) -> Self {
        self.has(|state| {
            state.denied.insert(permission.to_owned());
        })
    }

    /// Calls something of the plugin, with this as its host.
    pub fn play<T>(&self, call: impl FnOnce() -> T) -> T {
        let _back = Back(HERE.with(|here| here.borrow_mut().replace(self.clone())));
        call()
    }

    /// The lines that were logged: `info: text`.
    pub fn log(&self) -> Vec<String> {
        self.0.borrow().log.clone()
    }

    /// What is in that file of the workspace now.
    pub fn file(&self, path: &str) -> Option<Vec<u8>> {
        self.0.borrow().files.get(path).cloned()
    }

    /// What the store of that label has under that key now.
    pub fn value(&self, label: &str, key: &str) -> Option<Vec<u8>> {
        self.0.borrow().kv.get(&(label.to_owned(), key.to_owned())).cloned()
    }

    /// The programs that were run, each with its arguments.
    pub fn commands(&self) -> Vec<Vec<String>> {
        self.0.borrow().commands.clone()
    }

    /// What was reported besides answers.
    pub fn findings(&self) -> Vec<Finding> {
        self.0.borrow().findings.clone()
    }

    /// The values that were recorded.
    pub fn metrics(&self) -> Vec<Metric> {
        self.0.borrow().metrics.clone()
    }

    /// The tasks that were asked for.
    pub fn asked(&self) -> Vec<NewTask> {
        self.0.borrow().asked.clone()
    }

    /// What was handed over as that artifact.
    pub fn artifact(&self, name: &str) -> Option<Vec<u8>> {
        self.0.borrow().artifacts.get(name).cloned()
    }

    /// Title and text of the notices that were sent.
    pub fn notices(&self) -> Vec<Message> {
        self.0.borrow().notices.clone()
    }

    fn has(self, change: impl FnOnce(&mut State)) -> Self {
        change(&mut self.0.borrow_mut());
        self
    }
}

/// What the host of this thread makes of it.
fn here<T>(call: impl FnOnce(&mut State) -> T) -> T {
    let host = HERE.with(|here| here.borrow().clone());
    let Some(host) = host else {
        panic!(
            "a call to the host, and none is here: make it inside of `orch_sdk::testing::Host::new().play(..)`"
        )
    };
    let mut state = host.0.borrow_mut();
    call(&mut state)
}

/// The same, if that permission is not denied.
fn permitted<T>(
    permission: &str,
    call: impl FnOnce(&mut State) -> Result<T, wire::Error>,
) -> Result<T, wire::Error> {
    here(|state| match state.denied.contains(permission) {
        true => Err(wire::Error::Denied(permission.to_owned())),
        false => call(state),
    })
}

impl State {
    /// The next look at the clock.
    fn look(&mut self) -> Duration {
        self.clock += Duration::from_millis(1);
        self.clock
    }

    /// The next number of a fixed sequence (SplitMix64).
    fn number(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// A task of that kind to try, without a description.
pub fn task(id: &str, kind: &str) -> Task {
    Task {
        id: id.to_owned(),
        description: String::new(),
        kind: kind.to_owned(),
        command: None,
        priority: 0,
        cost: 1,
        settings: "{}".to_owned(),
        timeout_ms: 60_000,
    }
}

/// The first attempt at a task, with a minute's time and no goal.
pub fn attempt() -> Attempt {
    Attempt { number: 1, wall_ms: 60_000, goal: String::new(), earlier: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{Command, Exit};
    use crate::{
        Error, artifacts, clocks, files, findings, kv, log, metrics, notify, random, settings, tasks,
    };

    fn output(text: &str) -> Output {
        Output {
            exit: Exit::Code(0),
            stdout: text.into(),
            stderr: Vec::new(),
            stdout_bytes: text.len() as u64,
            stderr_bytes: 0,
            duration: Duration::ZERO,
        }
    }

    #[test]
    fn what_a_host_has_is_found_and_what_is_left_there_is_seen() {
        let host =
            Host::new().with_settings("{\"a\":1}").with_file("a/b.txt", "text").with_value("notes", "k", "v");
        let host = host.with_task(task("t1", "note")).with_answer(output("done"));
        let recorded = |value, path: &str, plugin: &str| metrics::Recorded {
            metric: Metric::new("size", value, "1").with("path", path),
            plugin: plugin.to_owned(),
            run: None,
            task: None,
            at: "2020-01-01T00:00:00.000Z".to_owned(),
        };
        let host =
            host.with_recorded(recorded(1.0, "a", "demo/a")).with_recorded(recorded(2.0, "b", "demo/b"));
        let host = host.with_recorded(recorded(3.0, "a", "demo/a"));
        host.play(|| {
            assert_eq!(settings::read(), "{\"a\":1}");
            let found: Vec<_> = files::find("**/*.txt").map(|entry| entry.unwrap().path).collect();
            assert_eq!(
                (found, files::read_text("a/b.txt", 9).unwrap()),
                (vec!["a/b.txt".to_owned()], "text".to_owned())
            );
            files::append("a/b.txt", b"!").unwrap();
            files::rename("a/b.txt", "c").unwrap();
            assert_eq!(
                (files::read("a/b.txt", 0), files::remove("none")),
                (Err(Error::NotFound), Err(Error::NotFound))
            );
            assert!(matches!(files::write("../c", b""), Err(Error::Invalid(_))));
            let bucket = kv::Bucket::open("notes").unwrap();
            assert_eq!(bucket.value("k").unwrap().unwrap(), b"v");
            bucket.set("l", b"w").unwrap();
            bucket.delete("k").unwrap();
            assert_eq!(bucket.keys("").unwrap(), ["l"]);
            assert!(matches!(bucket.set("", b""), Err(Error::Invalid(_))));
            assert_eq!((tasks::find("t1"), tasks::describe(0).unwrap().kind), (Ok(0), "note".to_owned()));
            assert_eq!(tasks::all().count(), 1);
            tasks::add(&NewTask::new("note", "more")).unwrap();
            findings::report(&Finding::new(crate::Severity::Minor, crate::Category::Lint, "seen")).unwrap();
            metrics::record(&Metric::new("n", 1.0, "1")).unwrap();
            assert!(metrics::record(&Metric::new("n", f64::NAN, "1")).is_err());
            let several = [Metric::new("n", 2.0, "1"), Metric::new("n", f64::NAN, "1")];
            assert!(metrics::record_all(&several).is_err());
            let values = |query: metrics::Query| -> Vec<f64> {
                metrics::all(query).map(|found| found.unwrap().metric.value).collect()
            };
            assert_eq!(values(metrics::Query::of("size").at_most(1)), [3.0, 2.0, 1.0]);
            assert_eq!(values(metrics::Query::of("size").with("path", "a")), [3.0, 1.0]);
            assert_eq!(values(metrics::Query::of("size").by("demo/b")), [2.0]);
            assert_eq!(values(metrics::Query::of("n")), [0.0; 0]);
            assert!(metrics::read(&metrics::Query::of("size").at_most(0)).is_err());
            artifacts::add_file("copy", "text/plain", "c").unwrap();
            notify::send(&Message::new("ops", "title")).unwrap();
            assert_eq!(Command::new("ls").arg("-l").run().unwrap().stdout_text(), "done");
            log::warn("odd");
            assert_eq!(clocks::since_epoch(), EPOCH + Duration::from_millis(1));
            let before = clocks::monotonic();
            clocks::sleep(Duration::from_secs(7));
            assert_eq!(clocks::monotonic() - before, Duration::from_millis(7001));
        });
        assert_eq!(
            (host.log(), host.commands()),
            (vec!["warn: odd".to_owned()], vec![vec!["ls".to_owned(), "-l".to_owned()]])
        );
        assert_eq!((host.file("c").unwrap(), host.file("a/b.txt")), (b"text!".to_vec(), None));
        assert_eq!((host.value("notes", "l").unwrap(), host.value("notes", "k")), (b"w".to_vec(), None));
        assert_eq!(
            (host.asked().len(), host.findings().len(), host.metrics().len(), host.notices().len()),
            (1, 1, 1, 1)
        );
        assert_eq!(host.artifact("copy").unwrap(), b"text!");
        let noon = Duration::from_secs(1_796_040_000);
        let now = Host::new().with_clock(noon).play(clocks::since_epoch);
        assert_eq!(now, noon + Duration::from_millis(1));
        let numbers = || Host::new().play(|| (random::number(), random::bytes(4)));
        assert_eq!(numbers(), numbers());
    }

    #[test]
    fn what_is_denied_is_an_answer_and_not_a_panic() {
        let host = Host::new().without("kv").without("metrics").without("files").with_file("a", "b");
        host.play(|| {
            assert!(matches!(kv::Bucket::open("notes"), Err(Error::Denied(_))));
            assert!(matches!(metrics::all(metrics::Query::of("a")).next(), Some(Err(Error::Denied(_)))));
            assert!(matches!(files::read("a", 0), Err(Error::Denied(_))));
            assert!(matches!(files::find("*").next(), Some(Err(Error::Denied(_)))));
            tasks::add(&NewTask::new("note", "more")).unwrap();
        });
    }

    #[test]
    fn without_a_host_a_call_panics_and_says_so_and_the_next_test_runs() {
        let said = |call: fn()| {
            let panic = std::panic::catch_unwind(call).unwrap_err();
            panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|it| (*it).to_owned()))
                .unwrap()
        };
        assert!(said(|| log::info("a")).contains("testing::Host"));
        // What has no fake.
        assert!(said(|| drop(crate::secrets::placeholder("token"))).contains("case files"));
        let host = Host::new();
        assert!(said(|| drop(Host::new().play(|| Command::new("ls").run()))).contains("with_answer"));
        host.play(|| {
            assert!(std::panic::catch_unwind(|| Host::new().play(|| panic!("inner"))).is_err());
            log::info("still here");
        });
        assert_eq!(host.log(), ["info: still here"]);
    }
}
