//! Packages with one defect each: what a recipe in `tests/packages/` may say.
//!
//! In -> out: `defect.toml` -> [`Recipe`].
//! Invariant: a recipe changes something and names the code that it must be refused with; unknown keys are refused.
//! Not here: how the changed package is made (`defect/make.rs`, `defect/spoil.rs`), what must happen then (`tests/packages.rs`).

mod make;
mod spoil;

use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use make::{Place, make};

/// What every recipe changes one thing of.
pub const GOOD: &str = "demo/executor-note";

/// One `defect.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The defect in a sentence.
    pub about: String,
    /// Ids of the catalogue that it shows (`catalogue.rs`).
    #[serde(default)]
    pub attacks: Vec<String>,
    /// The stable code that `orch-host run` refuses with.
    pub code: String,
    /// Its exit status.
    #[serde(default = "refused")]
    pub exit: i32,
    /// What `orch-host plugin inspect` says if not the same: a code or `passed`.
    pub inspect: Option<String>,
    /// What `orch-certify verify` says if not the same: a code or `passed`.
    pub verify: Option<String>,
    /// Its exit status.
    #[serde(default = "refused")]
    pub verify_exit: i32,
    /// The engine refuses it, when packages before it are compiled already.
    #[serde(default)]
    pub by_the_engine: bool,
    /// The manifest, before it is signed.
    pub manifest: Option<Edit>,
    /// The component, before it is signed.
    pub component: Option<Component>,
    pub release: Option<Signed>,
    pub certificate: Option<Signed>,
    /// Files of the finished package, in this order.
    #[serde(default)]
    pub files: Vec<FileChange>,
    pub operator: Option<Operator>,
    pub workspace: Option<Workspace>,
}

fn refused() -> i32 {
    3
}

/// Changes of JSON, by pointer. Texts like `now-1d` become a time.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Edit {
    pub set: toml::Table,
    pub remove: Vec<String>,
    /// An element of an array that is put at its end once more.
    pub repeat: Option<String>,
    /// In the text that is signed: the first occurrence of the one becomes the other.
    pub replace: Option<[String; 2]>,
    /// The text is written as UTF-16.
    pub utf16: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Component {
    /// Compiled from this text.
    Wat(String),
    /// These very bytes.
    Text(String),
    /// The good one with this behind it.
    Append(String),
    /// The good one with another whole one behind it.
    Twice,
    /// Compiled from a text in which `EACH` stands for so many of `each`, `#` in it for its number.
    Many { wat: String, each: String, count: usize },
}

/// What a release or certificate says, and who signs it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Signed {
    /// Empty: it is signed by nobody. Absent: by the one who should.
    pub keys: Option<Vec<Signer>>,
    /// The certificate is of level `certified`, with everything that this takes, and the release says its source.
    pub certified: bool,
    /// Another statement in its place.
    pub says: Option<Statement>,
    pub set: toml::Table,
    pub remove: Vec<String>,
    pub repeat: Option<String>,
    /// Its subjects are the good package's files.
    pub of_the_good: bool,
    /// How the first signature is spoiled.
    pub signature: Option<Spoil>,
    /// How its key id is.
    pub key_id: Option<OtherKeyId>,
}

/// Another signature in the place of the right one.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spoil {
    /// `S` with the order of the group added: the same equation.
    UnreducedS,
    /// `R` is the identity.
    SmallOrderR,
    /// `R` is a number that is not reduced.
    UnreducedR,
    /// Without its last byte.
    Short,
    /// With a byte more.
    Long,
    /// Base64 of the alphabet for URLs, without padding.
    UrlBase64,
    /// A space in the base64.
    Space,
    /// Bits set that stand for no byte.
    StrayBits,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OtherKeyId {
    /// The right one in capitals.
    UpperCase,
    /// Its first 16 digits.
    Prefix,
    /// A trusted party's who did not sign.
    OfTheCertifier,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signer {
    Publisher,
    Certifier,
    Stranger,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Statement {
    /// A certificate where a release should be.
    Certificate,
    /// A release where a certificate should be.
    Release,
    /// Fields that neither has.
    Nothing,
}

/// A change of one file on disk. `CERTIFICATE` is the name of the only certificate.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, tag = "do", rename_all = "kebab-case")]
pub enum FileChange {
    /// One bit of the byte in the middle.
    FlipByte {
        file: String,
    },
    Append {
        file: String,
        text: String,
    },
    Remove {
        file: String,
    },
    /// A file that was not there: a text, or that many bytes.
    Add {
        file: String,
        #[serde(default)]
        text: String,
        #[serde(default)]
        bytes: usize,
    },
    /// Many files that were not there.
    AddMany {
        count: usize,
    },
    /// A symbolic link in the place of the file.
    Link {
        file: String,
        to: String,
    },
    /// A named pipe in its place.
    Pipe {
        file: String,
    },
    /// A socket in its place.
    Socket {
        file: String,
    },
    /// It says that it has so many bytes, and the disk holds none of them.
    Sparse {
        file: String,
        bytes: u64,
    },
    Folder {
        file: String,
    },
    Rename {
        file: String,
        to: String,
    },
    Replace {
        file: String,
        find: String,
        with: String,
    },
    /// The file of the same name of another plugin's package.
    TakeFrom {
        plugin: String,
        file: String,
    },
    /// The package lies in the folder of another version.
    MoveTo {
        version: String,
    },
}

/// What is different in the operator's folder.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Operator {
    /// At the end of `policy.toml`; `COMPONENT`, `PUBLISHER` and `CERTIFIER` stand for digests.
    pub policy: String,
    /// Before its first line.
    pub policy_head: String,
    /// Fields of the publisher's file.
    pub publisher: toml::Table,
    /// Fields of the certifier's file.
    pub certifier: toml::Table,
    pub approval: Option<Edit>,
    /// Files that are not there.
    pub remove: Vec<String>,
}

/// What is different in the workspace.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Workspace {
    /// At the end of `config.yaml`.
    pub config: String,
    /// `orch.lock` pins the good package.
    pub pinned: bool,
}

impl Recipe {
    /// The recipe in that folder.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let path = folder.join("defect.toml");
        let shown = folder.file_name().unwrap_or_default().to_string_lossy();
        let text = std::fs::read_to_string(&path).map_err(|_| format!("`{shown}` has no `defect.toml`"))?;
        Self::parse(&shown, &text)
    }

    /// The recipe of that text; `shown` is the folder's name.
    pub fn parse(shown: &str, text: &str) -> Result<Self, String> {
        let recipe: Self = toml::from_str(text).map_err(|error| format!("`{shown}`: {error}"))?;
        if recipe.code.is_empty() || recipe.about.is_empty() {
            return Err(format!("`{shown}` has an empty `code` or `about`"));
        }
        match recipe.changes_something() {
            true => Ok(recipe),
            false => Err(format!("`{shown}` changes nothing")),
        }
    }

    fn changes_something(&self) -> bool {
        self.is_made_anew() || !self.files.is_empty() || self.operator.is_some() || self.workspace.is_some()
    }

    /// True if the package is signed again, not only changed on disk.
    pub fn is_made_anew(&self) -> bool {
        self.manifest.is_some()
            || self.component.is_some()
            || self.release.is_some()
            || self.certificate.is_some()
    }
}

/// The folders of all defects, sorted.
pub fn folders() -> Vec<PathBuf> {
    let root = crate::root().join("tests/packages");
    let mut found: Vec<PathBuf> = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    found
}
