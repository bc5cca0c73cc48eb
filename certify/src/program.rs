//! Programs that checks need: cargo, git, and tools of others.
//!
//! In -> out: [`Request`] -> what it printed and its exit code, or why there is neither.
//! Limits: the request's timeout; 16 MiB of output.
//! Invariant: an absolute path and an environment that is spelled out; a program that did not end by itself within
//! its time, or said more than the limit, said nothing; when it is over no descendant of it is left.
//! Not here: which programs there are (`outside.rs`), the limits that they inherit (`confine.rs`).

use std::io;

use orch_supervisor::{Exit, Log, Output, Request, RunError, StartStep, SupervisorPool, pump};

/// Of both streams together.
const OUTPUT_BYTES_MAX: u64 = 16 << 20;
const TRACE_CHARACTERS_MAX: usize = 400;

/// What a program said.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Said {
    /// The last that it said on standard error, short enough for a finding.
    pub(crate) fn trace(&self) -> String {
        let text = self.stderr.trim();
        let skipped = text.chars().count().saturating_sub(TRACE_CHARACTERS_MAX);
        text.chars().skip(skipped).map(|letter| if letter == '\n' { ' ' } else { letter }).collect()
    }

    /// Its standard output without the line end, if it ended well.
    pub(crate) fn line(self, name: &str) -> Result<String, String> {
        match (self.code, String::from_utf8(self.stdout.clone())) {
            (0, Ok(text)) => Ok(text.trim_end_matches(['\n', '\r']).to_owned()),
            (0, Err(_)) => Err(format!("tool-output: `{name}` did not say text")),
            (code, _) => Err(format!("tool-failed: `{name}` ended with {code}: {}", self.trace())),
        }
    }
}

/// Runs a program to its end. `name` is what findings call it.
///
/// # Errors
/// A finding: `tool-not-started`, `sandbox-lacking`, `tool-timeout`, `tool-crashed`, `tool-output`.
pub(crate) fn run(name: &str, request: Request) -> Result<Said, String> {
    let broken = |error: &dyn std::fmt::Display| format!("tool-not-started: `{name}`: {error}");
    let lacking = |step: StartStep, error: &dyn std::fmt::Display| {
        format!("sandbox-lacking: `{name}` was not started: this machine does not give its {step}: {error}")
    };
    // This very program is the supervisor: see `main.rs`.
    let own = std::env::current_exe().map_err(|error| broken(&error))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| broken(&error))?;
    let mut counted = Counted { left: OUTPUT_BYTES_MAX };
    let ended = runtime.block_on(async {
        let pool = SupervisorPool::new(own, 1);
        let running = pool.run(request).await?;
        pump(running, &mut counted, OUTPUT_BYTES_MAX).await
    });
    match ended {
        Ok(output) => judge(name, output),
        Err(RunError::Log { .. }) => {
            Err(format!("tool-output: `{name}` said more than {OUTPUT_BYTES_MAX} bytes"))
        }
        Err(RunError::NotStarted {
            step: step @ (StartStep::Namespaces | StartStep::Sandbox(_)),
            source,
            ..
        }) => Err(lacking(step, &source)),
        Err(error) => Err(broken(&error)),
    }
}

/// Counts what a program says, and fails at too much: then the program is ended at once.
struct Counted {
    left: u64,
}

impl Log for Counted {
    async fn keep(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(())
    }

    async fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn judge(name: &str, output: Output) -> Result<Said, String> {
    let code = match output.ended.exit {
        Exit::Code(code) => code,
        Exit::Signal(signal) => return Err(format!("tool-crashed: `{name}`: signal {signal}")),
        Exit::Beyond(limit) => return Err(format!("tool-crashed: `{name}`: beyond its limit ({limit:?})")),
        Exit::TimedOut | Exit::Cancelled => {
            return Err(format!("tool-timeout: `{name}` did not end in time"));
        }
    };
    let stderr = String::from_utf8_lossy(&output.stderr.captured).into_owned();
    Ok(Said { code, stdout: output.stdout.captured, stderr })
}
