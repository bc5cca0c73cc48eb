//! Commands in a second, beside a loop of the standard library that starts and awaits the same command.
//!
//! `cargo run --release -p orch-supervisor --example rate [COMMANDS]`. Both at one at a time and at two.

use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use orch_supervisor::{Request, RunError, SupervisorPool, pump};

const PROGRAM: &str = "/bin/true";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let first = args.next();
    if first.as_deref() == Some(orch_supervisor::ARGUMENT) {
        return if orch_supervisor::serve().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let commands = first.and_then(|text| text.parse().ok()).unwrap_or(2_000);
    match measure(commands) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(commands: u32) -> Result<(), Box<dyn std::error::Error>> {
    let executable = std::env::current_exe()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    for jobs in [1, 2] {
        let bare = bare(commands, jobs)?;
        let piped = piped(commands, jobs)?;
        let pool = SupervisorPool::new(&executable, jobs as usize);
        // The supervisors' own start is not what is measured.
        runtime.block_on(supervised(&pool, jobs, jobs))?;
        let supervised = runtime.block_on(supervised(&pool, commands, jobs))?;
        println!(
            "{jobs} at once: bare {bare:.0}/s, bare with two pipes {piped:.0}/s, supervised {supervised:.0}/s \
             ({:.0} % and {:.0} %)",
            100.0 * supervised / bare,
            100.0 * supervised / piped
        );
    }
    Ok(())
}

/// As `xargs -P`: no pipes, and the kernel alone sees to descendants.
fn bare(commands: u32, jobs: u32) -> std::io::Result<f64> {
    each_thread(commands, jobs, || {
        let mut command = Command::new(PROGRAM);
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().map(|_| ())
    })
}

/// With its output read, as somebody must who keeps it.
fn piped(commands: u32, jobs: u32) -> std::io::Result<f64> {
    each_thread(commands, jobs, || {
        Command::new(PROGRAM).env_clear().stdin(Stdio::null()).output().map(|_| ())
    })
}

fn each_thread(
    commands: u32,
    jobs: u32,
    once: impl Fn() -> std::io::Result<()> + Copy + Send,
) -> std::io::Result<f64> {
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let work = move || (0..commands / jobs).try_for_each(|_| once());
        let threads: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|_| Err(std::io::Error::other("panic"))))
    })?;
    Ok(f64::from(commands) / begun.elapsed().as_secs_f64())
}

async fn supervised(
    pool: &SupervisorPool,
    commands: u32,
    jobs: u32,
) -> Result<f64, Box<dyn std::error::Error>> {
    let begun = Instant::now();
    let work = |pool: SupervisorPool| async move {
        for _ in 0..commands / jobs {
            let running = pool.run(Request::new(PROGRAM, "/")).await?;
            pump(running, &mut tokio::io::sink(), 1 << 10).await?;
        }
        Ok::<(), RunError>(())
    };
    let threads: Vec<_> = (0..jobs).map(|_| tokio::spawn(work(pool.clone()))).collect();
    for thread in threads {
        thread.await??;
    }
    Ok(f64::from(commands) / begun.elapsed().as_secs_f64())
}
