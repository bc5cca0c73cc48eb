//! `orch-plugin sign`: the publisher's release signature.

use std::path::{Path, PathBuf};

use orch_host::clock::now;
use orch_host::console::{Console, escape};
use orch_host::exit::{Exit, Outcome};
use orch_plugin::prepared::{ImportRequest, Prepared, prepare};
use orch_plugin::sign::{SignError, SignRequest, sign};
use orch_signer::arguments::SignerArguments;
use orch_signer::key_file::Purpose;
use orch_trust::key::KeyId;
use orch_trust::release::Source;

use super::{fault, fault_in};

/// Sign a package as its publisher.
#[derive(clap::Args)]
pub(crate) struct SignArguments {
    /// Package folder
    package: PathBuf,
    #[command(flatten)]
    signer: SignerArguments,
    /// Days that the release may be admitted
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// Which line of releases it belongs to
    #[arg(long, default_value = "stable")]
    channel: String,
    /// Higher with each release of the channel; seconds since 1970 if absent
    #[arg(long)]
    counter: Option<u64>,
    /// Sign nothing; write there what `minisign -S -l` or `ssh-keygen -Y sign -n orch-plugin` is to sign
    #[arg(long, value_name = "FILE", conflicts_with_all = ["key", "signer", "prepared"])]
    prepare: Option<PathBuf>,
    /// What `--prepare` wrote, signed by another tool since
    #[arg(long, value_name = "FILE", requires_all = ["signature", "by"])]
    prepared: Option<PathBuf>,
    /// The other tool's signature file
    #[arg(long, value_name = "FILE", requires = "prepared")]
    signature: Option<PathBuf>,
    /// The other tool's public key, or a file with it
    #[arg(long, value_name = "KEY", requires = "prepared")]
    by: Option<String>,
    /// Where the sources are, like `git+https://example.org/acme/hello`
    #[arg(long, value_name = "URI", requires = "source_commit")]
    source_uri: Option<String>,
    /// Full name of the commit that the package was made of
    #[arg(long, value_name = "COMMIT", requires = "source_uri")]
    source_commit: Option<String>,
}

pub(crate) fn run(arguments: &SignArguments, console: &Console) -> Outcome {
    let what = || format!("cannot sign `{}`", arguments.package.display());
    if let (Some(prepared), Some(signature), Some(by)) =
        (&arguments.prepared, &arguments.signature, &arguments.by)
    {
        return import(arguments, prepared, signature, by, console).map_err(|fault| fault.context(what()));
    }
    let now = now();
    let source = arguments.source_uri.clone().zip(arguments.source_commit.clone());
    let request = SignRequest {
        package: &arguments.package,
        now,
        days: arguments.days,
        channel: &arguments.channel,
        release_counter: arguments.counter.unwrap_or(now.0.unsigned_abs()),
        source: source.map(|(uri, commit)| Source { uri, commit }),
    };
    match &arguments.prepare {
        None => {
            let signer = arguments.signer.require(Purpose::Publisher).map_err(fault)?;
            let id = sign(&request, &*signer).map_err(fault_in(what()))?;
            signed(arguments, id, console);
        }
        Some(path) => {
            let bytes = prepare(&request).map_err(fault_in(what()))?;
            let not_written = |source| fault(SignError::Io { path: path.clone(), source });
            std::fs::write(path, &bytes).map_err(not_written)?;
            let path = escape(&path.display().to_string());
            console.line(&format!("wrote `{path}`, {} bytes to sign", bytes.len()));
        }
    }
    Ok(Exit::Done)
}

fn import(
    arguments: &SignArguments,
    prepared: &Path,
    signature: &Path,
    by: &str,
    console: &Console,
) -> Outcome {
    let request = ImportRequest { package: &arguments.package, prepared, signature, by };
    let prepared = Prepared::read(&request).map_err(fault)?;
    let vouched = prepared.vouched();
    console.line(&format!("signature ({}) by key {} holds", vouched.form().as_str(), vouched.key().id()));
    let signer = arguments.signer.open(Purpose::Publisher).map_err(fault)?;
    let id = prepared.sign(&arguments.package, signer.as_deref()).map_err(fault)?;
    signed(arguments, id, console);
    Ok(Exit::Done)
}

fn signed(arguments: &SignArguments, id: KeyId, console: &Console) {
    let package = escape(&arguments.package.display().to_string());
    console.line(&format!("signed `{package}` with key {id}"));
}
