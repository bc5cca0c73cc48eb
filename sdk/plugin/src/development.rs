//! The author's own host, on which a plugin runs while it is being written.
//!
//! In -> out: a project, a workspace -> after each build the package signed and certified at level `development`, and a run of a copy
//! of the workspace by `orch-host` beside this program.
//! Limits: of the log the last 200 lines are shown; `logs/` of the copy has all.
//! Invariant: everything lies in `target/dev` of the project: operator's folder, keys, packages and the copy. The workspace itself and
//! the ordinary operator's folder are read only. The run is one like any other: this program admits nothing.
//! Not here: what counts on such a host (`orch-host`'s `development.rs`), what is copied (`development/workspace.rs`).

mod workspace;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use orch_host::clock::now;
use orch_host::config::operator::SIGNING_KEY_VARIABLE;
use orch_host::development::{Author, Development};
use orch_host::exit::{Exit, Fault};
use orch_host::place::{self, Place};
use orch_host::starter;
use orch_signer::key_file::{self, Form, KeyFileError, Purpose};
use orch_signer::passphrase::Passphrases;
use orch_trust::authority::{Certifier, Level, Publisher};
use orch_trust::key::SecretKey;
use orch_trust::name::PluginId;

use crate::error::PluginError;
use crate::pack::Assembled;
use crate::sign::{SignRequest, sign};

const FOLDER: &str = "target/dev";
const HOST: &str = "orch-host";
const LOG_LINES_SHOWN: usize = 200;

/// The author's host, and whose plugin it is for.
pub struct Bench {
    /// `target/dev` of the project, without links.
    folder: PathBuf,
    id: PluginId,
    key: SecretKey,
    certifier: starter::Certifier,
    development: Development,
    program: PathBuf,
}

/// What came of a run.
#[derive(Debug)]
pub struct Ran {
    pub exit: Exit,
    /// What the plugin logged, without the times, oldest first.
    pub log: Vec<String>,
    /// Lines before those.
    pub unshown: usize,
}

impl Bench {
    /// The host of that project, made if need be. `ordinary`: the operator's folder that other plugins come from.
    ///
    /// # Errors
    /// `program-missing`, `certifier-missing`; those of keys, and of both operators' folders.
    pub fn open(project: &Path, id: &PluginId, ordinary: &Path) -> Result<Self, Fault> {
        let program = beside(HOST)?;
        let folder = project.join(FOLDER);
        let keys = folder.join("keys");
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&keys)
            .map_err(|error| place::io(&keys, "make", error))?;
        let folder = folder.canonicalize().map_err(|error| place::io(&folder, "find", error))?;
        let key = key_of(&folder.join("keys/publisher.json"), Purpose::Publisher)?;
        let certifying = folder.join("keys/certifier.json");
        let certifier_key = key_of(&certifying, Purpose::Certifier)?.public();
        let owner = format!("whoever is writing {id}");
        let author = Author {
            publisher: Publisher::new(key.public(), owner.clone(), vec![format!("{}/", id.namespace())]),
            certifier: Certifier::new(certifier_key, owner, Level::Development),
        };
        let home = folder.join("operator");
        let development = Development::open(&home, ordinary, &author)?;
        let certifier = starter::Certifier::beside(development.home(), Some(&certifying))?;
        Ok(Self { id: id.clone(), key, certifier, development, program, folder })
    }

    /// Runs what is pending in a copy of that workspace with the plugin as it was just built; `tell` gets each line of the run as it
    /// comes.
    ///
    /// # Errors
    /// `development-id`; refusals of the package by the quick checks (`certification-refused`), those of [`Development::let_in`],
    /// and of the files.
    pub fn run(
        &self,
        assembled: Assembled,
        workspace: &Path,
        tell: &mut dyn FnMut(&str),
    ) -> Result<Ran, Fault> {
        let manifest = &assembled.manifest;
        if manifest.id != self.id {
            let what =
                format!("`plugin.json` says `{}`, and this host was made for `{}`", manifest.id, self.id);
            return Err(place::input(
                "development-id",
                Some("start `orch-plugin dev` again".to_owned()),
                what,
            ));
        }
        let copy = self.folder.join("workspace");
        workspace::copy(workspace, &copy, &self.folder)?;
        let packages = self.folder.join("packages");
        let packed = assembled.write(&packages).map_err(fault)?;
        let now = now();
        let request = SignRequest {
            package: &packed.folder,
            now,
            days: 1,
            channel: "development",
            release_counter: now.0.unsigned_abs(),
            source: None,
        };
        sign(&request, &self.key).map_err(fault)?;
        self.certifier.certify_as(Level::Development, &packed.folder)?;
        self.development.let_in(&Place::of(&copy, Path::new(".orch"))?, &packed.folder)?;
        let exit = self.start(&copy, &packages, tell)?;
        let (log, unshown) = logged(&copy.join("logs"), &self.id)?;
        Ok(Ran { exit, log, unshown })
    }

    /// `orch-host run` of the copy, until it ended.
    fn start(&self, copy: &Path, packages: &Path, tell: &mut dyn FnMut(&str)) -> Result<Exit, Fault> {
        let cannot = |error| place::io(&self.program, "run", error);
        let mut host = Command::new(&self.program);
        host.arg("run").arg(copy).arg("--trust-workspace").arg("--config-home").arg(self.development.home());
        for folder in [packages.to_owned()].into_iter().chain(self.development.folders()) {
            host.arg("--plugins").arg(folder);
        }
        // Nobody is trusted here by a variable of the shell.
        host.env_remove(SIGNING_KEY_VARIABLE).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut running = host.spawn().map_err(cannot)?;
        if let Some(said) = running.stdout.take() {
            for line in BufReader::new(said).lines() {
                tell(&line.map_err(cannot)?);
            }
        }
        let status = running.wait().map_err(cannot)?;
        Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(Exit::HostError, Exit::of))
    }
}

/// What the plugin logged, of the one run whose log is in that folder, and how many lines before it are left out.
fn logged(folder: &Path, id: &PluginId) -> Result<(Vec<String>, usize), Fault> {
    let entries = match fs::read_dir(folder) {
        // A run that was refused made none.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((Vec::new(), 0)),
        entries => entries.map_err(|error| place::io(folder, "read", error))?,
    };
    let mut log = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| place::io(folder, "read", error))?.path();
        if path.extension().is_some_and(|end| end == "log") && path.is_file() {
            let text = fs::read(&path).map_err(|error| place::io(&path, "read", error))?;
            log.extend(String::from_utf8_lossy(&text).lines().filter_map(|line| said_by(line, id)));
        }
    }
    let unshown = log.len().saturating_sub(LOG_LINES_SHOWN);
    Ok((log.split_off(unshown), unshown))
}

/// `2026-12-01T03:00:00.000Z info  acme/hello: a word` -> `info: a word`, if that plugin said it.
fn said_by(line: &str, id: &PluginId) -> Option<String> {
    let (_, said) = line.split_once(' ')?;
    let (level, said) = said.split_once(' ')?;
    let text = said.trim_start().strip_prefix(id.as_str())?.strip_prefix(": ")?;
    Some(format!("{level}: {text}"))
}

/// The key in that file, made if there is none.
fn key_of(path: &Path, purpose: Purpose) -> Result<SecretKey, Fault> {
    let found = match path.symlink_metadata() {
        Ok(_) => key_file::open(path, purpose, &Passphrases::default()),
        Err(_) => key_file::write(path, purpose, Form::Seed),
    };
    found.map_err(|error: KeyFileError| Fault::new(Exit::Usage, error.code(), error.hint(), error))
}

/// A program of the same release.
fn beside(name: &str) -> Result<PathBuf, Fault> {
    let own = std::env::current_exe().and_then(|program| program.canonicalize());
    let program = own.map_or_else(|_| PathBuf::from(name), |own| own.with_file_name(name));
    match program.is_file() {
        true => Ok(program),
        false => {
            let hint = format!("`{name}` comes with the same release; put it there");
            let what = format!("`{}` is missing, which runs tasks", program.display());
            Err(place::input("program-missing", Some(hint), what))
        }
    }
}

fn fault(error: impl Into<PluginError>) -> Fault {
    let error = error.into();
    Fault::new(Exit::Usage, error.code(), error.hint(), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_plugin_are_told_from_those_of_others() {
        let id = PluginId::parse("acme/hello").unwrap();
        let said = |line: &str| said_by(line, &id);
        let stamp = "2026-12-01T03:00:00.000Z";
        assert_eq!(said(&format!("{stamp} info  acme/hello: a: b")).as_deref(), Some("info: a: b"));
        assert_eq!(said(&format!("{stamp} error acme/hello: panicked")).as_deref(), Some("error: panicked"));
        for other in
            ["info  acme/hello-2: x", "info  acme/hell: x", "warn  orch-host: acme/hello: x", "", "info"]
        {
            assert_eq!(said(&format!("{stamp} {other}")), None, "{other}");
        }
    }

    #[test]
    fn of_a_long_log_the_end_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let id = PluginId::parse("acme/hello").unwrap();
        assert_eq!(logged(&folder.path().join("none"), &id).unwrap(), (Vec::new(), 0));
        let lines: String = (0..LOG_LINES_SHOWN + 3).map(|n| format!("t info  acme/hello: {n}\n")).collect();
        fs::write(folder.path().join("run-r.log"), lines).unwrap();
        fs::write(folder.path().join("other.txt"), "t info  acme/hello: other\n").unwrap();
        let (log, unshown) = logged(folder.path(), &id).unwrap();
        assert_eq!((log.len(), unshown, log[0].as_str()), (LOG_LINES_SHOWN, 3, "info: 3"));
    }
}
