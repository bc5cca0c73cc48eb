//! Runs one command line of a case.
//!
//! In -> out: [`Run`] -> exit status and what was said.
//! Limits: 120 s, then the program is killed and the case fails.
//! Invariant: the programs are those of the development build; `XDG_CONFIG_HOME` leads them to the case's operator.
//! Not here: terminals (`terminal.rs`).

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use orch_trust::digest::Sha256Digest;

use super::Run;
use super::terminal::Terminal;
use crate::{Workspace, binary, root};

const PROGRAMS: [&str; 3] = ["orch-host", "orch-plugin", "orch-certify"];
const WAIT_MAX: Duration = Duration::from_secs(120);
const WAIT: Duration = Duration::from_millis(5);

/// How a program ended and what it said.
pub(super) struct Played {
    pub(super) exit: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// What a program says, as it comes.
struct Heard {
    text: Arc<Mutex<Vec<u8>>>,
    thread: JoinHandle<()>,
}

impl Heard {
    fn listen(mut from: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let kept = text.clone();
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // The end of a terminal is an error.
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                kept.lock().unwrap().extend_from_slice(&buffer[..count]);
            }
        });
        Self { text, thread }
    }

    fn has(&self, word: &str) -> bool {
        String::from_utf8_lossy(&self.text.lock().unwrap()).contains(word)
    }

    fn all(self) -> String {
        self.thread.join().unwrap();
        String::from_utf8_lossy(&self.text.lock().unwrap()).into_owned()
    }
}

pub(super) fn play(run: &Run, workspace: &Workspace) -> Result<Played, String> {
    let mut command = command(&run.line, workspace)?;
    let terminal = run.answer.as_ref().map(|_| Terminal::open());
    command.stdout(Stdio::piped());
    match &terminal {
        Some(terminal) => command.stdin(terminal.child_end()).stderr(terminal.child_end()),
        None => command.stdin(Stdio::null()).stderr(Stdio::piped()),
    };
    let mut child = command.spawn().map_err(|error| format!("`{}`: {error}", run.line))?;
    // The child's ends of the terminal are its own now.
    drop(command);
    let stdout = Heard::listen(child.stdout.take().unwrap());
    let stderr = match (terminal, &run.answer) {
        (Some(terminal), Some(answer)) => Heard::listen(terminal.answer(answer)),
        _ => Heard::listen(child.stderr.take().unwrap()),
    };
    if let Some(word) = &run.until {
        let said = || stdout.has(word) || stderr.has(word);
        if !wait(|| said() || child.try_wait().unwrap().is_some()) || !said() {
            let _ = child.kill();
            return Err(format!("`{}` never said `{word}`\n{}{}", run.line, stdout.all(), stderr.all()));
        }
        interrupt(&child);
    }
    if !wait(|| child.try_wait().unwrap().is_some()) {
        let _ = child.kill();
        return Err(format!("`{}` does not end", run.line));
    }
    let status = child.wait().unwrap();
    let exit = status.code().ok_or_else(|| format!("`{}` was ended: {status}", run.line))?;
    Ok(Played { exit, stdout: stdout.all(), stderr: stderr.all() })
}

fn wait(mut over: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + WAIT_MAX;
    loop {
        match over() {
            true => return true,
            false if Instant::now() > until => return false,
            false => std::thread::sleep(WAIT),
        }
    }
}

fn interrupt(child: &Child) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
}

/// The word, or the digest of the file that it names as `$SHA256(FILE)`.
fn digest_of(word: &str, workspace: &Workspace) -> Result<String, String> {
    let Some(file) = word.strip_prefix("$SHA256(").and_then(|rest| rest.strip_suffix(')')) else {
        return Ok(word.to_owned());
    };
    let bytes = std::fs::read(workspace.path().join(file)).map_err(|error| format!("`{file}`: {error}"))?;
    Ok(Sha256Digest::of(&bytes).to_string())
}

/// `NAME=VALUE … PROGRAM ARGUMENTS`, in the workspace.
fn command(line: &str, workspace: &Workspace) -> Result<Command, String> {
    let newest = || workspace.reader().runs().unwrap().first().unwrap().id.clone();
    let said = if line.contains("$RUN") { line.replace("$RUN", &newest()) } else { line.to_owned() };
    let words = shlex::split(&said).ok_or_else(|| format!("`{line}` is no command line"))?;
    let words: Vec<String> = words.iter().map(|word| digest_of(word, workspace)).collect::<Result<_, _>>()?;
    let is_variable = |word: &String| {
        word.split_once('=')
            .is_some_and(|(name, _)| name.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_'))
    };
    let variables = words.iter().take_while(|word| is_variable(word)).count();
    let (variables, words) = words.split_at(variables);
    let [program, arguments @ ..] = words else { return Err(format!("`{line}` names no program")) };
    if !PROGRAMS.contains(&program.as_str()) {
        return Err(format!("`{program}` is none of {PROGRAMS:?}"));
    }
    let mut command = Command::new(binary(program));
    crate::hears_signals(&mut command);
    command.args(arguments).current_dir(workspace.path()).env_clear();
    // What building a plugin needs; nothing of it says where an operator's folder is.
    for name in ["PATH", "HOME", "CARGO_HOME", "RUSTUP_HOME", "XDG_CACHE_HOME"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.env("XDG_CONFIG_HOME", workspace.config_home()).env("NO_COLOR", "1");
    command.env("XDG_RUNTIME_DIR", workspace.outside());
    command.env("CARGO_TARGET_DIR", root().join("target/tmp/guests"));
    for variable in variables {
        if let Some((name, value)) = variable.split_once('=') {
            command.env(name, value);
        }
    }
    Ok(command)
}
