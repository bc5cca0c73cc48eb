//! Makes, changes and signs versions of the trust root.
//!
//! In -> out: public keys, documents -> documents; a document and a key -> one more signature.
//! Invariant: every step is a file that can be carried to another machine; nothing that is signed is changed, and
//! only a document that holds together is signed.
//! Not here: what a root means (`orch-trust`'s `root.rs`), making one (`orch-certify`'s `trust_root.rs`).

mod edit;
mod init;
mod keygen;
mod sign;

use std::path::Path;

use clap::{Subcommand, ValueEnum};
use orch_certify::document::{self, DocumentError, read_bytes};
use orch_certify::trust_root::{Owned, Part, several_parts};
use orch_host::console::Console;
use orch_host::exit::{Exit, Fault, Outcome};
use orch_host::whole_file;
use orch_signer::key_file::Purpose;
use orch_trust::authority::Level;
use orch_trust::key::PublicKey;
use orch_trust::root::document::RootDocument;
use serde::Deserialize;

use super::document_fault;
pub(super) use edit::key_id;

/// Make, change, sign and show versions of the trust root.
#[derive(clap::Args)]
pub(crate) struct RootArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Keygen(keygen::KeygenArgs),
    Init(Box<init::InitArgs>),
    Rotate(edit::RotateArgs),
    AddKey(edit::AddKeyArgs),
    Revoke(edit::RevokeArgs),
    Sign(Box<sign::SignArgs>),
    Show(sign::ShowArgs),
}

pub(crate) fn run(args: &RootArgs, console: &Console) -> Outcome {
    match &args.verb {
        Verb::Keygen(args) => keygen::run(args, console),
        Verb::Init(args) => init::run(args, console),
        Verb::Rotate(args) => edit::rotate(args, console),
        Verb::AddKey(args) => edit::add_key(args, console),
        Verb::Revoke(args) => edit::revoke(args, console),
        Verb::Sign(args) => sign::sign(args, console),
        Verb::Show(args) => sign::show(args, console),
    }
}

/// Key and owner of a public file, and what says for which part it was made: nothing, in a file written by hand.
#[derive(Deserialize)]
struct PublicText {
    key: String,
    owner: String,
    /// Of `root keygen`.
    role: Option<KeyRole>,
    /// Of `keygen --certifier`.
    profile: Option<Level>,
    /// Of `keygen --publisher`.
    namespaces: Option<Vec<String>>,
}

impl PublicText {
    /// Purposes that this file was made for; none where it does not say.
    fn purposes(&self) -> Vec<Purpose> {
        let role = self.role.map(KeyRole::purpose);
        let certifier = self.profile.map(|_| Purpose::Certifier);
        let publisher = self.namespaces.as_ref().map(|_| Purpose::Publisher);
        [role, certifier, publisher].into_iter().flatten().collect()
    }
}

/// A part that keys are made for by `root keygen`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum KeyRole {
    Root,
    Revoker,
    Freshness,
    CiIssuer,
}

impl KeyRole {
    fn purpose(self) -> Purpose {
        match self {
            Self::Root => Purpose::Root,
            Self::Revoker => Purpose::Revoker,
            Self::Freshness => Purpose::Freshness,
            Self::CiIssuer => Purpose::CiIssuer,
        }
    }
}

/// Key, owner and perhaps level of a public file, which must not be made for another purpose; `None`: for any. Where it is none, nothing of what it says is shown: it may be a secret.
pub(super) fn read_public(path: &Path, expected: Option<Purpose>) -> Result<(Owned, Option<Level>), Fault> {
    let bytes = read_bytes(path).map_err(document_fault)?;
    let wrong = |why: String| {
        let hint = Some("it is the public `.toml` beside a secret key, as `keygen` makes it".to_owned());
        let error = anyhow::Error::msg(why).context(format!("cannot take a key from `{}`", path.display()));
        Fault::new(Exit::Usage, "public-file", hint, error)
    };
    let text = std::str::from_utf8(&bytes).map_err(|_| wrong("it is no text".to_owned()))?;
    let read: PublicText = toml::from_str(text).map_err(|error| wrong(place(text, &error)))?;
    let key = PublicKey::from_base64(&read.key).map_err(|error| wrong(error.to_string()))?;
    let made_for = read.purposes();
    if let (Some(expected), [found, ..]) =
        (expected.filter(|one| !made_for.contains(one)), made_for.as_slice())
    {
        let (found, expected) = (found.as_str(), expected.as_str());
        let error = anyhow::anyhow!("`{}` is a {found}'s, expected a {expected}'s", path.display());
        let hint = Some("one key does not vouch twice: `keygen` makes a key for each part".to_owned());
        return Err(Fault::new(Exit::Usage, "public-file-other-purpose", hint, error));
    }
    Ok((Owned { key, owner: read.owner }, read.profile))
}

/// Where a text is no public file. The library's own message quotes the line.
fn place(text: &str, error: &toml::de::Error) -> String {
    let start = error.span().map_or(0, |span| span.start);
    let line = text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1;
    format!("it does not say `key` and `owner` in TOML (line {line})")
}

/// Writes a file that must not be there yet.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    let fault = |source| document_fault(DocumentError::Write { path: path.to_owned(), source });
    document::write_new(path, bytes).map_err(fault)
}

/// What a key is made for that is to have that part.
fn purpose(part: &Part) -> Purpose {
    match part {
        Part::Root => Purpose::Root,
        Part::Certifier(_) => Purpose::Certifier,
        Part::Revoker => Purpose::Revoker,
        Part::Freshness => Purpose::Freshness,
        Part::CiIssuer => Purpose::CiIssuer,
        Part::Publisher(_) => Purpose::Publisher,
    }
}

/// Says which keys have several parts: whoever takes one of them acts in each.
fn note_several(document: &RootDocument, console: &Console) {
    for (key, parts) in several_parts(document) {
        console.warn(&format!("key {key} has several parts: {}", parts.join(", ")));
    }
}

fn write_over(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    let write = |source| document_fault(DocumentError::Write { path: path.to_owned(), source });
    whole_file::write(path, bytes, whole_file::PUBLIC).map_err(write)
}
