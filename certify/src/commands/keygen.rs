//! Makes a key: the secret file for its owner, the public file for operators who trust it.
//!
//! In -> out: names -> two files; of a key that is there already, the public file alone.
//! Invariant: neither file is ever overwritten.
//! Not here: their formats (`orch-signer`'s `key_file.rs`, `orch-trust`'s `authority.rs`).

use std::path::PathBuf;

use clap::ValueEnum;
use orch_certify::document::write_new;
use orch_host::console::{Console, escape};
use orch_host::exit::{Exit, Fault, Outcome};
use orch_signer::arguments::SignerArguments;
use orch_signer::key_file::{self, Form, KeyFileError, Purpose};
use orch_signer::secret_file::SecretFileError;
use orch_trust::authority::{Certifier, Level, Publisher};
use orch_trust::key::{PublicKey, SecretKey};

use super::{key_fault, signer_fault};

/// Make a key, and the file by which operators trust it.
#[derive(clap::Args)]
#[command(after_help = "With `--key` or `--signer` no key is made, only the public file of that one.")]
pub(crate) struct KeygenArgs {
    /// Where the secret key goes; the public file is beside it with the ending `.toml`
    #[arg(long, default_value = "orch.key")]
    out: PathBuf,
    /// Whose key it is, for people
    #[arg(long, default_value = "unnamed")]
    owner: String,
    /// A namespace that it may publish under, like `acme` or `acme/`; may be said again
    #[arg(long, value_name = "NAMESPACE", conflicts_with = "certifier")]
    publisher: Vec<String>,
    /// It certifies, at most at that level
    #[arg(long, value_enum, value_name = "LEVEL")]
    certifier: Option<Profile>,
    /// Encrypt the secret key with a passphrase (PKCS#8)
    #[arg(long, conflicts_with_all = ["key", "signer"])]
    encrypt: bool,
    /// Take the key of that file of OpenSSH, minisign or OpenSSL instead of a new one
    #[arg(long, value_name = "FILE", conflicts_with_all = ["key", "signer"])]
    import: Option<PathBuf>,
    #[command(flatten)]
    signer: SignerArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Profile {
    Development,
    Local,
    Certified,
}

pub(crate) fn run(args: &KeygenArgs, console: &Console) -> Outcome {
    if args.publisher.is_empty() && args.certifier.is_none() {
        let hint =
            "say `--publisher NAMESPACE` for a key that signs packages, or `--certifier local` for one that \
                    certifies them"
                .to_owned();
        let error = anyhow::anyhow!("nothing says what the key is for");
        return Err(Fault::new(Exit::Usage, "key-role", Some(hint), error));
    }
    let public_path = args.out.with_extension("toml");
    if public_path == args.out {
        let error = anyhow::anyhow!("`{}` is the name of the public file", args.out.display());
        return Err(Fault::new(Exit::Usage, "key-file-name", None, error));
    }
    if public_path.symlink_metadata().is_ok() {
        let exists = SecretFileError::Exists { what: "key file", path: public_path };
        return Err(key_fault(KeyFileError::File(exists)));
    }
    // Namespaces are checked before anything is written: the text is read back the way operators will.
    let any = SecretKey::from_seed(&[1; 32]).public();
    render(args, any).map_err(|error| Fault::new(Exit::Usage, "namespace", None, error))?;
    let purpose = if args.certifier.is_some() { Purpose::Certifier } else { Purpose::Publisher };
    let public = match args.signer.is_said() {
        true => args.signer.require(purpose).map_err(signer_fault)?.public(),
        false => write_secret(args, purpose).map_err(key_fault)?.public(),
    };
    let text = render(args, public).map_err(|error| Fault::new(Exit::Usage, "namespace", None, error))?;
    write_new(&public_path, text.as_bytes()).map_err(|source| {
        if !args.signer.is_said() {
            // It is new, and without its public file nobody knows it.
            let _ = std::fs::remove_file(&args.out);
        }
        let (what, path) = ("key file", public_path.clone());
        key_fault(KeyFileError::File(SecretFileError::Write { what, path, source }))
    })?;
    console.line(&format!("key     {}", public.id()));
    if !args.signer.is_said() {
        console.line(&format!("secret  {}", escape(&args.out.display().to_string())));
    }
    console.line(&format!("public  {}", escape(&public_path.display().to_string())));
    Ok(Exit::Done)
}

/// The secret file, new or imported, encrypted or not.
fn write_secret(args: &KeygenArgs, purpose: Purpose) -> Result<SecretKey, KeyFileError> {
    let passphrases = args.signer.passphrases();
    let chosen = match args.encrypt {
        true => {
            let chosen = passphrases.choose("key");
            Some(chosen.map_err(|source| KeyFileError::Passphrase { path: args.out.clone(), source })?)
        }
        false => None,
    };
    let form = chosen.as_ref().map_or(Form::Seed, |chosen| Form::Encrypted(chosen));
    match &args.import {
        Some(from) => key_file::import(from, &args.out, purpose, form, &passphrases),
        None => key_file::write(&args.out, purpose, form),
    }
}

/// The public file's text, if operators can read it.
fn render(args: &KeygenArgs, key: PublicKey) -> anyhow::Result<String> {
    let owner = args.owner.clone();
    if let Some(profile) = args.certifier {
        let profile = match profile {
            Profile::Development => Level::Development,
            Profile::Local => Level::Local,
            Profile::Certified => Level::Certified,
        };
        let text = Certifier::new(key, owner, profile).render();
        Certifier::parse(&text)?;
        return Ok(text);
    }
    let with_slash = |name: &String| format!("{}/", name.trim_end_matches('/'));
    let namespaces = args.publisher.iter().map(with_slash).collect();
    let text = Publisher::new(key, owner, namespaces).render();
    Publisher::parse(&text)?;
    Ok(text)
}
