//! Reports a thousand findings or metrics of the longest kind, as its task says, also as a verifier, or keeps the same 8 MiB again.
//! Ends as: done until the run has no room for more, then limit-findings, or limit-kv.

use orch_sdk::{
    Attempt, Category, Completion, Executor, Failure, Finding, Metric, Severity, Subject, Task, Verifier,
    findings, kv, metrics,
};

const EACH: usize = 1000;
/// Together 8 MiB.
const VALUES: usize = 128;
const VALUE_BYTES: usize = 64 << 10;

pub struct ReportsWithoutEnd;

/// Six times as long when it is written down.
fn escaped(bytes: usize) -> String {
    "\u{1b}".repeat(bytes)
}

fn finding() -> Finding {
    Finding::new(Severity::Minor, Category::Custom, escaped(4096))
}

impl Executor for ReportsWithoutEnd {
    fn execute(task: Task, _attempt: Attempt) -> Result<Completion, Failure> {
        match task.description.as_str() {
            "findings" => (0..EACH).try_for_each(|_| findings::report(&finding()))?,
            "metrics" => {
                let metric = (0..16).fold(Metric::new("hostile.size", 1.0, "1"), |metric, nth| {
                    metric.with(format!("{nth:02}"), escaped(254))
                });
                (0..EACH).try_for_each(|_| metrics::record(&metric))?;
            }
            "values" => {
                let bucket = kv::Bucket::open("notes")?;
                let value = vec![0xff; VALUE_BYTES];
                (0..VALUES).try_for_each(|nth| bucket.set(&format!("{nth:03}"), &value))?;
            }
            _ => {}
        }
        Ok(Completion::new("reported"))
    }
}

impl Verifier for ReportsWithoutEnd {
    fn verify(_subject: Subject) -> Result<Vec<Finding>, Failure> {
        Ok((0..EACH).map(|_| finding()).collect())
    }
}

orch_sdk::export!(executor: ReportsWithoutEnd, verifier: ReportsWithoutEnd);
