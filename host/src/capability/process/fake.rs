//! The fake of `orch:process`: starts nothing; a command ends as the script says, else in the way of the mood.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Deserialize;

use super::backend::{
    CAPTURE_BYTES_MAX, ProcessError, ProcessExit, ProcessOutput, ProcessRequest, Processes,
};
use crate::capability::effect::Boxed;
use crate::capability::effect::{EffectGate, EffectRecord};
use crate::capability::mood::{Mood, lock, remember};

/// A command and how it ends.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptedCommand {
    /// Name of the program's file.
    pub program: String,
    #[serde(default)]
    pub args: Vec<String>,
    #[serde(default)]
    pub ends: Ends,
    #[serde(default)]
    pub stdout: String,
    #[serde(default)]
    pub stderr: String,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ends {
    Code(i32),
    Signal(i32),
    TimedOut,
}

impl Default for Ends {
    fn default() -> Self {
        Self::Code(0)
    }
}

#[derive(Default)]
pub struct FakeProcesses {
    mood: Mood,
    /// None: every command is answered.
    script: Option<Mutex<VecDeque<ScriptedCommand>>>,
    /// Commands that were not next in the script.
    unscripted: Mutex<Vec<String>>,
    requests: Mutex<Vec<ProcessRequest>>,
}

impl FakeProcesses {
    pub(crate) fn new(mood: Mood) -> Self {
        Self { mood, ..Self::default() }
    }

    pub(crate) fn scripted(commands: impl IntoIterator<Item = ScriptedCommand>) -> Self {
        Self { script: Some(Mutex::new(commands.into_iter().collect())), ..Self::default() }
    }

    pub fn requests(&self) -> Vec<ProcessRequest> {
        lock(&self.requests).clone()
    }

    /// The requests as text, without times.
    pub(crate) fn record(&self) -> Vec<String> {
        let text = |request: &ProcessRequest| {
            let ProcessRequest { program, args, env, capture_bytes, .. } = request;
            format!("{program:?} {args:?} {env:?} {capture_bytes}")
        };
        lock(&self.requests).iter().map(text).collect()
    }

    /// What differed from the script: commands that came and were not next, and those that never came.
    pub fn differences(&self) -> Vec<String> {
        let mut out = lock(&self.unscripted).clone();
        for command in self.script.iter().flat_map(|script| lock(script).clone()) {
            out.push(format!("commands: {} never came", shown(&command.program, &command.args)));
        }
        out
    }

    fn answer(&self, request: &ProcessRequest) -> Result<ProcessOutput, ProcessError> {
        let Some(script) = &self.script else { return in_mood(self.mood, request) };
        let program = request.program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut left = lock(script);
        let is_next = left.front().is_some_and(|next| next.program == program && next.args == request.args);
        match left.pop_front_if(|_| is_next) {
            Some(command) => Ok(ended(command.ends, command.stdout.into(), command.stderr.into())),
            None => {
                let next =
                    left.front().map_or("no command".to_owned(), |next| shown(&next.program, &next.args));
                let found = shown(&program, &request.args);
                remember(&self.unscripted, format!("commands: expected {next}, found {found}"));
                Err(missing(request))
            }
        }
    }
}

impl Processes for FakeProcesses {
    fn run(
        &self,
        request: ProcessRequest,
        effects: Arc<dyn EffectGate>,
    ) -> Boxed<'_, Result<ProcessOutput, ProcessError>> {
        Box::pin(async move {
            let program = request.program.display().to_string();
            // No process has these.
            let (pid, start_ticks, boot_id) = (0, 0, String::new());
            effects.record(EffectRecord::ProcessStarted { program, pid, start_ticks, boot_id }).await?;
            let kept = usize::try_from(request.capture_bytes).unwrap_or(usize::MAX);
            let answer = self.answer(&request).map(|mut output| {
                // As the host does: no more than was asked for.
                output.stdout.truncate(kept);
                output.stderr.truncate(kept);
                output
            });
            remember(&self.requests, request);
            answer
        })
    }
}

/// What comes of a command in that mood.
fn in_mood(mood: Mood, request: &ProcessRequest) -> Result<ProcessOutput, ProcessError> {
    let both = |ends, stream: Vec<u8>| Ok(ended(ends, stream.clone(), stream));
    match mood {
        Mood::Good | Mood::Empty | Mood::Full | Mood::Closed => both(Ends::Code(0), Vec::new()),
        Mood::Failing => both(Ends::Code(1), b"error: it did not work\n".to_vec()),
        Mood::Killed => both(Ends::Signal(9), Vec::new()),
        Mood::TimedOut => both(Ends::TimedOut, Vec::new()),
        Mood::Garbage => both(Ends::Code(i32::MIN), vec![0xff, 0, 0xc3, 0x28, 0x1b]),
        Mood::Huge => both(Ends::Code(0), vec![b'x'; CAPTURE_BYTES_MAX as usize]),
        Mood::Missing => Err(missing(request)),
        Mood::Unavailable => {
            Err(ProcessError::NotStarted { why: "the system starts no more processes".to_owned() })
        }
    }
}

fn missing(request: &ProcessRequest) -> ProcessError {
    ProcessError::NotFound { why: format!("`{}` does not exist", request.program.display()) }
}

fn ended(ends: Ends, stdout: Vec<u8>, stderr: Vec<u8>) -> ProcessOutput {
    let exit = match ends {
        Ends::Code(code) => ProcessExit::Code(code),
        Ends::Signal(signal) => ProcessExit::Signal(signal),
        Ends::TimedOut => ProcessExit::TimedOut,
    };
    let (stdout_bytes, stderr_bytes) = (stdout.len() as u64, stderr.len() as u64);
    ProcessOutput { exit, stdout, stderr, stdout_bytes, stderr_bytes, duration: Duration::from_millis(1) }
}

fn shown(program: &str, args: &[String]) -> String {
    format!(
        "`{}`",
        std::iter::once(program).chain(args.iter().map(String::as_str)).collect::<Vec<_>>().join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(program: &str, args: &[&str]) -> ProcessRequest {
        ProcessRequest {
            program: format!("/usr/bin/{program}").into(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            env: Vec::new(),
            directory: "/".into(),
            timeout: Duration::from_secs(1),
            wall_left: Duration::from_secs(1),
            capture_bytes: 2,
            network: Vec::new(),
        }
    }

    #[tokio::test]
    async fn commands_come_in_the_script_s_order_or_not_at_all() {
        let script = r#"[{"program": "python3", "args": ["-V"], "stdout": "3.11"}, {"program": "git"}]"#;
        let commands: Vec<ScriptedCommand> = serde_json::from_str(script).unwrap();
        let processes = FakeProcesses::scripted(commands);
        let gate = || Arc::new(crate::capability::effect::fake::FakeGate::default());
        assert!(processes.run(request("git", &[]), gate()).await.is_err());
        let output = processes.run(request("python3", &["-V"]), gate()).await.unwrap();
        assert_eq!((output.stdout, output.stdout_bytes), (b"3.".to_vec(), 4));
        let differences = processes.differences();
        assert_eq!(
            differences,
            ["commands: expected `python3 -V`, found `git`", "commands: `git` never came"]
        );
    }
}
