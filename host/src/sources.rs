//! Where packages come from: a folder, a file, an index in a folder or on the web, a registry.
//!
//! In -> out: what somebody said -> [`Asked`] -> versions, and the files of one of them.
//! Limits: 10 s to 15 min for each request (`fetch.rs`); 10,000 versions; the [`TRIED_MAX`] newest that fit are looked at.
//! Invariant: whatever it came through, what comes out are the files of a package, in memory: nothing is written before they are
//! admitted; a version that is for other hosts is passed over, every other fault of a package is said.
//! Not here: whether anybody vouches for them (`orch-trust`), what is asked and kept (`commands/plugin/add.rs`).

pub mod error;
pub mod index;
pub mod login;
pub mod oci;
pub mod registry;

use std::path::{Path, PathBuf};

use orch_trust::archive::ENDING;
use orch_trust::authority::Publisher;
use orch_trust::manifest::Manifest;
use orch_trust::name::PluginId;
use orch_trust::package::{MANIFEST, PackageBytes};
use orch_trust::refusal::Refusal;
use semver::{Version, VersionReq};

pub use error::SourceError;
use index::{INDEX, Index};
use login::Logins;
use registry::{Address, Registry, SCHEME};

use crate::fetch::{Client, WebAddress};
use crate::package::{self, archive};

const TRIED_MAX: usize = 16;

/// What somebody said: where, which plugin, which versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub place: Place,
    /// Of a folder and a file, and of a registry's repository, what is found there.
    pub id: Option<PluginId>,
    pub range: Option<VersionReq>,
}

/// Where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A package's folder.
    Folder(PathBuf),
    /// A package's file.
    File(PathBuf),
    /// A folder with an index.
    Shelf(PathBuf),
    /// The same on the web, with `/` at its end.
    Web(WebAddress),
    Registry(Address),
}

impl Asked {
    /// `source`: a path, `https://..`, `oci://host/name`; `what`: `ID@RANGE` of an index. A registry's range stands at its own end.
    ///
    /// # Errors
    /// `Unclear`, `Address`.
    pub fn parse(source: &str, what: Option<&str>) -> Result<Self, SourceError> {
        let unclear = |why: &str| SourceError::Unclear { said: source.to_owned(), why: why.to_owned() };
        if let Some(rest) = source.strip_prefix(SCHEME) {
            if what.is_some() {
                return Err(unclear(
                    "a registry's name says which plugin it is; versions stand behind it, as in `oci://host/name@^1.2`",
                ));
            }
            let (name, range) = match rest.split_once('@') {
                None => (rest, None),
                Some((name, range)) => (name, Some(parse_range(range)?)),
            };
            let (address, tag) = Address::parse(name)?;
            let range = match (range, tag) {
                (Some(_), Some(_)) => {
                    return Err(unclear("it has a tag and a range; one says which version"));
                }
                (None, Some(tag)) => Some(parse_range(&format!("={tag}"))?),
                (range, None) => range,
            };
            return Ok(Self { place: Place::Registry(address), id: None, range });
        }
        let place = match source.contains("://") {
            true => {
                let end = if source.ends_with('/') { "" } else { "/" };
                let address = WebAddress::parse(&format!("{source}{end}"));
                Place::Web(address.map_err(crate::fetch::FetchError::from)?)
            }
            false => local(Path::new(source)),
        };
        match (&place, what) {
            (Place::Web(_) | Place::Shelf(_), None) => {
                Err(unclear("it has an index; say which plugin of it, as in `NAMESPACE/NAME@^1.2`"))
            }
            (Place::Folder(_) | Place::File(_), Some(_)) => {
                Err(unclear("it is one version of one plugin, and no index"))
            }
            (_, None) => Ok(Self { place, id: None, range: None }),
            (_, Some(what)) => {
                let (id, range) = match what.split_once('@') {
                    None => (what, None),
                    Some((id, range)) => (id, Some(parse_range(range)?)),
                };
                let id = PluginId::parse(id).map_err(|error| unclear(&error.to_string()))?;
                Ok(Self { place, id: Some(id), range })
            }
        }
    }

    /// As `orch.lock` names the place: paths within the workspace as they are there, others whole; none for a package's folder,
    /// which people make anew all the time.
    pub fn written(&self, workspace: &Path) -> Option<String> {
        let path = |path: &Path| {
            let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
            whole.strip_prefix(workspace).unwrap_or(&whole).to_str().map(str::to_owned)
        };
        match &self.place {
            Place::Folder(_) => None,
            Place::File(file) => path(file),
            Place::Shelf(folder) => path(folder),
            Place::Web(address) => Some(address.to_string()),
            Place::Registry(address) => Some(address.to_string()),
        }
    }

    /// What such a name of `orch.lock` means for one plugin.
    ///
    /// # Errors
    /// Those of [`Self::parse`].
    pub fn of_lock(
        written: &str,
        id: &PluginId,
        range: Option<VersionReq>,
        workspace: &Path,
    ) -> Result<Self, SourceError> {
        let is_path = !written.contains("://");
        let source = if is_path { workspace.join(written).display().to_string() } else { written.to_owned() };
        let indexed = is_path && matches!(local(Path::new(&source)), Place::Shelf(_));
        let what = (indexed || written.starts_with("http")).then(|| id.to_string());
        let asked = Self::parse(&source, what.as_deref())?;
        Ok(Self { id: Some(id.clone()), range, ..asked })
    }
}

/// A range as Cargo writes it: `^1.2`, `=1.2.3`, `>=1, <3`.
///
/// # Errors
/// `Unclear`.
pub fn parse_range(text: &str) -> Result<VersionReq, SourceError> {
    VersionReq::parse(text).map_err(|error| SourceError::Unclear {
        said: text.escape_default().take(100).collect(),
        why: format!("no range of versions like `^1.2`: {error}"),
    })
}

fn local(path: &Path) -> Place {
    let is_file = path.is_file() || path.extension().is_some_and(|end| end == ENDING);
    match (is_file, path.join(INDEX).is_file() && !path.join(MANIFEST).is_file()) {
        (true, _) => Place::File(path.to_owned()),
        (false, true) => Place::Shelf(path.to_owned()),
        (false, false) => Place::Folder(path.to_owned()),
    }
}

/// A place that was opened.
pub enum Opened<'a> {
    /// One version, read.
    One(Box<PackageBytes>),
    Index(Index<'a>),
    Registry(Registry<'a>),
}

/// What every place needs.
pub struct Means<'a> {
    pub client: &'a Client,
    pub logins: &'a Logins,
    /// Whose signatures of an index count.
    pub publishers: &'a [Publisher],
}

impl<'a> Opened<'a> {
    /// Reads a folder or file, fetches an index; a registry is asked later.
    ///
    /// # Errors
    /// What is there is no package or index, or cannot be read.
    pub fn open(asked: &Asked, means: &Means<'a>) -> Result<Self, SourceError> {
        Ok(match &asked.place {
            Place::Folder(folder) => Self::One(Box::new(package::read(folder)?)),
            Place::File(file) => Self::One(Box::new(archive::read(file)?)),
            Place::Shelf(folder) => Self::Index(Index::of_folder(folder, means.publishers)?),
            Place::Web(address) => Self::Index(Index::of_web(address, means.client, means.publishers)?),
            Place::Registry(address) => {
                Self::Registry(Registry::to_read(means.client, address, means.logins)?)
            }
        })
    }

    /// Versions that are offered, the newest first.
    ///
    /// # Errors
    /// Of asking; `Package` of one that cannot be read.
    pub fn versions(&self, id: Option<&PluginId>) -> Result<Vec<Version>, SourceError> {
        let mut versions = match self {
            Self::One(bytes) => vec![bytes.parse_manifest()?.version.clone()],
            Self::Index(index) => index.versions(id),
            Self::Registry(registry) => registry.versions()?,
        };
        versions.sort();
        versions.reverse();
        Ok(versions)
    }

    /// The manifest of one version; none if it is for hosts of other interfaces.
    fn manifest(&self, id: Option<&PluginId>, version: &Version) -> Result<Option<Manifest>, SourceError> {
        let read = match self {
            Self::One(bytes) => Manifest::parse(bytes.manifest()),
            Self::Index(index) => Manifest::parse(index.package(id, version)?.manifest()),
            Self::Registry(registry) => Manifest::parse(&registry.manifest_file(version)?),
        };
        match read {
            Ok(manifest) => Ok(Some(manifest)),
            Err(Refusal::HostApi { .. }) => Ok(None),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// The newest version in the range that is for this host.
    ///
    /// # Errors
    /// `NoVersion`; those of asking and of packages.
    pub fn newest(&self, id: Option<&PluginId>, range: Option<&VersionReq>) -> Result<Version, SourceError> {
        let all = self.versions(id)?;
        let within = |version: &&Version| match range {
            Some(range) => range.matches(version),
            None => version.pre.is_empty() || matches!(self, Self::One(_)),
        };
        let mut passed = Vec::new();
        for version in all.iter().filter(within).take(TRIED_MAX) {
            if self.manifest(id, version)?.is_some() {
                return Ok(version.clone());
            }
            passed.push(version.to_string());
        }
        let wanted = range.map_or_else(|| "a released one".to_owned(), ToString::to_string);
        let offered = all.iter().take(TRIED_MAX).map(ToString::to_string).collect();
        Err(SourceError::NoVersion { wanted, offered, passed })
    }

    /// The files of one version.
    ///
    /// # Errors
    /// Those of asking; `Other` if it is another plugin or version.
    pub fn package(&self, id: Option<&PluginId>, version: &Version) -> Result<PackageBytes, SourceError> {
        let bytes = match self {
            Self::One(bytes) => (**bytes).clone(),
            Self::Index(index) => index.package(id, version)?,
            Self::Registry(registry) => registry.package(version)?,
        };
        let manifest = bytes.parse_manifest()?;
        let other = |expected: String, found: String| Err(SourceError::Other { expected, found });
        if let Some(id) = id.filter(|id| **id != manifest.id) {
            return other(id.to_string(), manifest.id.to_string());
        }
        if manifest.version != *version {
            return other(version.to_string(), manifest.version.to_string());
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(source: &str, what: Option<&str>) -> Result<Asked, &'static str> {
        Asked::parse(source, what).map_err(|error| error.code())
    }

    #[test]
    fn what_is_said_names_a_place_and_versions() {
        let asked = parsed("oci://127.0.0.1:5000/acme/hello@^1.2", None).unwrap();
        assert_eq!(asked.range, Some(VersionReq::parse("^1.2").unwrap()));
        assert_eq!(asked.written(Path::new("/w")).unwrap(), "oci://127.0.0.1:5000/acme/hello");
        assert_eq!(
            parsed("oci://registry.example/hello:1.2.3", None).unwrap().range,
            Some(VersionReq::parse("=1.2.3").unwrap())
        );
        let asked = parsed("https://example.org/plugins", Some("acme/hello@1.2")).unwrap();
        assert_eq!(asked.written(Path::new("/w")).unwrap(), "https://example.org/plugins/");
        assert_eq!(
            (asked.id.unwrap().as_str(), asked.range.unwrap().to_string()),
            ("acme/hello", "^1.2".to_owned())
        );
        assert_eq!(parsed("x.orchpkg", None).unwrap().place, Place::File("x.orchpkg".into()));
        assert_eq!(parsed("x", None).unwrap().place, Place::Folder("x".into()));
        for (source, what, code) in [
            ("oci://registry.example/hello@^1.2", Some("acme/hello"), "source-unclear"),
            ("oci://registry.example/hello:1.2.3@^1", None, "source-unclear"),
            ("oci://registry.example/hello:latest", None, "source-unclear"),
            ("oci://registry.example/hello@later", None, "source-unclear"),
            ("oci://registry.example/", None, "source-address"),
            ("https://example.org/plugins/", None, "source-unclear"),
            ("https://example.org/plugins/", Some("acme"), "source-unclear"),
            ("https://example.org/plugins/", Some("acme/hello@new"), "source-unclear"),
            ("http://example.org/plugins/", Some("acme/hello"), "source-address"),
            ("x.orchpkg", Some("acme/hello"), "source-unclear"),
        ] {
            assert_eq!(parsed(source, what), Err(code), "{source} {what:?}");
        }
    }
}
