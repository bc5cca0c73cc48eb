//! Where a secret comes from.
//!
//! In -> out: [`SecretSource`] -> [`SecretValue`], or why not.
//! Limits: 64 KiB; of a program also 10 s.
//! Invariant: a file is read only if nobody but this user can read it, and never over a link; no error has anything of what
//! was read.
//! Not here: running a program (`program.rs`), what a value is (`capability/secrets/value.rs`).

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::program::{self, GIVEN_BYTES_MAX, ProgramError};
use crate::capability::secrets::value::{SecretEncoding, SecretValue, VALUE_BYTES_MAX, ValueError};
use crate::console::escape;
use crate::regular_file::{self, Links, ReadError};

/// A source, as `secrets.toml` says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// A variable of the host's environment.
    Env(String),
    /// Absolute.
    File(PathBuf),
    /// Absolute, with its arguments.
    Program(PathBuf, Vec<String>),
}

impl From {
    /// Its kind, as a key of `secrets.toml`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Env(_) => "env",
            Self::File(_) => "file",
            Self::Program(..) => "program",
        }
    }

    /// Which one. Arguments of a program are left out.
    pub fn place(&self) -> String {
        match self {
            Self::Env(variable) => variable.clone(),
            Self::File(path) | Self::Program(path, _) => path.display().to_string(),
        }
    }
}

/// Where one secret comes from, and how it is written there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretSource {
    pub from: From,
    pub encoding: SecretEncoding,
}

/// Why a source gives no secret; follows its name.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("cannot be read: the host has no variable `{}`", escape(variable))]
    NoVariable { variable: String },
    #[error("cannot be read from `{}`: {}", escape(&path.display().to_string()), what(source))]
    File { path: PathBuf, source: ReadError },
    #[error("is not read from `{}`: its mode is {mode:o}, expected 600 or 400", escape(&path.display().to_string()))]
    Mode { path: PathBuf, mode: u32 },
    #[error("is not read from `{}`: it belongs to user {owner}, expected {me}", escape(&path.display().to_string()))]
    Owner { path: PathBuf, owner: u32, me: u32 },
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error(transparent)]
    Value(#[from] ValueError),
}

impl SourceError {
    /// What a program said on its standard error; may be anything.
    pub fn said(&self) -> Option<&str> {
        match self {
            Self::Program(ProgramError::Failed { said, .. }) if !said.is_empty() => Some(said),
            _ => None,
        }
    }
}

fn what(error: &ReadError) -> String {
    match error {
        ReadError::Io(error) => error.to_string(),
        ReadError::TooLarge { .. } => format!("it is longer than {VALUE_BYTES_MAX} bytes"),
        ReadError::NotRegular => error.to_string(),
    }
}

impl SecretSource {
    /// The value as it is now. May wait for a program.
    ///
    /// # Errors
    /// All.
    pub fn read(&self) -> Result<SecretValue, SourceError> {
        let given = match &self.from {
            From::Env(variable) => {
                let found = std::env::var_os(variable);
                let found = found.ok_or_else(|| SourceError::NoVariable { variable: variable.clone() })?;
                Zeroizing::new(found.as_bytes().to_vec())
            }
            From::File(path) => read_file(path)?,
            From::Program(path, arguments) => program::output(path, arguments)?,
        };
        Ok(SecretValue::parse(&given, self.encoding)?)
    }
}

fn read_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, SourceError> {
    let unread = |source| SourceError::File { path: path.to_owned(), source };
    let (bytes, metadata) = regular_file::read(path, Links::Refused, GIVEN_BYTES_MAX).map_err(unread)?;
    let (mode, owner) = (metadata.mode() & 0o7777, metadata.uid());
    let me = rustix::process::geteuid().as_raw();
    if owner != me {
        return Err(SourceError::Owner { path: path.to_owned(), owner, me });
    }
    match mode {
        0o600 | 0o400 => Ok(bytes),
        _ => Err(SourceError::Mode { path: path.to_owned(), mode }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::time::{Duration, Instant};

    use super::*;

    fn read(from: From) -> Result<Vec<u8>, String> {
        let source = SecretSource { from, encoding: SecretEncoding::Plain };
        source.read().map(|value| value.bytes().to_vec()).map_err(|error| error.to_string())
    }

    fn file(path: &Path) -> Result<Vec<u8>, String> {
        read(From::File(path.to_owned()))
    }

    fn write(path: &Path, text: &str, mode: u32) {
        let _ = fs::remove_file(path);
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_file_is_read_if_it_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        for mode in [0o600, 0o400] {
            write(&path, "a-value-of-one\n", mode);
            assert_eq!(file(&path).unwrap(), b"a-value-of-one", "{mode:o}");
        }
        for mode in [0o640, 0o604, 0o644, 0o700, 0o620, 0o4600] {
            write(&path, "a-value-of-one\n", mode);
            let why = file(&path).unwrap_err();
            assert!(why.contains(&format!("its mode is {mode:o}")) && !why.contains("a-value"), "{why}");
        }
        write(&path, "a-value-of-one\n", 0o600);
        symlink(&path, folder.path().join("link")).unwrap();
        assert!(file(&folder.path().join("link")).unwrap_err().contains("is a link"));
        assert!(file(folder.path()).unwrap_err().contains("no regular file"));
        assert!(file(&folder.path().join("gone")).unwrap_err().contains("No such file"));
        let pipe = folder.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
        assert!(file(&pipe).unwrap_err().contains("no regular file"));
        write(&path, &"x".repeat(VALUE_BYTES_MAX + 3), 0o600);
        assert!(file(&path).unwrap_err().contains("longer than"));
    }

    /// By the shell itself: a file that was just written may still be open in what another test starts.
    fn script(text: &str) -> From {
        let words = ["-c", text, "give", "one"].map(str::to_owned);
        From::Program(PathBuf::from("/bin/sh"), words.to_vec())
    }

    #[test]
    fn a_program_gives_its_standard_output_and_has_a_bare_environment() {
        let given = read(script("echo value-of-$1")).unwrap();
        assert_eq!(given, b"value-of-one");
        let given = read(script("echo names:$(env | cut -d= -f1 | sort | tr '\\n' ,)")).unwrap();
        let names = String::from_utf8(given).unwrap();
        for name in names.trim_start_matches("names:").split(',').filter(|name| !name.is_empty()) {
            let known = [
                "PATH",
                "HOME",
                "DBUS_SESSION_BUS_ADDRESS",
                "XDG_RUNTIME_DIR",
                "PWD",
                "_",
                "SHLVL",
                "OLDPWD",
            ];
            assert!(known.contains(&name), "{names}");
        }
        let given = read(script("cat; echo nothing-came")).unwrap();
        assert_eq!(given, b"nothing-came");
    }

    #[test]
    fn a_program_that_fails_says_why_to_the_operator_alone() {
        let folder = tempfile::tempdir().unwrap();
        let failing = script("echo half-a-value; echo 'locked: the-value\\033[2J' >&2; exit 3");
        let source = SecretSource { from: failing, encoding: SecretEncoding::Plain };
        let error = source.read().err().unwrap();
        let shown = error.to_string();
        assert!(shown.contains("exit status: 3") && !shown.contains("value"), "{shown}");
        assert!(error.said().unwrap().starts_with("locked: the-value"));
        let much = read(script("yes 0123456789 | head -c 70000")).unwrap_err();
        assert!(much.contains("more than"), "{much}");
        write(&folder.path().join("open"), "#!/bin/sh\necho a-value-here\n", 0o722);
        let open = read(From::Program(folder.path().join("open"), Vec::new())).unwrap_err();
        assert!(open.contains("others can change it"), "{open}");
        let gone = read(From::Program(folder.path().join("gone"), Vec::new())).unwrap_err();
        assert!(gone.contains("No such file"), "{gone}");
    }

    #[test]
    fn what_a_program_leaves_behind_ends_with_it() {
        let begun = Instant::now();
        // The child holds the pipe on.
        let given = read(script("sleep 60 & echo value-at-once")).unwrap();
        assert_eq!(given, b"value-at-once");
        assert!(begun.elapsed() < Duration::from_secs(50), "{:?}", begun.elapsed());
    }

    #[test]
    fn a_variable_that_is_not_there_is_named() {
        let why = read(From::Env("ORCH_TEST_NO_SUCH_VARIABLE".to_owned())).unwrap_err();
        assert!(why.contains("`ORCH_TEST_NO_SUCH_VARIABLE`"), "{why}");
    }
}
