//! The next version of a trust root, and changes of a version that nobody has signed.
//!
//! In -> out: signed root -> unsigned next version; unsigned document -> the same with a key more or less.
//! Invariant: a document with a signature is never changed.
//! Not here: signing (`sign.rs`).

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use orch_certify::document::{Document, DocumentError, read_bytes, render};
use orch_certify::trust_root::{self, Part, check_form};
use orch_host::console::{Console, escape};
use orch_host::exit::{Exit, Fault, Outcome};
use orch_trust::authority::Level;
use orch_trust::digest::Sha256Digest;
use orch_trust::key::KeyId;
use orch_trust::root::document::RootDocument;

use super::{note_several, purpose, read_public, write_new, write_over};
use crate::commands::{document_fault, now};

/// Write the next version of a signed trust root, unsigned.
#[derive(clap::Args)]
pub(super) struct RotateArgs {
    /// Signed root that is trusted today
    root: PathBuf,
    /// Where the next version goes
    #[arg(long, default_value = "root.json")]
    out: PathBuf,
    /// For how many days it holds
    #[arg(long, default_value_t = 180, value_parser = clap::value_parser!(i64).range(1..=3660))]
    days: i64,
}

/// Give a key a part in a version that nobody has signed.
#[derive(clap::Args)]
pub(super) struct AddKeyArgs {
    /// Unsigned document
    document: PathBuf,
    /// Public file of the key
    #[arg(long, value_name = "FILE")]
    public: PathBuf,
    /// What it is for
    #[arg(long, value_enum)]
    role: PartName,
    /// Namespace of a publisher, like `acme/`
    #[arg(long, required_if_eq("role", "publisher"))]
    prefix: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PartName {
    Root,
    Certifier,
    Revoker,
    Freshness,
    CiIssuer,
    Publisher,
}

/// Take a key out of every part of a version that nobody has signed.
#[derive(clap::Args)]
pub(super) struct RevokeArgs {
    /// Unsigned document
    document: PathBuf,
    /// Id of the key, or its public file
    key: String,
}

pub(in crate::commands) fn key_id(text: &str) -> Result<KeyId, String> {
    KeyId::parse(text).ok_or_else(|| "it is not 64 lower-case hexadecimal digits".to_owned())
}

pub(super) fn rotate(args: &RotateArgs, console: &Console) -> Outcome {
    let before = Document::<RootDocument>::read(&args.root).map_err(document_fault)?;
    if !before.is_signed() {
        let error =
            anyhow::anyhow!("`{}` is not signed: there is no version before yet", args.root.display());
        let hint = Some("change it by hand or with `root add-key` and `root revoke`".to_owned());
        return Err(Fault::new(Exit::Usage, "document-unsigned", hint, error));
    }
    let sha256 = Sha256Digest::of(&read_bytes(&args.root).map_err(document_fault)?);
    let next = trust_root::next(&before.payload, sha256, now(), args.days);
    write_new(&args.out, &render(&next))?;
    console.line(&format!("wrote {}", escape(&args.out.display().to_string())));
    console.line(&format!("version {}, holds until {}", next.version, next.expires));
    Ok(Exit::Done)
}

pub(super) fn add_key(args: &AddKeyArgs, console: &Console) -> Outcome {
    let part = |level: Option<Level>| match args.role {
        PartName::Root => Part::Root,
        PartName::Certifier => Part::Certifier(level.unwrap_or(Level::Local)),
        PartName::Revoker => Part::Revoker,
        PartName::Freshness => Part::Freshness,
        PartName::CiIssuer => Part::CiIssuer,
        PartName::Publisher => Part::Publisher(args.prefix.clone().unwrap_or_default()),
    };
    let (owned, level) = read_public(&args.public, Some(purpose(&part(None))))?;
    change(&args.document, console, |document| trust_root::add_key(document, &part(level), &owned))
}

pub(super) fn revoke(args: &RevokeArgs, console: &Console) -> Outcome {
    let key = match KeyId::parse(&args.key) {
        Some(id) => id,
        None => read_public(Path::new(&args.key), None)?.0.key.id(),
    };
    change(&args.document, console, |document| trust_root::remove_key(document, key))
}

/// What does not hold together afterwards is said and written all the same: the next change may mend it.
fn change(
    path: &Path,
    console: &Console,
    edit: impl FnOnce(&mut RootDocument) -> Result<(), DocumentError>,
) -> Outcome {
    let document = Document::<RootDocument>::read(path).map_err(document_fault)?;
    if document.is_signed() {
        return Err(document_fault(DocumentError::Signed { path: path.to_owned() }));
    }
    let mut payload = document.payload;
    edit(&mut payload).map_err(document_fault)?;
    if let Err(error) = check_form(&payload, now()) {
        console.warn(&format!("it does not hold together yet: {}", escape(&error.to_string())));
    }
    note_several(&payload, console);
    write_over(path, &render(&payload))?;
    console.line(&format!("changed {}", escape(&path.display().to_string())));
    Ok(Exit::Done)
}
