//! This machine's own certifier: the program beside this one, and a key that only that program reads.
//!
//! In -> out: a package's folder -> a certificate in it, made by `orch-certify`.
//! Invariant: the host reads the public file alone; what it admits by it is checked as any other certificate.
//! Not here: the checks (`orch-certify`), who trusts the key (`config/operator.rs`).

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use orch_trust::authority::Level;

use crate::exit::{Exit, Fault};
use crate::place;
use crate::regular_file::{self, Links};

const PROGRAM: &str = "orch-certify";
/// In the operator's folder, where no command sees it.
const KEY: &str = "keys/certifier.json";
const PUBLIC_BYTES_MAX: u64 = 1 << 20;
/// Of what the program said, at the end.
const SAID_LINES: usize = 12;

/// Whom this machine has certify, and with which key.
pub struct Certifier {
    program: PathBuf,
    key: PathBuf,
}

impl Certifier {
    /// The program beside this one, with that key or the one of the operator's folder.
    ///
    /// # Errors
    /// `certifier-missing`.
    pub fn beside(home: &Path, key: Option<&Path>) -> Result<Self, Fault> {
        let own = std::env::current_exe().and_then(|program| program.canonicalize());
        let program = own.map(|own| own.with_file_name(PROGRAM)).unwrap_or_else(|_| PathBuf::from(PROGRAM));
        if !program.is_file() {
            let hint = format!("`{PROGRAM}` comes with the same release; put it there");
            let what = format!("`{}` is missing, which certifies packages", program.display());
            return Err(place::input("certifier-missing", Some(hint), what));
        }
        Ok(Self { program, key: key.map_or_else(|| home.join(KEY), Path::to_owned) })
    }

    pub fn has_key(&self) -> bool {
        self.key.symlink_metadata().is_ok()
    }

    /// Makes the key if there is none; gives the text of its public file.
    ///
    /// # Errors
    /// `certifier-failed`.
    pub fn public_file(&self) -> Result<String, Fault> {
        if !self.has_key() {
            let folder = self.key.parent().unwrap_or(&self.key);
            let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
            made.map_err(|error| place::io(folder, "make", error))?;
            let args = ["keygen", "--owner", "this machine", "--certifier", "local", "--out"];
            self.run(Command::new(&self.program).args(args).arg(&self.key))?;
        }
        let path = self.key.with_extension("toml");
        match regular_file::read_text(&path, Links::Refused, PUBLIC_BYTES_MAX) {
            Ok((text, _)) => Ok(text),
            Err(error) => Err(place::unreadable(&path, error.into())),
        }
    }

    /// Has the checks of level `local` run on that package, and its certificate put into its folder. One that has more than half
    /// of its life before it stays.
    ///
    /// # Errors
    /// `certification-refused`, with what the program said, where a check did not pass; `certifier-failed`.
    pub fn certify(&self, package: &Path) -> Result<(), Fault> {
        self.certify_as(Level::Local, package)
    }

    /// The same with the checks of that level.
    ///
    /// # Errors
    /// Those of [`Certifier::certify`].
    pub fn certify_as(&self, level: Level, package: &Path) -> Result<(), Fault> {
        let mut command = Command::new(&self.program);
        command.args(["run", "--profile", level.as_str(), "--quiet", "--key"]).arg(&self.key).arg(package);
        self.run(&mut command)
    }

    fn run(&self, command: &mut Command) -> Result<(), Fault> {
        let started = command.stdin(Stdio::null()).output();
        let output = started.map_err(|error| place::io(&self.program, "start", error))?;
        if output.status.success() {
            return Ok(());
        }
        let exit =
            output.status.code().and_then(|code| u8::try_from(code).ok()).map_or(Exit::HostError, Exit::of);
        let code = if exit == Exit::PluginRefused { "certification-refused" } else { "certifier-failed" };
        let said = [&*output.stdout, &*output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = lines.get(lines.len().saturating_sub(SAID_LINES)..).unwrap_or_default();
        let error = anyhow::anyhow!("`{PROGRAM}` ended with {}", output.status);
        Err(Fault::new(exit, code, Some("it said".to_owned()), error).with_lines(Some(&last.join("\n"))))
    }
}
