//! Files of a package are swapped while a host reads, verifies, compiles and runs it: what ran is what was verified.
//!
//! In -> out: two good packages, one component that nobody signed, [`Way`] and [`Moment`] of a swap -> what ran.
//! `cargo xtask campaign race` asks for the whole campaign; its numbers are in `docs/campaigns.md`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use orch_host::engine::cache::NativeCache;
use orch_host::engine::{CompileError, Engine};
use orch_host::package::PackageError;
use orch_host::plugins::{self, Found};
use orch_tests::random::Random;
use orch_tests::swap::{Place, Swap, Way};
use orch_tests::twins::{self, Files, ID, Makers, VERSION};
use orch_trust::admission::{Rules, admit};
use orch_trust::digest::Sha256Digest;
use orch_trust::evidence::{Compilable, Trust};
use orch_trust::time::UnixSeconds;

/// In every test run; `ORCH_RACES` asks for more (`cargo xtask campaign race`).
const RACES: u64 = 360;
/// A swap that comes while files are read waits at most so long first; reading and hashing take about a third of it.
const READING_US: u64 = 600;

/// When the swap happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    BeforeReading,
    /// Beside it, at a random moment.
    WhileReading,
    /// After it was read, before it is verified.
    BeforeVerifying,
    /// After it was verified, before it is compiled.
    BeforeCompiling,
    /// After it was compiled, before it runs.
    BeforeRunning,
}

impl Moment {
    fn drawn(random: &mut Random) -> Self {
        match random.below(10) {
            0 => Self::BeforeReading,
            1..=4 => Self::WhileReading,
            5 => Self::BeforeVerifying,
            6 | 7 => Self::BeforeCompiling,
            _ => Self::BeforeRunning,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::BeforeReading => "before reading",
            Self::WhileReading => "while reading",
            Self::BeforeVerifying => "before verifying",
            Self::BeforeCompiling => "before compiling",
            Self::BeforeRunning => "before running",
        }
    }
}

/// What came out of one round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Old,
    New,
    Refused,
}

/// What a swapper is told; it answers when the swap is done.
struct Order {
    place: PathBuf,
    way: Way,
    file: String,
    turned: bool,
    wait: Duration,
    /// Between the steps of a way.
    pause: Duration,
}

struct Packages {
    old: Files,
    new: Files,
    unsigned: Vec<u8>,
}

impl Packages {
    fn swap<'a>(&'a self, way: Way, file: &'a str, turned: bool) -> Swap<'a> {
        let (from, to) = if turned { (&self.new, &self.old) } else { (&self.old, &self.new) };
        Swap { way, from, to, file, unsigned: &self.unsigned }
    }
}

/// The swapper's thread: waits, swaps, says so.
fn swapper(packages: &Packages, orders: &Receiver<Order>, done: &Sender<()>) {
    while let Ok(order) = orders.recv() {
        let swap = packages.swap(order.way, &order.file, order.turned);
        let spin = |time: Duration| {
            let until = Instant::now() + time;
            while Instant::now() < until {
                std::hint::spin_loop();
            }
        };
        spin(order.wait);
        Place::new(&order.place).swap(&swap, &mut || spin(order.pause));
        done.send(()).unwrap();
    }
}

/// A host that takes one package through the way of every plugin.
struct Host {
    rules: Rules,
    now: UnixSeconds,
    engine: Engine,
    cache: NativeCache,
}

/// What ran, and the digest of what was verified.
struct Ran {
    answer: String,
    verified: Sha256Digest,
    files: Vec<(String, Sha256Digest)>,
}

impl Host {
    fn new(folder: &Path, makers: &Makers, now: UnixSeconds) -> Self {
        Self {
            rules: makers.rules(),
            now,
            engine: Engine::run(1, 0).unwrap(),
            cache: NativeCache::open(folder, [7; 32]).unwrap(),
        }
    }

    /// `at` is called at each moment that the host can be held at.
    fn run(&self, folder: &Path, mut at: impl FnMut(Moment)) -> Result<Ran, PackageError> {
        let found = Found {
            id: ID.to_owned().try_into().unwrap(),
            version: VERSION.parse().unwrap(),
            folder: folder.to_owned(),
        };
        at(Moment::BeforeReading);
        at(Moment::WhileReading);
        let package = plugins::read(&found)?;
        let verified = package.component_digest();
        let files = package.list().map(|(name, _, digest)| (name.to_owned(), digest)).collect();
        at(Moment::BeforeVerifying);
        let admitted = admit(&package, &self.rules, self.now)?;
        assert_eq!(admitted.trust(), Trust::CertifiedLocal);
        assert_eq!(admitted.component_digest(), verified);
        at(Moment::BeforeCompiling);
        let compiled: Result<_, CompileError> = self.engine.compile_cached(admitted, &self.cache);
        let compiled = compiled.unwrap();
        assert_eq!(compiled.evidence().component_digest(), verified);
        at(Moment::BeforeRunning);
        Ok(Ran { answer: twins::answer(&self.engine, compiled).unwrap(), verified, files })
    }
}

/// A folder in memory where there is one: no swap waits for a disk, so that more of them meet the host.
fn in_memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn digests(files: &Files) -> Vec<(String, Sha256Digest)> {
    files.iter().map(|(name, bytes)| (name.clone(), Sha256Digest::of(bytes))).collect()
}

/// One after the other; gives how often what came out, by way and by moment.
struct Campaign {
    random: Random,
    packages: Arc<Packages>,
    host: Host,
    by_way: BTreeMap<Way, BTreeMap<Outcome, u64>>,
    by_moment: BTreeMap<Moment, BTreeMap<Outcome, u64>>,
    codes: BTreeMap<&'static str, u64>,
}

impl Campaign {
    fn new(seed: u64, cache: &Path) -> Self {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let now = UnixSeconds(i64::try_from(since.as_secs()).unwrap());
        let makers = Makers::new(now);
        let packages = Packages {
            old: makers.package("old"),
            new: makers.package("new"),
            unsigned: twins::executor("evil"),
        };
        Self {
            random: Random(seed),
            packages: Arc::new(packages),
            host: Host::new(cache, &makers, now),
            by_way: BTreeMap::new(),
            by_moment: BTreeMap::new(),
            codes: BTreeMap::new(),
        }
    }

    fn round(&mut self, root: &Path, orders: &Sender<Order>, done: &Receiver<()>) {
        let way = Way::ALL[self.random.below(Way::ALL.len() as u64) as usize];
        let moment = Moment::drawn(&mut self.random);
        let packages = self.packages.clone();
        let names: Vec<&String> =
            packages.old.keys().filter(|name| packages.old[*name] != packages.new[*name]).collect();
        let file = names[self.random.below(names.len() as u64) as usize].clone();
        // Half of the time the other way round; `old` is what is there at first.
        let turned = self.random.below(2) == 1;
        let swap = packages.swap(way, &file, turned);
        let place = Place::new(root);
        place.prepare(&swap);
        let us = |random: &mut Random, most: u64| Duration::from_micros(random.below(most));
        let order = Order {
            place: root.to_owned(),
            way,
            file: file.clone(),
            turned,
            wait: us(&mut self.random, READING_US),
            pause: us(&mut self.random, 60),
        };
        let mut order = Some(order);
        let ran = self.host.run(&place.package(), |at| {
            if at != moment {
                return;
            }
            let mut order = order.take().unwrap();
            if at == Moment::WhileReading {
                orders.send(order).unwrap();
                return;
            }
            order.wait = Duration::ZERO;
            orders.send(order).unwrap();
            done.recv().unwrap();
        });
        if moment == Moment::WhileReading {
            done.recv().unwrap();
        }
        let said = format!("{way:?} of `{file}` {moment:?}, turned {turned}");
        let outcome = self.judge(&swap, ran, &said);
        match moment {
            Moment::BeforeReading if way.is_whole() => assert_eq!(outcome, Outcome::New, "{said}"),
            Moment::BeforeReading => assert_eq!(outcome, Outcome::Refused, "{said}"),
            Moment::WhileReading => {}
            _ => assert_eq!(outcome, Outcome::Old, "{said}"),
        }
        *self.by_way.entry(way).or_default().entry(outcome).or_default() += 1;
        *self.by_moment.entry(moment).or_default().entry(outcome).or_default() += 1;
    }

    /// What ran is one of the two packages, whole, and answers as that one.
    fn judge(&mut self, swap: &Swap<'_>, ran: Result<Ran, PackageError>, said: &str) -> Outcome {
        let ran = match ran {
            Ok(ran) => ran,
            Err(error) => {
                *self.codes.entry(error.code()).or_default() += 1;
                return Outcome::Refused;
            }
        };
        let component = |files: &Files| Sha256Digest::of(&files["component.wasm"]);
        for (files, outcome) in [(swap.from, Outcome::Old), (swap.to, Outcome::New)] {
            if ran.verified == component(files) {
                let answer = if std::ptr::eq(files, &self.packages.old) { "old" } else { "new" };
                assert_eq!(ran.answer, answer, "{said}: other code ran than was verified");
                assert_eq!(ran.files, digests(files), "{said}: files of both were admitted");
                return outcome;
            }
        }
        panic!("{said}: `{}` of {} ran, which nobody signed", ran.answer, ran.verified);
    }

    fn count(&self, outcome: Outcome) -> u64 {
        self.by_way.values().filter_map(|counts| counts.get(&outcome)).sum()
    }

    fn print(&self, seed: u64, rounds: u64) {
        let row = |name: &str, counts: &BTreeMap<Outcome, u64>| {
            let of = |outcome| counts.get(&outcome).copied().unwrap_or(0);
            println!("| {name} | {} | {} | {} |", of(Outcome::Old), of(Outcome::New), of(Outcome::Refused));
        };
        let (old, new) = (self.count(Outcome::Old), self.count(Outcome::New));
        println!(
            "seed {seed:#x}: {rounds} swaps; {old} old, {new} new, {} refused",
            self.count(Outcome::Refused)
        );
        println!("refused with {:?}", self.codes);
        println!("| | old ran | new ran | refused |\n|---|--:|--:|--:|");
        self.by_moment.iter().for_each(|(moment, counts)| row(moment.as_str(), counts));
        self.by_way.iter().for_each(|(way, counts)| row(way.as_str(), counts));
    }
}

#[test]
fn what_ran_is_what_was_verified_however_files_are_swapped() {
    let rounds: u64 = std::env::var("ORCH_RACES").map_or(RACES, |text| text.parse().unwrap());
    let folder = in_memory();
    let seed = 0x5eed_0004;
    let mut campaign = Campaign::new(seed, &folder.path().join("cache"));
    let packages = campaign.packages.clone();
    let (orders, taken) = channel();
    let (say, done) = channel();
    let thread = std::thread::spawn(move || swapper(&packages, &taken, &say));
    for _ in 0..rounds {
        campaign.round(&folder.path().join("place"), &orders, &done);
    }
    drop(orders);
    thread.join().unwrap();
    campaign.print(seed, rounds);
    let least = if rounds >= 10_000 { 100 } else { 5 };
    for outcome in [Outcome::Old, Outcome::New, Outcome::Refused] {
        assert!(campaign.count(outcome) >= least, "{outcome:?} came out {} times", campaign.count(outcome));
    }
}

/// The same for native code, which is read and checked in a third of that.
const LOADING_US: u64 = 900;
/// Ways to exchange one file.
const OF_ONE_FILE: [Way; 7] =
    [Way::Rename, Way::Exchange, Way::LinkFile, Way::HardLink, Way::Overwrite, Way::Truncate, Way::Map];

#[test]
fn native_code_that_is_swapped_while_it_is_loaded_never_runs() {
    let rounds: u64 = std::env::var("ORCH_RACES").map_or(RACES, |text| text.parse().unwrap()) / 4;
    let folder = in_memory();
    let now = UnixSeconds(1_800_000_000);
    let (makers, mut random) = (Makers::new(now), Random(0x5eed_0005));
    let root = folder.path().join("place");
    // The folder of native code is what is swapped in.
    let host = Host::new(&Place::new(&root).package(), &makers, now);
    // Somebody else's native code of another component, with a receipt by another key.
    let foreign = NativeCache::open(&folder.path().join("foreign"), [8; 32]).unwrap();
    let read = |answer: &str| {
        let files = makers.package(answer);
        orch_trust::package::PackageBytes::new(files).unwrap()
    };
    let admitted = |answer: &str| admit(&read(answer), &host.rules, now).unwrap();
    let file = |answer: &str| format!("{}.run", read(answer).component_digest());
    for answer in ["old", "new"] {
        host.engine.compile_cached(admitted(answer), &host.cache).unwrap();
    }
    host.engine.compile_cached(admitted("new"), &foreign).unwrap();
    let kept = |folder: &Path, answer: &str| -> Arc<[u8]> {
        std::fs::read(folder.join(file(answer))).unwrap().into()
    };
    let own = Place::new(&root).package();
    let (old, new, evil) =
        (kept(&own, "old"), kept(&own, "new"), kept(&folder.path().join("foreign"), "new"));
    let (name, package) = (file("old"), read("old"));
    let from = Files::from([(name.clone(), old.clone())]);
    let (mut compiled, swaps) = (0, AtomicU64::new(0));
    for round in 0..rounds {
        let bytes = if random.below(2) == 0 { &new } else { &evil };
        let to = Files::from([(name.clone(), bytes.clone())]);
        let way = OF_ONE_FILE[random.below(OF_ONE_FILE.len() as u64) as usize];
        let swap = Swap { way, from: &from, to: &to, file: &name, unsigned: &[] };
        let place = Place::new(&root);
        place.prepare(&swap);
        let inode = |path: &Path| std::fs::metadata(path).map(|found| found.ino()).ok();
        let before = [inode(&own.join(&name)), inode(&root.join("other").join(&name))];
        let evidence = admit(&package, &host.rules, now).unwrap();
        let wait = Duration::from_micros(random.below(LOADING_US));
        let run = || {
            let native = host.engine.compile_cached(evidence, &host.cache).unwrap();
            twins::answer(&host.engine, native).unwrap()
        };
        let swap = || {
            // The host may have deleted the file in between: then there is nothing to swap any more.
            let swapped = std::panic::catch_unwind(|| place.swap(&swap, &mut || {}));
            swaps.fetch_add(u64::from(swapped.is_ok()), Ordering::Relaxed);
        };
        // One round in four before it is loaded, one afterwards, the others beside it.
        let answer = match round % 4 {
            0 => {
                swap();
                run()
            }
            1 => {
                let answer = run();
                swap();
                answer
            }
            _ => std::thread::scope(|scope| {
                scope.spawn(|| {
                    let until = Instant::now() + wait;
                    while Instant::now() < until {
                        std::hint::spin_loop();
                    }
                    swap();
                });
                run()
            }),
        };
        assert_eq!(answer, "old", "{way:?} after {wait:?}");
        // A file that was neither of the two before: it was compiled anew and kept.
        compiled += u64::from(!before.contains(&inode(&own.join(&name))));
    }
    let swaps = swaps.into_inner();
    println!("{swaps} swaps of native code in {rounds} rounds; {compiled} compiled anew");
    assert!(swaps > rounds / 2, "{swaps} of {rounds}");
    assert!(compiled >= rounds / 4, "what was swapped before is compiled anew");
}
