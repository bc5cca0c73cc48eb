//! Makes a key for a part in the trust root.
//!
//! In -> out: part, owner -> secret file, and the public file that `root init` and `root add-key` take.
//! Not here: keys of publishers and certifiers (`commands/keygen.rs`).

use std::path::PathBuf;

use clap::ValueEnum;
use orch_host::console::{Console, escape};
use orch_host::exit::{Exit, Fault, Outcome};
use orch_signer::key_file::{self, Form, Purpose};

use super::write_new;
use crate::commands::key_fault;

/// Make a key that signs roots, revocation lists, freshness documents or delegations.
#[derive(clap::Args)]
pub(super) struct KeygenArgs {
    /// What it signs
    #[arg(long, value_enum)]
    role: KeyRole,
    /// Where the secret key goes; the public file is beside it with the ending `.toml`
    #[arg(long)]
    out: PathBuf,
    /// Whose key it is; certifiers and root signers that are to be independent need different owners
    #[arg(long)]
    owner: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum KeyRole {
    Root,
    Revoker,
    Freshness,
    CiIssuer,
}

pub(super) fn run(args: &KeygenArgs, console: &Console) -> Outcome {
    let public_path = args.out.with_extension("toml");
    if public_path == args.out || public_path.symlink_metadata().is_ok() {
        let error =
            anyhow::anyhow!("`{}` is there already, or is the public file's name", public_path.display());
        return Err(Fault::new(Exit::Usage, "key-file-name", None, error));
    }
    let purpose = match args.role {
        KeyRole::Root => Purpose::Root,
        KeyRole::Revoker => Purpose::Revoker,
        KeyRole::Freshness => Purpose::Freshness,
        KeyRole::CiIssuer => Purpose::CiIssuer,
    };
    let key = key_file::write(&args.out, purpose, Form::Seed).map_err(key_fault)?.public();
    let owner = toml::Value::String(args.owner.clone());
    write_new(&public_path, format!("key = \"{}\"\nowner = {owner}\n", key.to_base64()).as_bytes())?;
    console.line(&format!("key     {}", key.id()));
    console.line(&format!("secret  {}", escape(&args.out.display().to_string())));
    console.line(&format!("public  {}", escape(&public_path.display().to_string())));
    Ok(Exit::Done)
}
