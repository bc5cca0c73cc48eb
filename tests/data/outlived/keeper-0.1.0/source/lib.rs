//! Executor: counts the lines of a file, keeps how often it did, and asks a program about it.

use orch_sdk::process::Command;
use orch_sdk::{
    Attempt, Completion, Error, Executor, Failure, Metric, Task, artifacts, files, kv, log, metrics, settings,
};

struct Keeper;

impl Executor for Keeper {
    fn execute(task: Task, attempt: Attempt) -> Result<Completion, Failure> {
        log::info(format_args!("task `{}`, attempt {}, settings {}", task.id, attempt.number, settings::read()));
        let failed = |error: Error| Failure::new(error.to_string());
        let text = files::read_text(&task.description, 1 << 20).map_err(failed)?;
        let lines = text.lines().count();
        let bucket = kv::Bucket::open("counts").map_err(failed)?;
        let before = bucket.value("runs").map_err(failed)?.unwrap_or_default();
        let runs = String::from_utf8_lossy(&before).parse::<u32>().unwrap_or(0) + 1;
        bucket.set("runs", runs.to_string().as_bytes()).map_err(failed)?;
        metrics::record(&Metric::new("keeper.lines", lines as f64, "1")).map_err(failed)?;
        artifacts::add_bytes("lines", "text/plain", lines.to_string().as_bytes()).map_err(failed)?;
        let asked = Command::new("wc").arg("-l").arg(&task.description).run().map_err(failed)?;
        Ok(Completion::new(format!("{lines} lines, run {runs}, wc says {}", asked.stdout_text().trim())))
    }
}

orch_sdk::export!(executor: Keeper);
