//! What commands cost: with full logs beside `xargs -P`, without a sandbox and in one, both at level `process`; a start beside
//! `bwrap`; and not running them because nothing changed beside reading their inputs' metadata once.
//!
//! In -> out: a host, an operator -> Markdown on standard output.
//! Both do the same work with the same number of processes at once; `xargs` writes what each command prints into a file of its
//! own by a shell, as people do who use it so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, ensure};
use clap::Args;
use orch_supervisor::{Exit, Place as Seen, Request, SupervisorPool, Walls, system_places};

use crate::figures::median;

/// What is measured, and where.
#[derive(Args, Clone)]
pub(crate) struct CommandsArgs {
    /// Folder of the operator who trusts the packages
    #[arg(long)]
    config_home: PathBuf,
    /// Folder for the workspaces
    #[arg(long)]
    work: PathBuf,
    /// `orch-host`
    #[arg(long)]
    host: PathBuf,
    /// Commands of each kind
    #[arg(long, default_value_t = 1000)]
    commands: usize,
    /// Tasks that are up to date, and files that each reads
    #[arg(long, default_value_t = 10_000)]
    fresh: usize,
    #[arg(long, default_value_t = 5)]
    inputs: usize,
    /// At once
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Rounds, in turns; the median is shown
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// A line for `sh` and what it stands for.
const LINES: [(&str, &str); 3] = [
    ("prints a line", "echo done"),
    ("works 20 ms, prints 4 KiB", "seq 1000; sleep 0.02"),
    ("prints 1 MiB", "yes 0123456789 | head -c 1048576"),
];

pub(crate) fn measure(args: &CommandsArgs) -> anyhow::Result<()> {
    let sandboxed = sandboxed(args)?;
    println!(
        "| command | commands | host, s | in the sandbox, s | `xargs -P {}`, s | of `xargs` | in the sandbox |",
        args.jobs
    );
    println!("|---|---|---|---|---|---|---|");
    for (what, line) in LINES {
        let (mut ours, mut confined, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..args.rounds {
            let folder = args.work.join(format!("commands-{round}"));
            let tasks = (0..args.commands)
                .map(|task| format!("- {{id: t{task}, command: {}}}\n", serde_json::Value::from(line)));
            let tasks = tasks.collect::<String>();
            ours.push(run(args, &folder, &tasks)?);
            confined.push(run(&sandboxed, &folder, &tasks)?);
            theirs.push(xargs(args, &args.work.join("xargs"), line)?);
        }
        let (ours, confined, theirs) = (median(ours), median(confined), median(theirs));
        println!(
            "| {what} | {} | {ours:.2} | {confined:.2} | {theirs:.2} | {:.0} % | {:.0} % |",
            args.commands,
            100.0 * theirs / ours,
            100.0 * theirs / confined
        );
    }
    starts(args)?;
    fresh(args)
}

/// The same operator, who requires a sandbox.
fn sandboxed(args: &CommandsArgs) -> anyhow::Result<CommandsArgs> {
    let config_home = args.work.join("sandboxed");
    clean(&config_home)?;
    let copied =
        Command::new("cp").args(["-a", "--"]).arg(args.config_home.join(".")).arg(&config_home).status();
    ensure!(copied.context("cannot start cp")?.success(), "cannot copy `{}`", args.config_home.display());
    let policy = config_home.join("policy.toml");
    let text = fs::read_to_string(&policy)?;
    ensure!(text.contains("mode = \"off\""), "`{}` says nothing of a sandbox", policy.display());
    fs::write(&policy, text.replace("mode = \"off\"", "mode = \"require\""))?;
    Ok(CommandsArgs { config_home, ..args.clone() })
}

/// Milliseconds of a program that does nothing, each started by the same supervisor.
fn starts(args: &CommandsArgs) -> anyhow::Result<()> {
    let work = args.work.canonicalize()?;
    let bare = Request::new("/bin/true", &work);
    let places = system_places().into_iter().chain([Seen::write(&work)]).collect();
    let walls = Request { sandbox: Walls::around(places).into(), ..bare.clone() };
    let mut kinds = vec![("bare", bare), ("sandbox", walls)];
    let found = std::env::var_os("PATH").and_then(|path| {
        std::env::split_paths(&path).map(|folder| folder.join("bwrap")).find(|bwrap| bwrap.is_file())
    });
    kinds.extend(
        found.map(|bwrap| ("bwrap", Request { args: of_bwrap(&work), ..Request::new(bwrap, &work) })),
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let pool = SupervisorPool::new(&args.host, 1);
    let mut took: Vec<Vec<f64>> = kinds.iter().map(|_| Vec::new()).collect();
    runtime.block_on(async {
        for _ in 0..args.commands {
            for ((_, request), took) in kinds.iter().zip(&mut took) {
                let begun = Instant::now();
                let ended = pool.run(request.clone()).await?.wait().await?;
                ensure!(
                    ended.exit == Exit::Code(0),
                    "`{}` ended with {:?}",
                    request.program.display(),
                    ended.exit
                );
                took.push(begun.elapsed().as_secs_f64() * 1000.0);
            }
        }
        anyhow::Ok(())
    })?;
    let medians: Vec<f64> = took.into_iter().map(median).collect();
    println!();
    println!("| `/bin/true`, started by a supervisor | ms | of bare |");
    println!("|---|---|---|");
    for ((what, _), ms) in kinds.iter().zip(&medians) {
        println!("| {what} | {ms:.2} | {:.2} |", ms / medians.first().copied().unwrap_or(f64::NAN));
    }
    println!();
    Ok(())
}

/// The same walls, as far as it has them.
fn of_bwrap(work: &Path) -> Vec<std::ffi::OsString> {
    let mut args: Vec<std::ffi::OsString> =
        ["--unshare-all", "--die-with-parent", "--ro-bind", "/usr", "/usr"]
            .into_iter()
            .chain([
                "--symlink",
                "usr/bin",
                "/bin",
                "--symlink",
                "usr/lib",
                "/lib",
                "--symlink",
                "usr/lib64",
                "/lib64",
            ])
            .chain(["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--bind"])
            .map(Into::into)
            .collect();
    args.extend([work.into(), work.into(), "/bin/true".into()]);
    args
}

fn clean(folder: &Path) -> anyhow::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))
}

const CONFIG: &str =
    "roles: {planner: demo/planner-priority, executors: {shell: demo/executor-shell}}\njobs: JOBS\n";

/// Seconds of a whole run in a new workspace.
fn run(args: &CommandsArgs, folder: &Path, tasks: &str) -> anyhow::Result<f64> {
    clean(folder)?;
    fs::write(folder.join("config.yaml"), CONFIG.replace("JOBS", &args.jobs.to_string()))?;
    fs::write(folder.join("tasks.yml"), tasks)?;
    run_again(args, folder)
}

fn run_again(args: &CommandsArgs, folder: &Path) -> anyhow::Result<f64> {
    let mut host = Command::new(&args.host);
    // What `xargs` promises is less still: that nothing is lost with the process.
    host.args(["run", "--trust-workspace", "--durability", "process", "--config-home"]);
    host.arg(&args.config_home).current_dir(folder);
    let begun = Instant::now();
    let output = host.stdout(Stdio::null()).output().context("cannot start the host")?;
    let took = begun.elapsed().as_secs_f64();
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(took)
}

/// Seconds that `xargs` takes for the same commands, each with its output in a file.
fn xargs(args: &CommandsArgs, folder: &Path, line: &str) -> anyhow::Result<f64> {
    clean(folder)?;
    let names: String = (0..args.commands).map(|task| format!("t{task}\n")).collect();
    fs::write(folder.join("names"), names)?;
    let mut xargs = Command::new("xargs");
    xargs.args(["-P", &args.jobs.to_string(), "-I{}", "sh", "-c", &format!("{{ {line}; }} > log-{{}} 2>&1")]);
    xargs.current_dir(folder).stdin(fs::File::open(folder.join("names"))?);
    let begun = Instant::now();
    ensure!(xargs.status().context("cannot start xargs")?.success(), "xargs failed");
    Ok(begun.elapsed().as_secs_f64())
}

/// A run in which nothing changed, beside a look at the metadata of all files.
fn fresh(args: &CommandsArgs) -> anyhow::Result<()> {
    let folder = args.work.join("fresh");
    let mut tasks = String::new();
    clean(&folder)?;
    let mut files = Vec::new();
    for task in 0..args.fresh {
        let inside = folder.join(format!("in/{}", task / 100));
        fs::create_dir_all(&inside)?;
        let names: Vec<String> =
            (0..args.inputs).map(|file| format!("in/{}/f{task}-{file}", task / 100)).collect();
        for name in &names {
            fs::write(folder.join(name), name)?;
        }
        tasks.push_str(&format!("- {{id: t{task}, kind: note, inputs: [{}]}}\n", names.join(", ")));
        files.extend(names);
    }
    fs::write(
        folder.join("config.yaml"),
        "roles: {planner: demo/planner-priority, executors: {note: demo/executor-note}}\n",
    )?;
    fs::write(folder.join("tasks.yml"), tasks)?;
    let first = run_again(args, &folder)?;
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..args.rounds {
        // Nothing is read whose times are too young to tell: wait until they are not.
        std::thread::sleep(std::time::Duration::from_secs(3));
        ours.push(run_again(args, &folder)?);
        let begun = Instant::now();
        for file in &files {
            fs::metadata(folder.join(file))?;
        }
        bare.push(begun.elapsed().as_secs_f64());
    }
    println!();
    println!(
        "| tasks that are up to date | files | first run, s | nothing changed, s | `stat` of all files, s |"
    );
    println!("|---|---|---|---|---|");
    println!("| {} | {} | {first:.2} | {:.2} | {:.3} |", args.fresh, files.len(), median(ours), median(bare));
    Ok(())
}
