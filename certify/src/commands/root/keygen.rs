//! Makes a key for a part in the trust root.
//!
//! In -> out: part, owner -> secret file, and the public file that `root init` and `root add-key` take.
//! Not here: keys of publishers and certifiers (`commands/keygen.rs`).

use std::path::PathBuf;

use clap::ValueEnum;
use orch_host::console::{Console, escape};
use orch_host::exit::{Exit, Fault, Outcome};
use orch_signer::key_file::{self, Form};

use super::{KeyRole, write_new};
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

pub(super) fn run(args: &KeygenArgs, console: &Console) -> Outcome {
    let public_path = args.out.with_extension("toml");
    if public_path == args.out || public_path.symlink_metadata().is_ok() {
        let error =
            anyhow::anyhow!("`{}` is there already, or is the public file's name", public_path.display());
        return Err(Fault::new(Exit::Usage, "key-file-name", None, error));
    }
    let key = key_file::write(&args.out, args.role.purpose(), Form::Seed).map_err(key_fault)?.public();
    let (owner, role) = (toml::Value::String(args.owner.clone()), args.role.to_possible_value());
    let role = role.as_ref().map_or("", |value| value.get_name());
    let text = format!("key = \"{}\"\nowner = {owner}\nrole = \"{role}\"\n", key.to_base64());
    // A new key without its public file is one that nobody knows.
    write_new(&public_path, text.as_bytes()).inspect_err(|_| drop(std::fs::remove_file(&args.out)))?;
    console.line(&format!("key     {}", key.id()));
    console.line(&format!("secret  {}", escape(&args.out.display().to_string())));
    console.line(&format!("public  {}", escape(&public_path.display().to_string())));
    Ok(Exit::Done)
}
