//! Fuzzing: the targets of `fuzz/`, one after the other, each with libFuzzer for some time.
//!
//! In -> out: names of targets, seconds each -> inputs worth keeping in `fuzz/corpus/`, a row each in `docs/fuzzing.md`.
//! Limits: 2 GiB of memory, 10 s an input, 40 KiB of kept inputs a target.
//! Invariant: valid examples (`valid*`) stay; a crash is an error that names its input, said after the other targets
//! had their time. What was found is kept under the target folder, so that the next run goes on from there.
//! Not here: targets and the replay of the corpus (`fuzz/`).

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use clap::Args;

use crate::llvm_tools::{self, Compiler, LlvmTools, output};
use crate::packages::target_folder;
use crate::step;

const KEPT_BYTES_MAX: u64 = 40 << 10;
/// The crates whose lines are counted.
const COUNTED: [&str; 8] = [
    "orch-trust",
    "orch-task",
    "orch-journal",
    "orch-supervisor",
    "orch-signer",
    "orch-host",
    "orch-certify",
    "orch-plugin",
];
/// How many of them do not hold the engine.
const WITHOUT_ENGINE: usize = 5;
/// What libFuzzer needs to see where an input goes, and the sanitizer that finds what safe code cannot do.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-simplifycfg-branch-fold-threshold=0 \
    -Zsanitizer=address";

#[derive(Args)]
pub(crate) struct FuzzArgs {
    /// For each target
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Leave out the targets whose crates hold the engine, which takes most of the time to build
    #[arg(long)]
    without_engine: bool,
    /// Names of targets; all of them if none is named
    targets: Vec<String>,
}

/// A target as its program names it.
struct Target {
    name: String,
    sources: Vec<String>,
}

/// What came of one target.
struct Row {
    name: String,
    executions: u64,
    inputs: usize,
    bytes: u64,
    coverage: String,
    crash: Option<PathBuf>,
}

pub(crate) fn run(root: &Path, args: &FuzzArgs) -> anyhow::Result<()> {
    let compiler = Compiler::ask(root)?;
    let tools = llvm_tools::find(&compiler);
    let program = step::timed("libFuzzer with every target", || build(root, &compiler, args.without_engine))?;
    let all = list(&program)?;
    if let Some(unknown) = args.targets.iter().find(|name| !all.iter().any(|target| target.name == **name)) {
        let names: Vec<&str> = all.iter().map(|target| target.name.as_str()).collect();
        bail!("there is no target `{unknown}`, only {}", names.join(", "));
    }
    let chosen = all.iter().filter(|target| args.targets.is_empty() || args.targets.contains(&target.name));
    let mut rows = Vec::new();
    for target in chosen {
        let place = Place::of(root, &target.name)?;
        let row = step::timed(&format!("{}, {} s", target.name, args.seconds), || {
            let mut row = place.fuzz(&program, target, args.seconds)?;
            (row.inputs, row.bytes) = place.keep(&program, target)?;
            row.coverage = place.coverage(root, &program, target, tools.as_ref())?;
            println!("   {} executions, {} inputs kept, {}", row.executions, row.inputs, row.coverage);
            Ok(row)
        })?;
        rows.push(row);
    }
    write_table(root, &compiler, args.seconds, &rows)?;
    let crashes: Vec<_> = rows.iter().filter_map(|row| row.crash.as_ref()).collect();
    match crashes.is_empty() {
        true => Ok(()),
        false => bail!("inputs that break a promise: {crashes:?}"),
    }
}

/// Builds the one program that holds all targets.
fn build(root: &Path, compiler: &Compiler, without_engine: bool) -> anyhow::Result<PathBuf> {
    let folder = target_folder(root).join("fuzz");
    let mut cargo = step::cargo(root);
    // Sanitizers and flags for one package are not stable, and this is no program that anybody runs.
    cargo.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", FLAGS).env_remove("CARGO_ENCODED_RUSTFLAGS");
    cargo.args(["build", "--manifest-path", "fuzz/libfuzzer/Cargo.toml", "--target", &compiler.host]);
    cargo.arg("--target-dir").arg(&folder).arg("-Zprofile-rustflags");
    cargo.args(without_engine.then_some("--no-default-features"));
    let counted = COUNTED.iter().take(if without_engine { WITHOUT_ENGINE } else { COUNTED.len() });
    // The targets too, because generic functions become code where they are called; and the program itself, else nothing
    // writes down what was counted.
    for name in counted.chain([&"orch-fuzz", &"orch-libfuzzer"]) {
        cargo.arg("--config").arg(format!("profile.dev.package.{name}.rustflags=['-Cinstrument-coverage']"));
    }
    step::run("build", &mut cargo)?;
    Ok(folder.join(&compiler.host).join("debug/orch-libfuzzer"))
}

fn list(program: &Path) -> anyhow::Result<Vec<Target>> {
    let text = output(fuzzer(program, "list").env("LLVM_PROFILE_FILE", "/dev/null"))?;
    let target = |line: &str| {
        let mut words = line.split_whitespace().map(str::to_owned);
        words.next().map(|name| Target { name, sources: words.collect() })
    };
    Ok(text.lines().filter_map(target).collect())
}

fn fuzzer(program: &Path, target: &str) -> Command {
    let mut command = Command::new(program);
    command.env("ORCH_FUZZ_TARGET", target);
    // Leaks are looked for by tracing the process, which not every machine lets one do. Names that a C compiler gives
    // to constants inside two functions of SQLite are the same, which is no fault.
    command.env("ASAN_OPTIONS", "detect_leaks=0:detect_odr_violation=0");
    command
}

/// Where everything of one target lies.
struct Place {
    corpus: PathBuf,
    work: PathBuf,
}

impl Place {
    fn of(root: &Path, name: &str) -> anyhow::Result<Self> {
        let place = Self {
            corpus: root.join("fuzz/corpus").join(name),
            work: target_folder(root).join("fuzz/work").join(name),
        };
        fs::create_dir_all(place.found()).context("cannot make the folder of found inputs")?;
        Ok(place)
    }

    /// Everything that was ever found.
    fn found(&self) -> PathBuf {
        self.work.join("found")
    }

    fn fuzz(&self, program: &Path, target: &Target, seconds: u64) -> anyhow::Result<Row> {
        let log_path = self.work.join("log");
        let log = File::create(&log_path).context("cannot write the log")?;
        let mut command = fuzzer(program, &target.name);
        command.env("LLVM_PROFILE_FILE", "/dev/null").arg(format!("-max_total_time={seconds}"));
        command.args(["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1", "-reload=0"]);
        command.arg(format!("-artifact_prefix={}/", self.work.display()));
        command.arg(self.found()).arg(&self.corpus);
        let code = step::status(&target.name, command.stdout(log.try_clone()?).stderr(log))?;
        let log = String::from_utf8_lossy(&fs::read(&log_path)?).into_owned();
        let field = |name: &str| log.lines().rev().find_map(|line| line.strip_prefix(name));
        let executions = field("stat::number_of_executed_units:").and_then(|text| text.trim().parse().ok());
        let crash = match code {
            0 => None,
            _ => {
                let written = log.lines().find_map(|line| line.split_once("Test unit written to "));
                Some(written.map_or(log_path, |(_, path)| PathBuf::from(path.trim())))
            }
        };
        Ok(Row {
            name: target.name.clone(),
            executions: executions.unwrap_or(0),
            inputs: 0,
            bytes: 0,
            coverage: String::new(),
            crash,
        })
    }

    /// Keeps the fewest and smallest inputs that together reach everything that was reached, within the limit; the
    /// valid examples come first. Count and bytes.
    fn keep(&self, program: &Path, target: &Target) -> anyhow::Result<(usize, u64)> {
        let merged = self.work.join("merged");
        let _ = fs::remove_dir_all(&merged);
        fs::create_dir_all(&merged).context("cannot make a folder")?;
        let mut files = files_of(&self.corpus)?;
        for (name, path, _) in files.iter().filter(|(name, ..)| name.starts_with("valid")) {
            fs::copy(path, merged.join(name)).context("cannot copy an example")?;
        }
        let mut merge = fuzzer(program, &target.name);
        merge.env("LLVM_PROFILE_FILE", "/dev/null").args(["-merge=1", "-timeout=10", "-rss_limit_mb=2048"]);
        // By what is reached, not by how often: that would keep hundreds of inputs for a loop.
        merge.arg("-use_counters=0");
        output(merge.arg(&merged).arg(&self.corpus).arg(self.found()))?;
        for (_, path, _) in files.iter().filter(|(name, ..)| !name.starts_with("valid")) {
            fs::remove_file(path).context("cannot remove an input")?;
        }
        let mut fresh = files_of(&merged)?;
        // Valid examples first, then the smallest.
        fresh.sort_by_key(|(name, _, bytes)| (!name.starts_with("valid"), *bytes));
        let mut sum = 0;
        for (name, path, bytes) in &fresh {
            sum += bytes;
            if sum > KEPT_BYTES_MAX && !name.starts_with("valid") {
                break;
            }
            fs::copy(path, self.corpus.join(name)).context("cannot keep an input")?;
        }
        files = files_of(&self.corpus)?;
        Ok((files.len(), files.iter().map(|(.., bytes)| bytes).sum()))
    }

    /// Lines of the reader that the kept inputs reach; edges of the whole program if nothing can count lines.
    fn coverage(
        &self,
        root: &Path,
        program: &Path,
        target: &Target,
        tools: Option<&LlvmTools>,
    ) -> anyhow::Result<String> {
        let (raw, profile) = (self.work.join("lines.profraw"), self.work.join("lines.profdata"));
        let mut replay = fuzzer(program, &target.name);
        replay.env("LLVM_PROFILE_FILE", &raw).arg("-runs=0").arg(&self.corpus);
        let done = replay.output().context("cannot replay the corpus")?;
        let log = String::from_utf8_lossy(&done.stderr).into_owned();
        let Some(tools) = tools else {
            let cov = log.lines().rev().find_map(|line| line.split_once(" cov: "));
            let reached = cov.and_then(|(_, rest)| rest.split_whitespace().next()).unwrap_or("0");
            return Ok(format!("{reached} edges"));
        };
        output(Command::new(&tools.profdata).args(["merge", "-sparse"]).arg(&raw).arg("-o").arg(&profile))?;
        let mut report = Command::new(&tools.cov);
        report.arg("report").arg(program).arg(format!("-instr-profile={}", profile.display()));
        report.arg("-sources").args(target.sources.iter().map(|source| root.join(source)));
        let text = output(&mut report)?;
        let mut shown = Vec::new();
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            // Name, then count, missed and share of regions, functions, lines.
            let [name, _, _, _, _, _, _, lines, missed, share, ..] = words.as_slice() else { continue };
            // The name lacks what the files have in common.
            let is_named = |source: &&String| Path::new(source).ends_with(name) || name.ends_with(*source);
            let file = target.sources.iter().find(is_named);
            let (Some(file), Ok(lines), Ok(missed)) = (file, lines.parse::<u64>(), missed.parse::<u64>())
            else {
                continue;
            };
            shown.push(format!("`{file}` {share} ({} of {lines})", lines - missed));
        }
        Ok(shown.join(", "))
    }
}

/// Name, path and size of each file of a folder, sorted.
fn files_of(folder: &Path) -> anyhow::Result<Vec<(String, PathBuf, u64)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list `{}`", folder.display()))? {
        let entry = entry?;
        files.push((entry.file_name().to_string_lossy().into_owned(), entry.path(), entry.metadata()?.len()));
    }
    files.sort();
    Ok(files)
}

/// Puts the rows into `docs/fuzzing.md`; those of other targets stay.
fn write_table(root: &Path, compiler: &Compiler, seconds: u64, rows: &[Row]) -> anyhow::Result<()> {
    let path = root.join("docs/fuzzing.md");
    let text = fs::read_to_string(&path).context("cannot read `docs/fuzzing.md`")?;
    let lines = text.lines().map(|line| {
        let named = line.strip_prefix("| `").and_then(|rest| rest.split_once('`')).map(|(name, _)| name);
        match rows.iter().find(|row| Some(row.name.as_str()) == named) {
            Some(row) => row.line(compiler, seconds),
            None => line.to_owned(),
        }
    });
    let mut lines: Vec<String> = lines.collect();
    for row in rows {
        if !lines.iter().any(|line| line.starts_with(&format!("| `{}` |", row.name))) {
            lines.push(row.line(compiler, seconds));
        }
    }
    fs::write(&path, format!("{}\n", lines.join("\n"))).context("cannot write `docs/fuzzing.md`")
}

impl Row {
    fn line(&self, compiler: &Compiler, seconds: u64) -> String {
        let Self { name, executions, inputs, bytes, coverage, crash } = self;
        let found = if crash.is_some() { "a crash" } else { "nothing" };
        let release = &compiler.release;
        format!(
            "| `{name}` | {seconds} s, {release} | {executions} | {found} | {inputs}, {bytes} bytes | {coverage} |"
        )
    }
}
