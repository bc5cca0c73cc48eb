//! The toolchain of another language: pinned, fetched once, kept in a cache of its own.
//!
//! In -> out: [`Language`] -> [`Tool`], a folder in the user's cache and how its program is started.
//! Limits: 10 min for fetching it, 5 min for one run.
//! Invariant: what is fetched has the digests that this program brings; no script of a package runs; a folder with its
//! name is there whole or not at all; nothing is installed into the system.
//! Not here: what it is told to do (`language/build.rs`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{Language, LanguageError};
use crate::toolchain;

const INSTALL_WAIT: Duration = Duration::from_secs(600);
const PINS_PYTHON: &str = include_str!("../../toolchains/componentize-py.requirements.txt");
const PINS_JAVASCRIPT: [(&str, &str); 2] = [
    ("package.json", include_str!("../../toolchains/componentize-qjs.package.json")),
    ("package-lock.json", include_str!("../../toolchains/componentize-qjs.package-lock.json")),
];
/// Of the shell's variables those that say where things are, and how the net is reached.
const KEPT: [&str; 13] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "LANG",
    "LC_ALL",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "NO_PROXY",
    "no_proxy",
];

/// A toolchain that is there.
#[derive(Clone, Debug)]
pub struct Tool {
    language: Language,
    folder: PathBuf,
}

/// What makes components of a language, as its registry and the table of known engines name it.
#[derive(Clone, Copy, Debug)]
pub struct Named {
    pub name: &'static str,
    pub version: &'static str,
    pub purl: &'static str,
    pub license: &'static str,
}

/// The toolchain of that language.
pub fn named(language: Language) -> Named {
    match language {
        Language::Python => Named {
            name: "componentize-py",
            version: "0.25.0",
            purl: "pkg:pypi/componentize-py@0.25.0",
            license: "Apache-2.0 WITH LLVM-exception",
        },
        Language::JavaScript => Named {
            name: "componentize-qjs",
            version: "0.4.5",
            purl: "pkg:npm/componentize-qjs@0.4.5",
            license: "Apache-2.0",
        },
    }
}

impl Tool {
    /// The toolchain, fetched if it is not there yet. `progress` gets a line at least every ten seconds.
    ///
    /// # Errors
    /// `Program`, `Install`, `Io`.
    pub fn ensure(language: Language, progress: &mut dyn FnMut(&str)) -> Result<Self, LanguageError> {
        let Named { name, version, .. } = named(language);
        let Some(cache) = toolchain::cache() else {
            let message = "neither `XDG_CACHE_HOME` nor `HOME` is set".to_owned();
            return Err(LanguageError::Install { tool: name, message });
        };
        let folder = cache.join(format!("{name}-{version}"));
        let tool = Self { language, folder };
        tool.check_program()?;
        if tool.folder.is_dir() {
            return Ok(tool);
        }
        fs::create_dir_all(&cache).map_err(io_at(&cache))?;
        let made = tempfile::Builder::new().prefix("fetching-").tempdir_in(&cache).map_err(io_at(&cache))?;
        progress(&format!("`{name}` {version} is fetched once, into `{}`", cache.display()));
        let fetched = match language {
            Language::Python => fetch_python(made.path(), progress),
            Language::JavaScript => fetch_javascript(made.path(), progress),
        };
        fetched.map_err(|message| LanguageError::Install { tool: name, message })?;
        // Who was faster has put the same there.
        match fs::rename(made.path(), &tool.folder) {
            Ok(()) => Ok(tool),
            Err(_) if tool.folder.is_dir() => Ok(tool),
            Err(source) => Err(LanguageError::Io { path: tool.folder, source }),
        }
    }

    fn program(&self) -> &'static str {
        match self.language {
            Language::Python => "python3",
            Language::JavaScript => "node",
        }
    }

    fn check_program(&self) -> Result<(), LanguageError> {
        let program = self.program();
        let output = Command::new(program).arg("--version").stdin(Stdio::null()).output();
        let message = match output {
            Ok(output) if output.status.success() => return Ok(()),
            Ok(output) => output.status.to_string(),
            Err(error) => error.to_string(),
        };
        Err(LanguageError::Program { language: self.language, program, message })
    }

    /// Its program, without what the shell says of other environments. `nowhere`: an empty folder, which it takes for the
    /// one with the machine's own packages.
    pub fn command(&self, nowhere: &Path) -> Command {
        let mut command = plain(self.program());
        match self.language {
            Language::Python => {
                command.args(["-c", "from componentize_py import script; script()"]);
                command.env("PYTHONPATH", &self.folder).env("VIRTUAL_ENV", nowhere);
                command.env("PYTHONNOUSERSITE", "1").env("PYTHONDONTWRITEBYTECODE", "1");
            }
            Language::JavaScript => {
                command.arg(self.folder.join("node_modules/componentize-qjs/bin/componentize-qjs"));
            }
        }
        command
    }
}

fn fetch_python(folder: &Path, progress: &mut dyn FnMut(&str)) -> Result<(), String> {
    let pins = folder.join("requirements.txt");
    fs::write(&pins, PINS_PYTHON).map_err(|error| error.to_string())?;
    let mut pip = plain("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:"]);
    pip.arg("--target").arg(folder).arg("--requirement").arg(&pins);
    toolchain::run(pip, "pip install componentize-py", INSTALL_WAIT, progress)
}

fn fetch_javascript(folder: &Path, progress: &mut dyn FnMut(&str)) -> Result<(), String> {
    for (name, text) in PINS_JAVASCRIPT {
        fs::write(folder.join(name), text).map_err(|error| error.to_string())?;
    }
    let mut npm = plain("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]).current_dir(folder);
    toolchain::run(npm, "npm ci componentize-qjs", INSTALL_WAIT, progress)
}

/// A program with the variables that it may have.
fn plain(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    for (name, value) in std::env::vars_os() {
        // `PIP_INDEX_URL`, `NPM_CONFIG_REGISTRY`: which registry a machine asks is its own business.
        let text = name.to_string_lossy();
        if KEPT.contains(&&*text)
            || text.starts_with("PIP_")
            || text.to_ascii_lowercase().starts_with("npm_config_")
        {
            command.env(name, value);
        }
    }
    command
}

fn io_at(path: &Path) -> impl FnOnce(std::io::Error) -> LanguageError {
    let path = path.to_owned();
    move |source| LanguageError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pinned_is_what_is_named() {
        let python = named(Language::Python);
        assert!(PINS_PYTHON.starts_with(&format!("{}=={} ", python.name, python.version)));
        assert!(PINS_PYTHON.matches("--hash=sha256:").count() >= 2);
        let node = named(Language::JavaScript);
        let lock: serde_json::Value = serde_json::from_str(PINS_JAVASCRIPT[1].1).unwrap();
        let packages = lock["packages"].as_object().unwrap();
        assert_eq!(packages["node_modules/componentize-qjs"]["version"], node.version);
        let fetched = packages.iter().filter(|(name, _)| !name.is_empty());
        assert!(fetched.into_iter().all(|(_, package)| package["integrity"].is_string()));
    }

    #[test]
    fn the_shells_other_environments_are_not_seen() {
        let command = plain("node");
        let names: Vec<String> =
            command.get_envs().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
        assert!(names.contains(&"PATH".to_owned()), "{names:?}");
        assert!(!names.iter().any(|name| name.starts_with("CARGO") || name == "PYTHONPATH"), "{names:?}");
    }
}
