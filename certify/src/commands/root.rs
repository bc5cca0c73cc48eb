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

use clap::Subcommand;
use orch_certify::document::{DocumentError, read_bytes};
use orch_certify::trust_root::Owned;
use orch_host::console::Console;
use orch_host::exit::{Exit, Fault, Outcome};
use orch_host::whole_file;
use orch_trust::key::PublicKey;
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

/// Key and owner of a public file; what else it says is for other readers.
#[derive(Deserialize)]
struct PublicText {
    key: String,
    owner: String,
    profile: Option<orch_trust::authority::Level>,
}

/// Key, owner and perhaps level of a public file.
pub(super) fn read_public(path: &Path) -> Result<(Owned, Option<orch_trust::authority::Level>), Fault> {
    let bytes = read_bytes(path).map_err(document_fault)?;
    let wrong = |error: anyhow::Error| {
        let hint = Some("it is the public `.toml` beside a secret key, as `keygen` makes it".to_owned());
        let what = format!("cannot take a key from `{}`", path.display());
        Fault::new(Exit::Usage, "public-file", hint, error.context(what))
    };
    let text = String::from_utf8(bytes).map_err(|error| wrong(error.into()))?;
    let read: PublicText = toml::from_str(&text).map_err(|error| wrong(error.into()))?;
    let key = PublicKey::from_base64(&read.key).map_err(|error| wrong(error.into()))?;
    Ok((Owned { key, owner: read.owner }, read.profile))
}

/// Writes a file that must not be there yet.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    use std::io::Write;
    let write = |source| document_fault(DocumentError::Write { path: path.to_owned(), source });
    let file = std::fs::File::options().write(true).create_new(true).open(path);
    file.and_then(|mut file| file.write_all(bytes)).map_err(write)
}

fn write_over(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    let write = |source| document_fault(DocumentError::Write { path: path.to_owned(), source });
    whole_file::write(path, bytes, whole_file::PUBLIC).map_err(write)
}
