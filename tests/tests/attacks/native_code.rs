//! Native code on disk, and verdicts that could be kept: a run believes neither.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use orch_host::engine::Engine;
use orch_host::engine::cache::NativeCache;
use orch_tests::root;
use orch_tests::twins::{self, Files, Makers};
use orch_trust::admission::{Rules, admit};
use orch_trust::authority::Level;
use orch_trust::certificate::{CheckResult, CheckStatus, RequiredCheck, Shortfall, Tool};
use orch_trust::digest::Sha256Digest;
use orch_trust::evidence::{Admitted, Compilable};
use orch_trust::package::PackageBytes;
use orch_trust::policy::Policy;
use orch_trust::refusal::Refusal;
use orch_trust::time::UnixSeconds;

const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

/// A host with native code of `old` and `new`.
struct Host {
    folder: tempfile::TempDir,
    makers: Makers,
    rules: Rules,
    engine: Engine,
    cache: NativeCache,
}

impl Host {
    fn new() -> Self {
        let (folder, makers) = (tempfile::tempdir().unwrap(), Makers::new(NOW));
        let cache = NativeCache::open(&folder.path().join("native"), [7; 32]).unwrap();
        let host = Self { rules: makers.rules(), makers, engine: Engine::run(1, 0).unwrap(), cache, folder };
        for answer in ["old", "new"] {
            assert_eq!(host.run(&host.makers.package(answer)), answer);
        }
        host
    }

    fn admit(&self, files: &Files, now: UnixSeconds) -> Result<Admitted, Refusal> {
        admit(&PackageBytes::new(files.clone()).unwrap(), &self.rules, now)
    }

    fn run(&self, files: &Files) -> String {
        let admitted = self.admit(files, NOW).unwrap();
        twins::answer(&self.engine, self.engine.compile_cached(admitted, &self.cache).unwrap()).unwrap()
    }

    fn file(&self, answer: &str) -> PathBuf {
        let digest = Sha256Digest::of(&self.makers.package(answer)["component.wasm"]);
        self.folder.path().join("native").join(format!("{digest}.run"))
    }
}

fn remove(path: &Path) {
    if path.is_dir() && !path.is_symlink() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
        .unwrap();
}

#[test]
fn poisoned_native_code_is_compiled_anew_and_the_right_code_runs() {
    let host = Host::new();
    let (path, other) = (host.file("old"), host.file("new"));
    let (good, of_other) = (fs::read(&path).unwrap(), fs::read(&other).unwrap());
    let elsewhere = host.folder.path().join("elsewhere");
    fs::write(&elsewhere, &of_other).unwrap();
    // A host with another secret compiled the other component.
    let foreign = NativeCache::open(&host.folder.path().join("foreign"), [8; 32]).unwrap();
    let admitted = host.admit(&host.makers.package("new"), NOW).unwrap();
    host.engine.compile_cached(admitted, &foreign).unwrap();
    let foreign = fs::read(host.folder.path().join("foreign").join(other.file_name().unwrap())).unwrap();
    // Each field of a receipt (MAC, component, engine, size, digest), then the code.
    let flipped =
        [0, 31, 32, 63, 64, 95, 96, 103, 104, 135, 136, 200, good.len() / 2, good.len() - 1].map(|place| {
            let mut bytes = good.clone();
            bytes[place] ^= 0x10;
            bytes
        });
    let cut = [0, 1, 135, 136, 137, good.len() - 1].map(|length| good[..length].to_vec());
    let whole = [of_other.clone(), foreign, good[136..].to_vec(), [&good[..136], &of_other[136..]].concat()];
    for (place, bytes) in flipped.into_iter().chain(cut).chain(whole).enumerate() {
        fs::write(&path, bytes).unwrap();
        check(&host, &path, &good, &format!("poison {place}"));
    }
    type Make<'a> = (&'static str, Box<dyn Fn() + 'a>);
    let odd: [Make; 5] = [
        ("link", Box::new(|| symlink(&elsewhere, &path).unwrap())),
        ("hard link", Box::new(|| fs::hard_link(&elsewhere, &path).unwrap())),
        (
            "pipe",
            Box::new(|| {
                let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
                rustix::fs::mkfifoat(rustix::fs::CWD, &path, mode).unwrap();
            }),
        ),
        ("socket", Box::new(|| drop(UnixListener::bind(&path).unwrap()))),
        ("folder", Box::new(|| fs::create_dir_all(path.join("full/of/folders")).unwrap())),
    ];
    for (what, make) in odd {
        remove(&path);
        make();
        check(&host, &path, &good, what);
    }
    assert_eq!(fs::read(&elsewhere).unwrap(), of_other, "nothing beyond a link was touched");
    assert_eq!(host.run(&host.makers.package("new")), "new");
}

/// The right code runs, and what is kept now is good again and nobody else's to read.
#[track_caller]
fn check(host: &Host, path: &Path, good: &[u8], what: &str) {
    assert_eq!(host.run(&host.makers.package("old")), "old", "{what}");
    let metadata = fs::symlink_metadata(path).unwrap();
    assert!(metadata.is_file() && metadata.permissions().mode() & 0o777 == 0o600, "{what}");
    assert!(fs::read(path).unwrap() == good, "{what}: what is kept now is not what was kept before");
}

#[test]
fn native_code_is_found_by_the_digest_of_the_bytes() {
    let host = Host::new();
    let (old, new) = (host.makers.package("old"), host.makers.package("new"));
    // The manifest says the digest of bytes that are compiled already, and the component is another.
    let mut lying = old.clone();
    lying.insert("component.wasm".into(), new["component.wasm"].clone());
    assert_eq!(host.admit(&lying, NOW).unwrap_err().code(), "digest-mismatch");
    for (files, answer) in [(&old, "old"), (&new, "new")] {
        let admitted = host.admit(files, NOW).unwrap();
        assert_eq!(admitted.component_digest(), Sha256Digest::of(admitted.component()));
        assert_eq!(host.run(files), answer);
    }
    // Another package with the same component shares its native code, and no verdict.
    let same = host.makers.package_of(new["component.wasm"].to_vec(), "says that it is old");
    let before = fs::metadata(host.file("new")).unwrap().modified().unwrap();
    assert_eq!(host.run(&same), "new");
    assert_eq!(fs::metadata(host.file("new")).unwrap().modified().unwrap(), before);
}

#[test]
fn kept_native_code_outlives_no_certificate() {
    let mut host = Host::new();
    let files = host.makers.package("old");
    let end = NOW.plus(7 * UnixSeconds::DAY);
    let code = |host: &Host, now| host.admit(&files, now).err().map(|refusal| refusal.code());
    assert_eq!(code(&host, end), None);
    assert_eq!(code(&host, end.plus(1)), Some("certificate-expired"));
    host.rules.certifiers[0].not_after = Some(NOW.plus(1));
    assert_eq!(code(&host, NOW.plus(1)), None);
    assert_eq!(code(&host, NOW.plus(2)), Some("certificate-key-expired"));
    host.rules = host.makers.rules();
    host.rules.policy.minimum_level.0 = Level::Certified;
    assert_eq!(code(&host, NOW), Some("certificate-missing"));
    let digest = Sha256Digest::of(&files["component.wasm"]);
    host.rules.policy = Policy::parse(&format!("[deny]\ndigests = [\"{digest}\"]\n")).unwrap();
    assert_eq!(code(&host, NOW), Some("denied-by-policy"));
    host.rules = host.makers.rules();
    host.rules.publishers.clear();
    assert_eq!(code(&host, NOW), Some("release-unknown-key"));
    assert!(host.file("old").exists(), "its native code is there all the time");
}

#[test]
fn evidence_is_made_by_admission_only() {
    let mut places = Vec::new();
    for folder in ["trust/src", "host/src", "certify/src", "sdk/plugin/src", "bench/src"] {
        super::developers::each_source(&root().join(folder), &mut |path, text| {
            let code = text.split("mod tests {").next().unwrap();
            let is_code = |line: &&str| !line.trim_start().starts_with("//");
            let code: String = code.lines().filter(is_code).map(|line| format!("{line}\n")).collect();
            for made in ["Admitted::new(", "Admitted(", "Unsigned::new(", "Candidate::new("] {
                // As a tuple's name alone, not as the end of another name.
                let whole = |at: usize| !code[..at].ends_with(|before: char| before.is_alphanumeric());
                if code.match_indices(made).any(|(at, _)| whole(at)) {
                    let path = path.strip_prefix(root()).unwrap().display().to_string();
                    places.push(format!("{path}: {made}"));
                }
            }
        });
    }
    places.sort();
    let known = [
        "trust/src/admission.rs: Admitted::new(",
        "trust/src/admission.rs: Unsigned::new(",
        "trust/src/evidence.rs: Admitted(",
    ];
    assert_eq!(places, known);
}

#[test]
fn a_required_check_warns_within_its_budget_or_not_at_all() {
    let required = |warnings_max| RequiredCheck { id: "secrets".into(), version_min: 1, warnings_max };
    let result = |status, findings: usize| CheckResult {
        id: "secrets".into(),
        version: 1,
        tool: Tool { name: "orch-certify".into(), version: "0.1.0".into() },
        status,
        looked_at: 1,
        findings: vec!["build-path".into(); findings],
        duration_ms: 0,
        evidence_sha256: Sha256Digest::of(b""),
    };
    let accept = |most, status, findings| required(most).accept(&result(status, findings)).err();
    assert_eq!(accept(0, CheckStatus::Pass, 0), None);
    assert_eq!(accept(0, CheckStatus::Warn, 0), Some(Shortfall::Status));
    assert_eq!(accept(2, CheckStatus::Warn, 2), None);
    assert_eq!(accept(2, CheckStatus::Warn, 3), Some(Shortfall::Warnings));
    for status in [CheckStatus::Fail, CheckStatus::Error, CheckStatus::Skipped] {
        assert_eq!(accept(9, status, 0), Some(Shortfall::Status));
    }
}

#[test]
fn code_that_runs_at_the_start_has_the_limits_of_a_call() {
    let host = Host::new();
    let spins = "(func $spin (loop $again (br $again))) (start $spin)";
    let grows = "(func $grow (loop $again (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (unreachable)) (start $grow)";
    let traps = "(func $trap (unreachable)) (start $trap)";
    for (start, code) in [(spins, "limit-busy"), (grows, "limit-memory"), (traps, "plugin-trap")] {
        let files = host.makers.package_of(twins::executor_with(start, "old"), "runs at the start");
        let admitted = host.admit(&files, NOW).unwrap();
        assert_eq!(admitted.facts().start_functions, 1);
        let compiled = host.engine.compile_cached(admitted, &host.cache).unwrap();
        assert_eq!(twins::answer(&host.engine, compiled), Err(code), "{start}");
    }
}
