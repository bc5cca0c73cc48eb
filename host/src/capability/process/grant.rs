//! Which programs a grant names on this host, and which variables their commands get.
//!
//! In -> out: a permission, this host's `PATH` and variables -> [`ProcessGrant`]; what a command names -> [`Program`].
//! Invariant: a name means a program along `PATH`, never a file of the workspace whose path is not granted; a path in the
//! workspace is reached over no link that leaves it. Its last name may be a link to anywhere: the grant names that path, and
//! whoever may write there decides what runs.
//! Not here: which texts cover which (`orch-trust`'s `permission/process.rs`), starting programs (`processes.rs`).

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use orch_trust::permission::ProcessPermission;

use crate::capability::environment::HostEnvironment;
use crate::capability::files::beneath::{Workspace, WorkspacePath};

/// What the grant covers, resolved.
pub struct ProcessGrant {
    permission: ProcessPermission,
    /// Of each granted name, where it is along `PATH`, first first.
    found: BTreeMap<String, Vec<PathBuf>>,
    /// Of this host, by name; only such that may be handed on.
    variables: BTreeMap<String, OsString>,
}

/// A granted program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// As a permission would name it.
    pub name: String,
    /// Absolute.
    pub path: PathBuf,
}

/// Why there is no such program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoProgram {
    NotGranted,
    /// The name is granted, and along `PATH` it is only in the workspace, where no path of it is.
    InWorkspace,
    /// Not a path that could be granted.
    NoPath,
    Missing,
}

impl NoProgram {
    /// What there is to say besides that it is not granted.
    pub fn more(self) -> &'static str {
        match self {
            Self::InWorkspace => " in the workspace",
            Self::NoPath => ", which is no path inside the workspace",
            Self::NotGranted | Self::Missing => "",
        }
    }
}

impl ProcessGrant {
    pub fn new(permission: &ProcessPermission, host: &HostEnvironment) -> Self {
        let names = permission.programs.iter().filter(|program| !program.contains('/'));
        let along_path = |name: &String| {
            let paths = host.path.iter().map(|folder| folder.join(name)).filter(|path| is_program(path));
            (name.clone(), paths.collect())
        };
        let handed_on = |name: &str| Some((name.to_owned(), host.variables.get(name)?.clone()));
        Self {
            found: names.map(along_path).collect(),
            variables: permission.variables().filter_map(handed_on).collect(),
            permission: permission.clone(),
        }
    }

    /// The program that a command in that workspace means. `workspace`: absolute, without links.
    pub fn program(&self, wanted: &str, workspace: &Path) -> Result<Program, NoProgram> {
        if let Some(below) = Path::new(wanted).strip_prefix(workspace).ok().and_then(Path::to_str)
            && !self.permission.allows_program(wanted)
        {
            return self.in_workspace(below, workspace);
        }
        if wanted.starts_with('/') {
            let name = match self.permission.allows_program(wanted) {
                true => wanted.to_owned(),
                false => self.name_of(Path::new(wanted), workspace).ok_or(NoProgram::NotGranted)?,
            };
            return Ok(Program { name, path: PathBuf::from(wanted) });
        }
        match wanted.contains('/') {
            true => self.in_workspace(wanted, workspace),
            false => self.by_name(wanted, workspace),
        }
    }

    fn by_name(&self, wanted: &str, workspace: &Path) -> Result<Program, NoProgram> {
        let found = self.found.get(wanted).ok_or(NoProgram::NotGranted)?;
        let path = found.iter().find(|path| self.may_stand_for_name(path, workspace));
        match path {
            Some(path) => Ok(Program { name: wanted.to_owned(), path: path.clone() }),
            None if found.is_empty() => Err(NoProgram::Missing),
            None => Err(NoProgram::InWorkspace),
        }
    }

    /// The granted name that means that path.
    fn name_of(&self, path: &Path, workspace: &Path) -> Option<String> {
        let means = |name: &&String| self.by_name(name, workspace).is_ok_and(|program| program.path == path);
        self.found.keys().find(means).cloned()
    }

    /// A name must not mean a file that plugins or commands may have written.
    fn may_stand_for_name(&self, path: &Path, workspace: &Path) -> bool {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return false };
        // Over whatever links `PATH` leads there.
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        match folder.join(name).strip_prefix(workspace) {
            Err(_) => !path.starts_with(workspace),
            Ok(below) => below
                .to_str()
                .and_then(workspace_name)
                .is_some_and(|name| self.permission.allows_program(&name)),
        }
    }

    fn in_workspace(&self, wanted: &str, workspace: &Path) -> Result<Program, NoProgram> {
        let name = workspace_name(wanted).ok_or(NoProgram::NoPath)?;
        if !self.permission.allows_program(&name) {
            return Err(NoProgram::NotGranted);
        }
        let below =
            WorkspacePath::parse(name.strip_prefix("./").unwrap_or(&name)).map_err(|_| NoProgram::NoPath)?;
        let opened = Workspace::open(workspace).map_err(|_| NoProgram::Missing)?;
        match opened.has_program(&below) {
            true => Ok(Program { name, path: workspace.join(below.as_str()) }),
            false => Err(NoProgram::Missing),
        }
    }

    /// What its commands may reach: entries of `process.network`.
    pub fn network(&self) -> &[String] {
        &self.permission.network
    }

    /// True if a command of that program gets that variable, should the host have it.
    pub fn hands_on(&self, variable: &str, program: &str) -> bool {
        self.permission.hands_on(variable, program)
    }

    /// True if a command of some program gets it.
    pub fn hands_on_to_any(&self, variable: &str) -> bool {
        self.permission.variables().any(|granted| granted == variable)
    }

    /// The host's own values that a command of some program gets.
    pub fn handed_on_to_any(&self) -> BTreeMap<String, OsString> {
        self.variables.clone()
    }

    /// The host's own values that a command of that program gets.
    pub fn handed_on(&self, program: &str) -> BTreeMap<String, OsString> {
        let granted = self.variables.iter().filter(|(name, _)| self.permission.hands_on(name, program));
        granted.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// Where a granted name lies along `PATH` in the workspace, as a permission would name that path.
    pub fn in_workspace_along_path(&self, name: &str, workspace: &Path) -> Option<String> {
        let below = |path: &PathBuf| workspace_name(path.strip_prefix(workspace).ok()?.to_str()?);
        self.found.get(name)?.iter().find_map(below)
    }

    /// True if somebody else may say what that variable is for a command of some program.
    pub fn lets_set_for_any(&self, variable: &str) -> bool {
        self.permission.lets_set_for_any(variable)
    }

    /// True if somebody else may say what that variable is for a command of that program.
    pub fn lets_set(&self, variable: &str, program: &str) -> bool {
        self.permission.lets_set(variable, program)
    }
}

/// A path in the workspace as a permission names it.
pub(crate) fn workspace_name(path: &str) -> Option<String> {
    let mut path = path;
    while let Some(rest) = path.strip_prefix("./") {
        path = rest;
    }
    let plain = WorkspacePath::parse(path).is_ok() && !path.contains('*');
    match path.contains('/') {
        true => plain.then(|| path.to_owned()),
        false => plain.then(|| format!("./{path}")),
    }
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}
