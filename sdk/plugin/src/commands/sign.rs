//! `orch-plugin sign`: the publisher's release signature.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use orch_plugin::prepared::{ImportRequest, Prepared, prepare};
use orch_plugin::sign::{SignRequest, sign};
use orch_signer::arguments::SignerArguments;
use orch_signer::key_file::Purpose;
use orch_trust::release::Source;
use orch_trust::time::UnixSeconds;

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

pub(crate) fn run(arguments: &SignArguments) -> anyhow::Result<ExitCode> {
    let context = || format!("cannot sign `{}`", arguments.package.display());
    if let (Some(prepared), Some(signature), Some(by)) =
        (&arguments.prepared, &arguments.signature, &arguments.by)
    {
        return import(arguments, prepared, signature, by).with_context(context);
    }
    let signer = match &arguments.prepare {
        None => Some(arguments.signer.require(Purpose::Publisher)?),
        Some(_) => None,
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_secs();
    let source = arguments.source_uri.clone().zip(arguments.source_commit.clone());
    let request = SignRequest {
        package: &arguments.package,
        now: UnixSeconds(i64::try_from(now).context("the clock is too far ahead")?),
        days: arguments.days,
        channel: &arguments.channel,
        release_counter: arguments.counter.unwrap_or(now),
        source: source.map(|(uri, commit)| Source { uri, commit }),
    };
    if let Some(signer) = signer {
        let id = sign(&request, &*signer).with_context(context)?;
        println!("signed `{}` with key {id}", arguments.package.display());
    } else if let Some(path) = &arguments.prepare {
        let bytes = prepare(&request).with_context(context)?;
        std::fs::write(path, &bytes).with_context(|| format!("cannot write `{}`", path.display()))?;
        println!("wrote `{}`, {} bytes to sign", path.display(), bytes.len());
    }
    Ok(ExitCode::SUCCESS)
}

fn import(
    arguments: &SignArguments,
    prepared: &Path,
    signature: &Path,
    by: &str,
) -> anyhow::Result<ExitCode> {
    let request = ImportRequest { package: &arguments.package, prepared, signature, by };
    let prepared = Prepared::read(&request)?;
    let vouched = prepared.vouched();
    println!("signature ({}) by key {} holds", vouched.form().as_str(), vouched.key().id());
    let signer = arguments.signer.open(Purpose::Publisher)?;
    let id = prepared.sign(&arguments.package, signer.as_deref())?;
    println!("signed `{}` with key {id}", arguments.package.display());
    Ok(ExitCode::SUCCESS)
}
