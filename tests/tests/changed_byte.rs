//! One byte of a reference package is changed: nobody admits it, whatever byte it is, and every refusal has its code.
//!
//! So many bytes of each file in every test run, all of them if `ORCH_EVERY_BYTE` is set (`cargo xtask campaign bytes`).
//! Not here: every byte of a small package in memory, in every test run (`trust/tests/admission.rs`).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use orch_host::config::operator::Operator;
use orch_host::config::workspace::WorkspaceConfig;
use orch_host::plugins;
use orch_tests::random::Random;
use orch_tests::{Workspace, copy, err, packages};
use orch_trust::admission::Rules;
use orch_trust::lock::Lock;
use orch_trust::time::UnixSeconds;

/// The smallest reference package; nothing of the others is read after it was refused, because its id sorts first.
const PLUGIN: &str = "demo/executor-note";
const CONFIG: &str = "roles:\n  planner: demo/planner-priority\n  executors: {note: demo/executor-note}\n";

/// So many bytes of each file in every test run.
const SAMPLE: u64 = 256;
const SEED: u64 = 0x5eed_0006;

/// A workspace whose packages are its own, to be spoiled.
struct Bench {
    workspace: Workspace,
    packages: PathBuf,
    config: WorkspaceConfig,
    rules: Rules,
    now: UnixSeconds,
}

impl Bench {
    fn new() -> Self {
        let workspace = Workspace::new("- {id: a, kind: note}\n");
        workspace.write("config.yaml", CONFIG);
        let mine = workspace.outside().join("packages");
        for plugin in ["demo/planner-priority", PLUGIN] {
            copy(&packages().join(plugin), &mine.join(plugin));
        }
        let operator = Operator::open(&workspace.operator()).unwrap();
        let config = WorkspaceConfig::read(&workspace.path()).unwrap();
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Self {
            rules: operator.rules(&config, Lock::default()),
            now: UnixSeconds(i64::try_from(since.as_secs()).unwrap()),
            packages: mine,
            workspace,
            config,
        }
    }

    fn package(&self) -> PathBuf {
        self.packages.join(PLUGIN).join("0.1.0")
    }

    /// What `run` does before anything else: every bound plugin is found, read and admitted. Gives the refusal's code.
    fn refusal(&self) -> Option<&'static str> {
        let folders = std::slice::from_ref(&self.packages);
        let admitted = plugins::admit_bound(&self.config, folders, &self.rules, self.now);
        admitted.err().map(|error| error.code())
    }

    /// The refusal's code when these bits of one byte are turned around; the byte is put back.
    fn refusal_with(&self, file: &str, place: u64, bits: u8) -> Option<&'static str> {
        let spoiled = Spoiled::new(&self.package().join(file), place, bits);
        let code = self.refusal();
        drop(spoiled);
        code
    }
}

/// A file with one other byte, as long as this lives.
struct Spoiled {
    file: File,
    place: u64,
    good: u8,
}

impl Spoiled {
    fn new(path: &Path, place: u64, bits: u8) -> Self {
        let file = File::options().read(true).write(true).open(path).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, place).unwrap();
        file.write_all_at(&[byte[0] ^ bits], place).unwrap();
        Self { file, place, good: byte[0] }
    }
}

impl Drop for Spoiled {
    fn drop(&mut self) {
        self.file.write_all_at(&[self.good], self.place).unwrap();
    }
}

/// Size in bytes of every file of a package, by its name there.
fn sizes(package: &Path) -> BTreeMap<String, u64> {
    let read = orch_host::package::read(package).unwrap();
    read.list().map(|(name, bytes, _)| (name.to_owned(), bytes)).collect()
}

/// Every code that a changed byte of a file leads to. Most files are named by their digest; the manifest and the
/// envelopes are read first, and the first thing that is wrong with them is told.
fn expected(file: &str) -> &'static [&'static str] {
    match file {
        "component.wasm" | "sbom.cdx.json" | "README.md" => &["digest-mismatch"],
        "manifest.json" => &[
            "digest-mismatch",
            "host-api",
            "manifest-field",
            "manifest-json",
            "manifest-schema",
            "package-other-id",
            "release-other-subject",
            "size-mismatch",
        ],
        "release.dsse.json" => &[
            "envelope-key-id",
            "envelope-malformed",
            "envelope-type",
            "release-unknown-key",
            "signature-invalid",
        ],
        _ => &[
            "certificate-unknown-key",
            "envelope-key-id",
            "envelope-malformed",
            "envelope-type",
            "signature-invalid",
        ],
    }
}

/// What is turned around in that byte: where it is read as text its lowest bit, the one between `a` and `A`, and its
/// highest; where it is only hashed one bit, another for each byte.
fn bits(file: &str, place: u64) -> Vec<u8> {
    match file.ends_with(".dsse.json") || file == "manifest.json" {
        true => vec![0x01, 0x20, 0x80],
        false => vec![1 << (place / 2 % 8)],
    }
}

/// The bytes of a file that are tried, in order: its first and last, and others that the seed chooses.
fn places(random: &mut Random, bytes: u64) -> Vec<u64> {
    if std::env::var_os("ORCH_EVERY_BYTE").is_some() || bytes <= SAMPLE {
        return (0..bytes).collect();
    }
    let mut places = BTreeSet::from([0, bytes - 1]);
    while (places.len() as u64) < SAMPLE {
        places.insert(random.below(bytes));
    }
    places.into_iter().collect()
}

/// Spoils these bytes, one after the other; gives the codes by file.
fn spoil(tried: &[(String, u64)]) -> BTreeMap<String, BTreeSet<&'static str>> {
    let bench = Bench::new();
    assert_eq!(bench.refusal(), None, "the package is good before");
    let mut codes = BTreeMap::<String, BTreeSet<&str>>::new();
    for (file, place) in tried {
        for bits in bits(file, *place) {
            let Some(code) = bench.refusal_with(file, *place, bits) else {
                panic!("`{file}` with byte {place} changed by {bits:#04x} was admitted")
            };
            codes.entry(file.clone()).or_default().insert(code);
        }
    }
    assert_eq!(bench.refusal(), None, "the package is good again");
    codes
}

#[test]
fn no_byte_of_any_file_of_a_reference_package_can_change() {
    let sizes = sizes(&packages().join(PLUGIN).join("0.1.0"));
    let mut random = Random(SEED);
    let mut tried = Vec::new();
    for (file, bytes) in &sizes {
        tried.extend(places(&mut random, *bytes).into_iter().map(|place| (file.clone(), place)));
    }
    println!("seed {SEED:#x}: {} of {} bytes", tried.len(), sizes.values().sum::<u64>());
    let (one, other) = tried.split_at(tried.len() / 2);
    let (mut codes, more) = std::thread::scope(|scope| {
        let other = scope.spawn(|| spoil(other));
        (spoil(one), other.join().unwrap())
    });
    for (file, found) in more {
        codes.entry(file).or_default().extend(found);
    }
    assert!(codes.keys().eq(sizes.keys()), "{codes:?}");
    for (file, codes) in &codes {
        println!("{file}: {codes:?}");
        let unexpected: Vec<_> = codes.iter().filter(|code| !expected(file).contains(code)).collect();
        assert!(unexpected.is_empty(), "{file}: {unexpected:?}");
    }
}

#[test]
fn a_run_refuses_a_changed_byte_and_goes_on_when_it_is_put_back() {
    let bench = Bench::new();
    let packages = bench.packages.to_str().unwrap();
    let run = |exit| bench.workspace.run(&["--plugins", packages], exit);
    run(0);
    let mut random = Random(0x5eed_0003);
    let files: Vec<(String, u64)> = sizes(&bench.package()).into_iter().collect();
    for sample in 0..20 {
        // Each file in turn, so that the small ones are not forgotten.
        let (file, bytes) = &files[sample % files.len()];
        let (place, bits) = (random.below(*bytes), 1 << random.below(8));
        let code = bench.refusal_with(file, place, bits).unwrap();
        let spoiled = Spoiled::new(&bench.package().join(file), place, bits);
        let said = err(&run(3));
        assert!(said.contains(&format!("code: {code}\n")), "`{file}`, byte {place}: {said}");
        drop(spoiled);
        run(0);
    }
}
