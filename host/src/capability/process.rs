//! `orch:process`: programs of the host, run in the workspace.
//!
//! In -> out: WIT commands -> [`ProcessRequest`] -> [`Processes`].
//! Limits: 1024 arguments of 128 KiB together, 64 variables, 1 MiB of each stream, the rest of the call's wall time.
//! Invariant: only granted programs, looked up once when the plugin is linked; the environment is empty but for
//! granted names; the folder is in the workspace, reached over no link.
//! Not here: starting and ending them (`processes.rs`), a sandbox around them.

pub mod backend;
pub(crate) mod fake;

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use orch_trust::interfaces::Import;
use orch_trust::permission::{DomainName, ProcessPermission};
use wasmtime::component::Linker;

use super::effect::GateClosed;
use super::files::beneath::{FileError, Workspace, WorkspacePath};
use super::shape::{Capability, HasView, Holds, HostEnvironment, Kept, Opening, View};
use super::trial::Watched;
use crate::bindings::process::process::{Command, Exit, Host, Output, add_to_linker};
use crate::bindings::types::types::Error;
use backend::CAPTURE_BYTES_MAX;
pub use backend::{ProcessError, ProcessExit, ProcessOutput, ProcessRequest, Processes};

const ARGUMENTS_MAX: usize = 1024;
const ARGUMENT_BYTES_MAX: usize = 128 * 1024;
const VARIABLES_MAX: usize = 64;

fn look_up(host: &HostEnvironment, program: &str) -> Option<PathBuf> {
    if program.starts_with('/') {
        return Some(PathBuf::from(program));
    }
    host.path.iter().map(|folder| folder.join(program)).find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// What the grant covers, resolved.
pub struct ProcessGrant {
    /// As granted; no path: there is no such program.
    programs: BTreeMap<String, Option<PathBuf>>,
    names: Vec<String>,
    /// Granted variables that this host has.
    variables: BTreeMap<String, String>,
}

impl ProcessGrant {
    pub fn new(permission: &ProcessPermission, host: &HostEnvironment) -> Self {
        let programs = permission.programs.iter().map(|program| (program.clone(), look_up(host, program)));
        let handed_on = |name: &String| Some((name.clone(), host.variables.get(name)?.clone()));
        Self {
            programs: programs.collect(),
            names: permission.env.clone(),
            variables: permission.env.iter().filter_map(handed_on).collect(),
        }
    }

    /// The program of that name or absolute path; `None` if it is not granted.
    fn program(&self, wanted: &str) -> Option<Result<&PathBuf, Error>> {
        if let Some(path) = self.programs.get(wanted) {
            return Some(path.as_ref().ok_or(Error::NotFound));
        }
        self.programs.values().flatten().find(|path| path.as_os_str() == wanted).map(Ok)
    }
}

/// State of this capability in one store.
pub struct Process {
    granted: Arc<ProcessGrant>,
    folder: Arc<PathBuf>,
    processes: Arc<dyn Processes>,
}

impl Process {
    pub fn new(granted: Arc<ProcessGrant>, folder: Arc<PathBuf>, processes: Arc<dyn Processes>) -> Self {
        Self { granted, folder, processes }
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
        Self::new(granted.clone(), folder, processes)
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
            let is_it = |program: &String| program.as_str() == name || Path::new(program) == request.program;
            if !programs.iter().any(is_it) {
                found.push(format!("a program `{}` was started", name.to_string_lossy()));
            }
        }
        // A permission that names no program is one of effects all the same, so that the list lets this pass.
        let effects = watched.fakes.gate.effects();
        let intended = effects.iter().any(|effect| effect.domain() == DomainName::Process);
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
        let Some(program) = granted.program(&command.program) else {
            return Err(self.ledger.deny("process", format!("program `{}`", shown(&command.program))));
        };
        let program = program.cloned().map_err(|error| {
            self.ledger.refuse(error, format!("no folder of `PATH` has a program `{}`", command.program))
        })?;
        // A name must not mean a file that plugins or commands may have written.
        if !granted.programs.contains_key(program.to_str().unwrap_or_default())
            && program.starts_with(&**self.state.folder)
        {
            return Err(self
                .ledger
                .deny("process", format!("program `{}` in the workspace", shown(&command.program))));
        }
        check_arguments(&command.args)?;
        if command.env.len() > VARIABLES_MAX {
            return invalid(format!("{} variables, limit is {VARIABLES_MAX}", command.env.len()));
        }
        let mut env = granted.variables.clone();
        for (name, value) in command.env {
            if !granted.names.contains(&name) {
                return Err(self.ledger.deny("process", format!("variable `{}`", shown(&name))));
            }
            if value.contains('\0') || value.len() > ARGUMENT_BYTES_MAX {
                return invalid(format!(
                    "value of `{name}` has a NUL or more than {ARGUMENT_BYTES_MAX} bytes"
                ));
            }
            env.insert(name, value);
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
        Ok(ProcessRequest { program, args: command.args, env, directory, timeout, wall_left, capture_bytes })
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
        let capture_bytes = request.capture_bytes;
        self.ledger.intend(DomainName::Process, "process").await?;
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
                return Err(GateClosed.into());
            }
            Err(ProcessError::Closed(closed)) => return Err(closed.into()),
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

#[cfg(test)]
mod tests;
