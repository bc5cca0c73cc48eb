//! The program `git`: found once, started with nothing of the surroundings.
//!
//! In -> out: arguments, standard input -> standard output, or what it said.
//! Limits: git of [`VERSION_MIN`] or newer; 64 KiB of what it says.
//! Invariant: absolute path; the environment is the one written here and no other; no terminal.
//! Not here: on which folder (`repository.rs`), what is asked of it (`objects.rs`, `refs.rs`, `show.rs`, `tree.rs`).

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::GitError;

/// `merge-tree --write-tree` is of 2.38, `core.fsync` of 2.36.
pub const VERSION_MIN: (u32, u32) = (2, 38);

const SAID_MAX: usize = 64 << 10;

/// The installed git.
#[derive(Clone, Debug)]
pub(super) struct Program {
    path: PathBuf,
}

/// One call.
pub(super) struct Call<'a> {
    command: Command,
    verb: String,
    input: Option<&'a [u8]>,
    /// Exit codes that are answers, besides 0.
    answers: &'static [i32],
}

/// What came of a call.
pub(super) struct Answer {
    pub(super) code: i32,
    pub(super) out: Vec<u8>,
}

impl Program {
    /// The first `git` of these folders, looked at once a process.
    ///
    /// # Errors
    /// `Missing`, `TooOld`, `Io`.
    pub(super) fn find(folders: impl IntoIterator<Item = PathBuf>) -> Result<Self, GitError> {
        static FOUND: OnceLock<PathBuf> = OnceLock::new();
        if let Some(path) = FOUND.get() {
            return Ok(Self { path: path.clone() });
        }
        let is_program = |path: &PathBuf| {
            use std::os::unix::fs::PermissionsExt;
            path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
        };
        let mut found = folders.into_iter().map(|folder| folder.join("git"));
        let program = Self { path: found.find(is_program).ok_or(GitError::Missing)? };
        let version = program.call(&["--version"]).run()?.out;
        let version = String::from_utf8_lossy(&version).trim().to_owned();
        if !is_new_enough(&version) {
            return Err(GitError::TooOld { program: program.path, found: version });
        }
        FOUND.get_or_init(|| program.path.clone());
        Ok(program)
    }

    /// A call with these arguments, of which the first names what is asked. It is in no folder yet.
    pub(super) fn call<'a, A: AsRef<OsStr>>(&self, args: &[A]) -> Call<'a> {
        let mut command = Command::new(&self.path);
        command.args(args).env_clear().current_dir("/");
        for (name, value) in ENVIRONMENT {
            command.env(name, value);
        }
        let verb = args.first().map(|verb| verb.as_ref().to_string_lossy().into_owned()).unwrap_or_default();
        Call { command, verb, input: None, answers: &[] }
    }
}

const ENVIRONMENT: [(&str, &str); 13] = [
    ("LC_ALL", "C"),
    ("TZ", "UTC"),
    ("HOME", "/nonexistent"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_ATTR_NOSYSTEM", "1"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_NO_REPLACE_OBJECTS", "1"),
    ("GIT_NO_LAZY_FETCH", "1"),
    ("GIT_ALLOW_PROTOCOL", "none"),
    ("GIT_PAGER", "cat"),
    ("GIT_CEILING_DIRECTORIES", "/"),
];

impl<'a> Call<'a> {
    pub(super) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.command.env(name, value.into());
        self
    }

    /// Nothing that it writes need survive the end of the machine's power.
    pub(super) fn unsynced(self) -> Self {
        let said = self.env("GIT_CONFIG_COUNT", "1");
        said.env("GIT_CONFIG_KEY_0", "core.fsync").env("GIT_CONFIG_VALUE_0", "none")
    }

    pub(super) fn folder(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    pub(super) fn input(mut self, input: &'a [u8]) -> Self {
        self.input = Some(input);
        self
    }

    /// These exit codes are answers, too.
    pub(super) fn answers(mut self, answers: &'static [i32]) -> Self {
        self.answers = answers;
        self
    }

    /// At most so many bytes of what it answers, and whether that is all of it; what is beyond is not waited for.
    ///
    /// # Errors
    /// `Failed`; `Io` if it could not be started.
    pub(super) fn run_cut(mut self, bytes_max: usize) -> Result<(Vec<u8>, bool), GitError> {
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let path = PathBuf::from(self.command.get_program());
        let at = |what| {
            let path = path.clone();
            move |source| GitError::Io { what, path, source }
        };
        let mut child = self.command.spawn().map_err(at("start"))?;
        let mut out = Vec::new();
        let read = child
            .stdout
            .take()
            .map_or(Ok(0), |pipe| pipe.take((bytes_max as u64).saturating_add(1)).read_to_end(&mut out));
        let is_whole = out.len() <= bytes_max;
        if !is_whole {
            out.truncate(bytes_max);
            // It may be over by now.
            let _ = child.kill();
        }
        let status = child.wait().map_err(at("hear"))?;
        read.map_err(at("hear"))?;
        match !is_whole || status.success() {
            true => Ok((out, is_whole)),
            false => Err(GitError::Failed { verb: self.verb, said: status.to_string() }),
        }
    }

    /// # Errors
    /// `Failed` with what it said; `Io` if it could not be started.
    pub(super) fn run(mut self) -> Result<Answer, GitError> {
        let input = if self.input.is_some() { Stdio::piped() } else { Stdio::null() };
        self.command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
        let path = PathBuf::from(self.command.get_program());
        let not_run = |what| {
            let path = path.clone();
            move |source| GitError::Io { what, path, source }
        };
        let mut child = self.command.spawn().map_err(not_run("start"))?;
        let writer = child.stdin.take().zip(self.input);
        let output = std::thread::scope(|scope| {
            // Beside it, because it answers while it is told; what it does not want to hear, its exit explains.
            scope.spawn(move || writer.map(|(mut pipe, input)| pipe.write_all(input)));
            child.wait_with_output()
        });
        let output = output.map_err(not_run("hear"))?;
        let said = output.stderr.get(..output.stderr.len().min(SAID_MAX)).unwrap_or_default();
        match output.status.code() {
            Some(code) if code == 0 || self.answers.contains(&code) => {
                Ok(Answer { code, out: output.stdout })
            }
            _ => {
                let said = String::from_utf8_lossy(said);
                let said = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>();
                let said = if said.is_empty() { output.status.to_string() } else { said.join("; ") };
                Err(GitError::Failed { verb: self.verb, said })
            }
        }
    }
}

fn is_new_enough(version: &str) -> bool {
    let Some(number) = version.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))
    else {
        return false;
    };
    let mut parts = number.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= VERSION_MIN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_as_each_system_writes_it() {
        for version in ["git version 2.38.0", "git version 2.39.5 (Apple Git-154)", "git version 3.0.rc1"] {
            assert!(is_new_enough(version), "{version}");
        }
        for version in ["git version 2.34.1", "git version 1.99.0", "git version", "", "git version x.y"] {
            assert!(!is_new_enough(version), "{version}");
        }
    }
}
