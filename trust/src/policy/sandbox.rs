//! What of the operator's policy is about the walls around programs: `[sandbox]`.
//!
//! In -> out: the table of `policy.toml` -> [`SandboxPolicy`], checked.
//! Invariant: a path stands for itself, and no cache hides what is named or is hidden by it.
//! Not here: putting walls up (`orch-supervisor`), where caches lie (`orch-host`'s `caches.rs`).

use std::num::NonZeroU32;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use crate::authority::AuthorityError;

/// What is around the programs that plugins start, whatever is granted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SandboxPolicy {
    pub mode: SandboxMode,
    /// Read and executed by every program, besides the workspace and the system's folders; absolute, or below `~/`.
    pub read: Vec<PathBuf>,
    /// Written, too.
    pub write: Vec<PathBuf>,
    /// Kept between the calls of one plugin in one workspace, besides those of the presets: never the person's own.
    pub cache: Vec<PathBuf>,
    /// What programs may do with the repository of the workspace.
    pub git: GitAccess,
    /// What usual tools need of the operator's home.
    pub presets: Vec<SandboxPreset>,
    /// Of one program and all that it starts, at once.
    pub processes: Option<NonZeroU32>,
    /// Of all of them together, in MiB.
    pub memory_mib: Option<NonZeroU32>,
    /// Processor time of each, in seconds.
    pub cpu_seconds: Option<NonZeroU32>,
    /// Of each file that is written, in MiB.
    pub file_mib: Option<NonZeroU32>,
    /// Of the private `/tmp` and `/dev/shm`, in MiB.
    pub tmp_mib: Option<NonZeroU32>,
    /// Sent and received by one program and all that it starts, together, in MiB.
    pub network_mib: Option<NonZeroU32>,
    /// Left on the disks of the workspace and of its caches, in MiB.
    pub free_mib: Option<NonZeroU32>,
}

/// What becomes of a run on a machine that lacks a part of the sandbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SandboxMode {
    /// It does not start.
    #[default]
    Require,
    /// It goes on with the rest; each report says what is missing.
    BestEffort,
    /// There is none, wherever; each report says so.
    Off,
}

/// What becomes of the workspace's `.git`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GitAccess {
    /// It is read.
    #[default]
    Read,
    /// It is written but for its configuration and hooks. Whoever can do that can have a person's own git run what it likes: git
    /// finds other configuration by names that are not there yet, and in repositories that an index names.
    Write,
}

/// Folders of a home that tools keep themselves in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SandboxPreset {
    Rust,
    Python,
    Node,
    Go,
}

impl SandboxPreset {
    pub const ALL: [Self; 4] = [Self::Rust, Self::Python, Self::Node, Self::Go];

    /// As `policy.toml` writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Python => "python",
            Self::Node => "node",
            Self::Go => "go",
        }
    }

    /// True of a program of that name that keeps itself in these folders.
    pub fn is_of(self, program: &str) -> bool {
        let programs: &[&str] = match self {
            Self::Rust => &["cargo", "rustc", "rustup"],
            Self::Python => &["python", "python3", "pip", "uv", "pytest"],
            Self::Node => &["node", "npm", "npx", "pnpm", "yarn"],
            Self::Go => &["go"],
        };
        programs.contains(&program)
    }

    /// To be read, each below the home. No folder with a password or token is among them.
    pub fn folders(self) -> &'static [&'static str] {
        match self {
            Self::Rust => &[
                ".cargo/bin",
                ".cargo/registry",
                ".cargo/git",
                ".cargo/config.toml",
                ".cargo/env",
                ".rustup",
            ],
            Self::Python => &[".pyenv", ".local/bin", ".local/lib", ".local/share/uv", ".local/share/pipx"],
            Self::Node => &[".nvm", ".volta", ".fnm", ".local/share/fnm", ".local/share/pnpm", ".npm-global"],
            Self::Go => &["go/bin", "go/src", "go/pkg", "sdk"],
        }
    }

    /// Kept for each plugin and workspace, each below the home. What a person has there and the preset shows is to be read.
    pub fn caches(self) -> &'static [&'static str] {
        match self {
            Self::Rust => &[".cargo/registry", ".cargo/git"],
            Self::Python => &[".cache/pip", ".cache/uv"],
            Self::Node => &[".npm", ".cache/yarn", ".cache/pnpm"],
            Self::Go => &["go/pkg", ".cache/go-build"],
        }
    }
}

impl SandboxPolicy {
    /// Those that are named, and those of the presets that nothing named lies in or around: what is named has the word.
    pub fn caches(&self) -> Vec<PathBuf> {
        let mut caches = self.cache.clone();
        let presets = self.presets.iter().flat_map(|preset| preset.caches());
        for path in presets.map(|below| Path::new("~").join(below)) {
            let has_read = self.read.iter().any(|read| read.starts_with(&path) && *read != path);
            let mut others = self.write.iter().chain(&caches);
            if !has_read && !others.any(|other| lie_in_one_another(other, &path)) {
                caches.push(path);
            }
        }
        caches
    }

    /// # Errors
    /// A path that stands for no place; a named cache and something named in or around it, of which one would hide the other.
    pub(super) fn check(&self) -> Result<(), AuthorityError> {
        let Self { read, write, cache, .. } = self;
        let shown = |path: &Path| path.display().to_string().escape_default().to_string();
        let malformed = |message: String| Err(AuthorityError::Malformed { message });
        if let Some(found) = read.iter().chain(write).chain(cache).find(|path| !is_place(path)) {
            let found = shown(found);
            let expected = "expected an absolute path or one below `~/`, without `..`";
            return malformed(format!("`sandbox` names `{found}`, {expected}"));
        }
        for (nth, path) in cache.iter().enumerate() {
            let read = read.iter().filter(|read| read.starts_with(path) && *read != path);
            let written =
                write.iter().chain(cache.iter().take(nth)).filter(|other| lie_in_one_another(other, path));
            if let Some(other) = read.chain(written).next() {
                let (path, other) = (shown(path), shown(other));
                let why = "lies in it or around it: one would hide the other";
                return malformed(format!("`sandbox` has the cache `{path}`, and `{other}` {why}"));
            }
        }
        Ok(())
    }
}

fn lie_in_one_another(one: &Path, other: &Path) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// True of a path that stands for itself; the whole machine is no place in it.
fn is_place(path: &Path) -> bool {
    let mut parts = path.components();
    let begins = match parts.next() {
        Some(Component::RootDir) => true,
        Some(Component::Normal(first)) => first == "~",
        _ => false,
    };
    let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    begins && parts.clone().next().is_some() && parts.all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::super::Policy;
    use super::*;

    #[test]
    fn a_sandbox_is_required_unless_somebody_says_otherwise_and_its_places_stand_for_themselves() {
        let sandbox =
            |text: &str| Policy::parse(&format!("[sandbox]\n{text}\n")).map(|policy| policy.sandbox);
        assert_eq!(Policy::parse("").unwrap().sandbox.mode, SandboxMode::Require);
        assert_eq!(sandbox("mode = \"best-effort\"").unwrap().mode, SandboxMode::BestEffort);
        assert_eq!(sandbox("mode = \"off\"\npresets = [\"go\"]").unwrap().presets, [SandboxPreset::Go]);
        for good in ["/srv/data", "~/models", "/a b/c"] {
            let found = sandbox(&format!("read = [\"{good}\"]\nwrite = [\"{good}\"]")).unwrap();
            assert_eq!((found.read, found.write), (vec![good.into()], vec![good.into()]));
            assert_eq!(sandbox(&format!("cache = [\"{good}\"]")).unwrap().cache, [Path::new(good)]);
        }
        for bad in ["/", "~", "", "data", "./data", "/srv/../root", "~root/x", "~/../x"] {
            for key in ["read", "write", "cache"] {
                let said = sandbox(&format!("{key} = [\"{bad}\"]")).unwrap_err().to_string();
                assert!(said.contains("expected an absolute path"), "{bad}: {said}");
            }
        }
        for bad in
            ["mode = \"maybe\"", "presets = [\"cobol\"]", "processes = 0", "memory_mib = -1", "cpu = 1"]
        {
            assert!(sandbox(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_cache_hides_nothing_that_is_named_and_nothing_hides_it() {
        let check = |text: &str, good: bool| {
            let found = Policy::parse(&format!("[sandbox]\n{text}\n"));
            assert_eq!(found.is_ok(), good, "{text}");
        };
        check("cache = [\"~/.cache/pip\"]\nread = [\"~/.cache\"]", true);
        check("cache = [\"~/.cache/pip\"]\nread = [\"~/.cache/pip\"]", true);
        check("cache = [\"~/.cache\"]\nread = [\"~/.cache/pip\"]", false);
        check("cache = [\"~/.cache/pip\"]\nwrite = [\"~/.cache\"]", false);
        check("cache = [\"~/.cache\"]\nwrite = [\"~/.cache/pip\"]", false);
        check("cache = [\"~/.cache\", \"~/.cache/pip\"]", false);
        check("cache = [\"~/.cache\"]\npresets = [\"python\"]", true);
        check("cache = [\"~/.cache/pip\"]\npresets = [\"python\", \"rust\", \"node\", \"go\"]", true);
        let caches = |text: &str| {
            let found = Policy::parse(&format!("[sandbox]\n{text}\npresets = [\"python\"]\n"))
                .unwrap()
                .sandbox
                .caches();
            found.iter().map(|path| path.display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(caches(""), ["~/.cache/pip", "~/.cache/uv"]);
        assert_eq!(caches("cache = [\"~/.cache/pip\", \"/x\"]"), ["~/.cache/pip", "/x", "~/.cache/uv"]);
        assert_eq!(caches("cache = [\"~/.cache\"]"), ["~/.cache"]);
        assert_eq!(caches("write = [\"~/.cache/uv\"]"), ["~/.cache/pip"]);
        assert_eq!(caches("read = [\"~/.cache/pip/wheels\"]"), ["~/.cache/uv"]);
    }
}
