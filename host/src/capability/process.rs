//! `orch:process`: programs of the host, run in the workspace.
//!
//! In -> out: WIT commands -> [`ProcessRequest`] -> [`Processes`].
//! Limits: 1024 arguments of 128 KiB together, 64 variables of a plugin's, 1 MiB of each stream, the rest of the call's
//! wall time.
//! Invariant: only granted programs and variables (`process/grant.rs`); the folder is in the workspace, reached over no
//! link; what people say of the environment comes past the plugin, and into no log, error or journal.
//! Not here: starting and ending them (`processes.rs`), the sandbox around them (`sandbox.rs`).

pub mod backend;
pub mod env;
pub(crate) mod fake;
pub mod grant;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use orch_trust::interfaces::Import;
use orch_trust::permission::{ANY, DomainName, ProcessPermission};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wasmtime::component::Linker;

use self::env::CommandEnv;
use super::effect::GateClosed;
use super::environment::HostEnvironment;
use super::files::beneath::{FileError, Workspace, WorkspacePath};
use super::shape::{Capability, HasView, Holds, Kept, Opening, View};
use super::tape::Came;
use super::trial::Watched;
use crate::bindings::process::process::{Command, Exit, Host, Output, add_to_linker};
use crate::bindings::types::types::Error;
use backend::CAPTURE_BYTES_MAX;
pub use backend::{ProcessError, ProcessExit, ProcessOutput, ProcessRequest, Processes};
pub use grant::ProcessGrant;
use grant::{NoProgram, Program};

const ARGUMENTS_MAX: usize = 1024;
const ARGUMENT_BYTES_MAX: usize = 128 * 1024 - 1;
const VARIABLES_MAX: usize = 64;
const TAPED: &str = "process";

/// State of this capability in one store.
pub struct Process {
    granted: Arc<ProcessGrant>,
    folder: Arc<PathBuf>,
    processes: Arc<dyn Processes>,
    said: CommandEnv,
}

impl Process {
    pub fn new(
        granted: Arc<ProcessGrant>,
        folder: Arc<PathBuf>,
        processes: Arc<dyn Processes>,
        said: CommandEnv,
    ) -> Self {
        Self { granted, folder, processes, said }
    }

    /// The folder, or what the guest is told and why.
    fn directory(&self, directory: &str) -> Result<PathBuf, (Error, String)> {
        if directory.is_empty() {
            return Ok(self.folder.to_path_buf());
        }
        let path = WorkspacePath::parse(directory).map_err(|why| (Error::Invalid(why.clone()), why))?;
        let checked = Workspace::open(&self.folder).map_err(FileError::from);
        checked.and_then(|workspace| workspace.check_folder(&path)).map_err(|error| {
            let why = self.not_entered(&path, &error);
            match error {
                FileError::NotFound => (Error::NotFound, why),
                FileError::Io(error) if error.kind() != io::ErrorKind::PermissionDenied => {
                    (Error::Unavailable, why)
                }
                FileError::NotRegular | FileError::Io(_) => (Error::Invalid(why.clone()), why),
            }
        })?;
        Ok(self.folder.join(path.as_str()))
    }

    /// What a guest said of a command; its time is what the call had left.
    fn written(&self, request: &ProcessRequest) -> Vec<u8> {
        // A tree has another place each time.
        let beneath =
            |path: &Path| path.strip_prefix(&*self.folder).unwrap_or(path).to_string_lossy().into_owned();
        let (program, folder) = (beneath(&request.program), beneath(&request.directory));
        let variables: Vec<&String> = request.env.iter().map(|(name, _)| name).collect();
        let written = json!({ "program": program, "args": request.args, "variables": variables, "directory": folder,
                              "capture": request.capture_bytes });
        written.to_string().into_bytes()
    }

    /// Names the first part of the path that is no folder of the workspace.
    fn not_entered(&self, path: &WorkspacePath, error: &FileError) -> String {
        let mut beneath = PathBuf::new();
        for part in path.parts() {
            beneath.push(part);
            let shown = beneath.display();
            match self.folder.join(&beneath).symlink_metadata() {
                Ok(found) if found.is_dir() => {}
                Ok(found) if found.is_symlink() => return format!("folder `{shown}` is a link"),
                Ok(_) => return format!("`{shown}` is no folder"),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return format!("folder `{shown}` does not exist");
                }
                Err(error) => return format!("folder `{shown}`: {error}"),
            }
        }
        format!("folder `{}`: {error}", path.as_str())
    }
}

fn owned((name, value): (&str, &str)) -> (String, OsString) {
    (name.to_owned(), value.into())
}

fn invalid<T>(message: impl Into<String>) -> Result<T, Error> {
    Err(Error::Invalid(message.into()))
}

fn check_arguments(args: &[String]) -> Result<(), Error> {
    let bytes: usize = args.iter().map(String::len).sum();
    match args {
        _ if args.len() > ARGUMENTS_MAX => {
            invalid(format!("{} arguments, limit is {ARGUMENTS_MAX}", args.len()))
        }
        _ if bytes > ARGUMENT_BYTES_MAX => {
            invalid(format!("arguments of {bytes} bytes, limit is {ARGUMENT_BYTES_MAX}"))
        }
        _ if args.iter().any(|arg| arg.contains('\0')) => invalid("an argument has a NUL"),
        _ => Ok(()),
    }
}

impl Capability for Process {
    type Permission = ProcessPermission;
    type Granted = Arc<ProcessGrant>;

    fn grant(permission: ProcessPermission, host: &HostEnvironment) -> Arc<ProcessGrant> {
        Arc::new(ProcessGrant::new(&permission, host))
    }

    fn open(granted: &Arc<ProcessGrant>, opening: Opening<'_>) -> Self {
        let (folder, processes) = (opening.lent.workspace.clone(), opening.lent.processes.clone());
        Self::new(granted.clone(), folder, processes, opening.lent.env.clone())
    }

    fn link<S: Holds<Self>>(linker: &mut Linker<S>, _import: Import<'_>) -> wasmtime::Result<()> {
        add_to_linker::<_, HasView<Self>>(linker, S::view)
    }

    fn keep(self, _kept: &mut Kept) {}

    fn beyond(granted: Option<&ProcessPermission>, watched: &Watched<'_>) -> Vec<String> {
        let programs = granted.map(|granted| granted.programs.as_slice()).unwrap_or_default();
        let mut found = Vec::new();
        for request in watched.fakes.processes.requests() {
            let name = request.program.file_name().unwrap_or_default();
            // In a workspace that is not known here.
            let in_folder = |folder: &str, wanted: &str| {
                let parent = request.program.parent().is_some_and(|parent| parent.ends_with(folder));
                (parent || folder == ".") && (wanted == ANY || wanted == name)
            };
            let is_it = |program: &String| {
                program.as_str() == name
                    || Path::new(program) == request.program
                    || program.rsplit_once('/').is_some_and(|(folder, wanted)| in_folder(folder, wanted))
            };
            if !programs.iter().any(is_it) {
                found.push(format!("a program `{}` was started", name.to_string_lossy()));
            }
        }
        // A permission that names no program is one of effects all the same, so that the list lets this pass.
        let effects = watched.fakes.gate.effects();
        let intended = effects.iter().any(|effect| effect.domain() == Some(DomainName::Process));
        if granted.is_some() && programs.is_empty() && intended {
            found.push("an effect was recorded, though no program is granted".to_owned());
        }
        found
    }
}

impl View<'_, Process> {
    /// The request that a command stands for, or why it is refused.
    fn request(&mut self, command: Command) -> Result<ProcessRequest, Error> {
        let granted = self.state.granted.clone();
        let shown = |text: &str| text.chars().take(200).collect::<String>();
        let Program { name, path: program } = match granted.program(&command.program, &self.state.folder) {
            Ok(program) => program,
            Err(NoProgram::Missing) => {
                let wanted = shown(&command.program);
                let why = match wanted.contains('/') {
                    true => format!("no program `{wanted}` in the workspace, or a link on its way leads out"),
                    false => format!("no folder of `PATH` has a program `{wanted}`"),
                };
                return Err(self.ledger.refuse(Error::NotFound, why));
            }
            Err(why) => {
                let what = format!("program `{}`{}", shown(&command.program), why.more());
                return Err(self.ledger.deny("process", what));
            }
        };
        check_arguments(&command.args)?;
        if command.env.len() > VARIABLES_MAX {
            return invalid(format!("{} variables, limit is {VARIABLES_MAX}", command.env.len()));
        }
        let mut env = granted.handed_on(&name);
        let Some(of_task) = &self.state.said.task else {
            return invalid("`env` of the task is in no file any more: put it back, and retry the task");
        };
        // What of the workspace's is for other programs only is not for this one; a task has no other.
        let of_workspace = self.state.said.workspace.iter();
        env.extend(of_workspace.filter(|(variable, _)| granted.lets_set(variable, &name)).map(owned));
        if let Some(variable) = of_task.names().find(|variable| !granted.lets_set(variable, &name)) {
            return Err(self.ledger.deny("process", format!("variable `{variable}` for `{name}`")));
        }
        env.extend(of_task.iter().map(owned));
        for (variable, value) in command.env {
            if !granted.lets_set(&variable, &name) {
                return Err(self.ledger.deny("process", format!("variable `{}`", shown(&variable))));
            }
            if value.contains('\0') || value.len() > ARGUMENT_BYTES_MAX - variable.len() {
                return invalid(format!(
                    "value of `{variable}` has a NUL or more than {ARGUMENT_BYTES_MAX} bytes"
                ));
            }
            env.insert(variable, value.into());
        }
        if command.capture_bytes > CAPTURE_BYTES_MAX {
            return invalid(format!(
                "capture of {} bytes, limit is {CAPTURE_BYTES_MAX}",
                command.capture_bytes
            ));
        }
        let wall_left = self.wall_left();
        let timeout = match command.timeout_ms {
            0 => wall_left,
            asked => Duration::from_millis(asked).min(wall_left),
        };
        let directory = self.state.directory(&command.directory);
        let directory = directory.map_err(|(error, why)| self.ledger.refuse(error, why))?;
        let (env, capture_bytes) = (env.into_iter().collect(), command.capture_bytes);
        let network = granted.network().to_vec();
        let args = command.args;
        Ok(ProcessRequest { program, args, env, directory, timeout, wall_left, capture_bytes, network })
    }
}

fn head(mut bytes: Vec<u8>, bytes_max: u32) -> Vec<u8> {
    bytes.truncate(bytes_max as usize);
    bytes
}

impl Host for View<'_, Process> {
    async fn run(&mut self, command: Command) -> wasmtime::Result<Result<Output, Error>> {
        self.ledger.forget_reason();
        let request = match self.request(command) {
            Ok(request) => request,
            Err(error) => return Ok(Err(error)),
        };
        let question = self.ledger.tape.is_on().then(|| self.state.written(&request));
        if let Some(question) = &question
            && let Some(kept) = self.ledger.tape.told(TAPED, question)?
        {
            return Ok(self.again(request, &kept).await?);
        }
        let came = self.carry_out(request).await?;
        if let Some(question) = question {
            self.ledger.keep(TAPED, &question, &Came::of(&came, written));
        }
        Ok(came)
    }
}

impl View<'_, Process> {
    /// Tells what was kept of a command. What it does to the call's own tree is part of what the call makes, so it is run again
    /// where that is all it can do, and reaches nobody.
    async fn again(
        &mut self,
        request: ProcessRequest,
        kept: &[u8],
    ) -> Result<Result<Output, Error>, GateClosed> {
        let tape = &self.ledger.tape;
        let kept = Came::read(kept, read);
        let kept = kept.ok_or_else(|| tape.differs(TAPED, "the output that was kept is none".to_owned()))?;
        let request = ProcessRequest { network: Vec::new(), ..request };
        if let Ok(kept) = &kept
            && self.state.processes.is_kept_whole(&request)
        {
            let name = request.program.display().to_string();
            let now = self.carry_out(request).await?;
            if !now.is_ok_and(|now| how(&now.exit) == how(&kept.exit)) {
                let why = format!("`{}` ended in another way than with {:?}", name.escape_debug(), kept.exit);
                return Err(self.ledger.tape.differs(TAPED, why));
            }
        }
        Ok(kept)
    }

    /// Runs a command.
    async fn carry_out(&mut self, request: ProcessRequest) -> Result<Result<Output, Error>, GateClosed> {
        let capture_bytes = request.capture_bytes;
        match self.state.processes.is_kept_whole(&request) {
            true => self.ledger.go_on()?,
            false => self.ledger.intend(DomainName::Process, "process").await?,
        }
        let output = match self.state.processes.run(request, self.ledger.gate().clone()).await {
            Ok(output) => output,
            Err(ProcessError::NotFound { why }) => return Ok(Err(self.ledger.refuse(Error::NotFound, why))),
            Err(ProcessError::NotExecutable { why }) => {
                return Ok(Err(self.ledger.refuse(Error::Invalid(why.clone()), why)));
            }
            Err(ProcessError::NotStarted { why }) => {
                return Ok(Err(self.ledger.refuse(Error::Unavailable, why)));
            }
            // Nobody knows what became of the command: an answer that the guest could call retriable would hide that.
            Err(ProcessError::EndUnknown { why }) => {
                self.ledger.refuse(Error::Unavailable, why);
                return Err(GateClosed);
            }
            Err(ProcessError::Closed(closed)) => return Err(closed),
        };
        Ok(Ok(Output {
            exit: match output.exit {
                ProcessExit::Code(code) => Exit::Code(code),
                ProcessExit::Signal(signal) => Exit::Signal(signal),
                ProcessExit::TimedOut => Exit::TimedOut,
            },
            stdout: head(output.stdout, capture_bytes),
            stderr: head(output.stderr, capture_bytes),
            stdout_bytes: output.stdout_bytes,
            stderr_bytes: output.stderr_bytes,
            duration_ms: u64::try_from(output.duration.as_millis()).unwrap_or(u64::MAX),
        }))
    }
}

/// What was asked of a command and what came of it, as a run keeps it.
#[derive(Serialize, Deserialize)]
struct KeptOutput {
    code: Option<i32>,
    signal: Option<i32>,
    stdout: String,
    stderr: String,
    stdout_bytes: u64,
    stderr_bytes: u64,
    duration_ms: u64,
}

/// Its code, or the signal that ended it; neither: its time was over.
fn how(exit: &Exit) -> (Option<i32>, Option<i32>) {
    match exit {
        Exit::Code(code) => (Some(*code), None),
        Exit::Signal(signal) => (None, Some(*signal)),
        Exit::TimedOut => (None, None),
    }
}

fn written(output: &Output) -> Value {
    let (code, signal) = how(&output.exit);
    let Output { stdout_bytes, stderr_bytes, duration_ms, .. } = *output;
    let (stdout, stderr) = (STANDARD.encode(&output.stdout), STANDARD.encode(&output.stderr));
    json!(KeptOutput { code, signal, stdout, stderr, stdout_bytes, stderr_bytes, duration_ms })
}

fn read(kept: Value) -> Option<Output> {
    let KeptOutput { code, signal, stdout, stderr, stdout_bytes, stderr_bytes, duration_ms } =
        serde_json::from_value(kept).ok()?;
    let exit = match (code, signal) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::TimedOut,
    };
    let (stdout, stderr) = (STANDARD.decode(stdout).ok()?, STANDARD.decode(stderr).ok()?);
    Some(Output { exit, stdout, stderr, stdout_bytes, stderr_bytes, duration_ms })
}

#[cfg(test)]
mod tests;
