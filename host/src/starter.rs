//! The packages that come with the program: what a host has from its first minute.
//!
//! In -> out: a folder with `SHA256SUMS`, `publisher.toml`, `config.yaml` and packages -> [`Starter`].
//! Limits: 1 MiB for each of the three files.
//! Invariant: what is used of the folder stands in `SHA256SUMS` with its digest, so the digest of that one file, which a
//! person is shown, names all of it.
//! Not here: asking, and what is written (`commands/init/starter.rs`), certifying (`starter/certifier.rs`).

mod certifier;
mod tools;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use orch_trust::authority::Publisher;
use orch_trust::digest::Sha256Digest;
use orch_trust::manifest::Manifest;
use orch_trust::package::PackageBytes;

use crate::config::workspace::WorkspaceConfig;
use crate::exit::Fault;
use crate::package::PackageError;
use crate::place;
use crate::plugins::{self, Found};
use crate::regular_file::{self, Links};

pub use certifier::Certifier;
pub use tools::found_tools;

/// What a folder of packages has beside them.
const SUMS: &str = "SHA256SUMS";
const PUBLISHER: &str = "publisher.toml";
const CONFIG: &str = "config.yaml";
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Beside the program's own folder, in the order of search: as an archive is unpacked, and as a system keeps it.
const BESIDE: [&str; 2] = ["../packages", "../share/orch/packages"];

/// A folder of packages, read and compared with its own list.
pub struct Starter {
    /// Of the list.
    pub digest: Sha256Digest,
    /// Who signed the packages, and the file that says so.
    pub publisher: Publisher,
    pub publisher_file: String,
    /// The text of a workspace's `config.yaml` that binds them.
    pub config: String,
    /// Those that are taken.
    pub plugins: Vec<(Manifest, PackageBytes)>,
}

impl Starter {
    /// The folder that was said, else the one beside this program.
    ///
    /// # Errors
    /// `starter-missing`.
    pub fn find(said: Option<&Path>) -> Result<PathBuf, Fault> {
        let own = std::env::current_exe().and_then(|program| program.canonicalize()).ok();
        let folder = own.as_deref().and_then(Path::parent);
        let beside = folder.into_iter().flat_map(|folder| BESIDE.map(|below| folder.join(below)));
        let searched: Vec<PathBuf> = said.map_or_else(|| beside.collect(), |said| vec![said.to_owned()]);
        let found = searched.iter().find(|folder| folder.join(SUMS).is_file());
        found.map(|folder| folder.canonicalize().unwrap_or_else(|_| folder.clone())).ok_or_else(|| {
            let searched: Vec<String> = searched.iter().map(|folder| format!("`{}`", folder.display())).collect();
            let what = format!("no packages with a `{SUMS}` are in {}", searched.join(", "));
            let hint = "a release has them beside its programs, in `packages`; `--packages DIR` names another folder";
            place::input("starter-missing", Some(hint.to_owned()), what)
        })
    }

    /// Reads what that folder has of the plugins that a workspace binds; without a word, of those that its own `config.yaml` binds.
    ///
    /// # Errors
    /// `starter-damaged` for a file that is not the one in the list, `plugin-not-found` for a plugin that its own `config.yaml`
    /// binds and it does not have, `starter-unbound` where a workspace binds none of it.
    pub fn read(folder: &Path, bound: Option<BTreeSet<String>>) -> Result<Self, Fault> {
        let sums = text(&folder.join(SUMS))?;
        let listed = listed(&sums);
        let same = |name: &str, found: &Sha256Digest| match listed.get(name) {
            Some(digest) if *digest == found.to_string() => Ok(()),
            Some(_) => Err(damaged(folder, &format!("`{name}` is not the file that `{SUMS}` names"))),
            None => Err(damaged(folder, &format!("`{SUMS}` does not name `{name}`"))),
        };
        let publisher_file = text(&folder.join(PUBLISHER))?;
        same(PUBLISHER, &Sha256Digest::of(publisher_file.as_bytes()))?;
        let publisher = Publisher::parse(&publisher_file)
            .map_err(|error| damaged(folder, &format!("`{PUBLISHER}`: {error}")))?;
        let config = text(&folder.join(CONFIG))?;
        let workspace = WorkspaceConfig::of_text(&folder.join(CONFIG), &config)?;
        same(CONFIG, &Sha256Digest::of(config.as_bytes()))?;
        let searched = [folder.to_owned()];
        let found = plugins::discover(&searched);
        let mut packages = Vec::new();
        let others = bound.is_some();
        for text in bound.unwrap_or_else(|| workspace.roles.ids().into_iter().collect()) {
            let missing =
                || plugins::PluginsError::NotFound { id: text.clone(), searched: searched.to_vec() };
            let newest =
                found.iter().filter(|found| found.id.as_str() == text).max_by_key(|found| &found.version);
            let newest = match newest {
                Some(newest) => newest,
                // Somebody else's.
                None if others => continue,
                None => return Err(missing().into()),
            };
            let bytes = plugins::read(newest)?;
            for (name, _, digest) in bytes.list() {
                same(&below(folder, newest, name), &digest)?;
            }
            let manifest = bytes.parse_manifest().map_err(PackageError::from)?.clone();
            packages.push((manifest, bytes));
        }
        if packages.is_empty() {
            let what = format!("the workspace's `config.yaml` binds no plugin of `{}`", folder.display());
            let hint =
                "bind them under `roles:`, as these lines do, and say it again; or remove `config.yaml`";
            return Err(
                place::input("starter-unbound", Some(hint.to_owned()), what).with_lines(Some(&config))
            );
        }
        let digest = Sha256Digest::of(sums.as_bytes());
        Ok(Self { digest, publisher, publisher_file, config, plugins: packages })
    }
}

/// A package's file as the list names it.
fn below(folder: &Path, found: &Found, name: &str) -> String {
    let package = found.folder.strip_prefix(folder).unwrap_or(&found.folder);
    format!("{}/{name}", package.display())
}

/// Digests by name, of lines as `sha256sum` writes them; other lines name nothing.
fn listed(sums: &str) -> BTreeMap<&str, &str> {
    sums.lines().filter_map(|line| line.split_once("  ")).map(|(digest, name)| (name, digest)).collect()
}

fn text(path: &Path) -> Result<String, Fault> {
    match regular_file::read_text(path, Links::Followed, FILE_BYTES_MAX) {
        Ok((text, _)) => Ok(text),
        Err(error) => Err(place::unreadable(path, error.into())),
    }
}

fn damaged(folder: &Path, what: &str) -> Fault {
    let hint = format!(
        "get it again from where it came; `cd {} && sha256sum --check {SUMS}` looks at all of it",
        folder.display()
    );
    place::input("starter-damaged", Some(hint), format!("`{}`: {what}", folder.display()))
}
