//! `orch-plugin sign`: the publisher's release signature.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use orch_host::key_file::{self, Purpose};
use orch_plugin::sign::{SignRequest, sign};
use orch_trust::time::UnixSeconds;

/// Sign a package as its publisher.
#[derive(clap::Args)]
pub(crate) struct SignArguments {
    /// Package folder
    package: PathBuf,
    /// Secret key of the publisher, as `orch-certify keygen` makes it
    #[arg(long)]
    key: PathBuf,
    /// Days that the release may be admitted
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// Which line of releases it belongs to
    #[arg(long, default_value = "stable")]
    channel: String,
    /// Higher with each release of the channel; seconds since 1970 if absent
    #[arg(long)]
    counter: Option<u64>,
}

pub(crate) fn run(arguments: &SignArguments) -> anyhow::Result<ExitCode> {
    let key = key_file::read(&arguments.key, Purpose::Publisher)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_secs();
    let request = SignRequest {
        package: &arguments.package,
        key: &key,
        now: UnixSeconds(i64::try_from(now).context("the clock is too far ahead")?),
        days: arguments.days,
        channel: &arguments.channel,
        release_counter: arguments.counter.unwrap_or(now),
    };
    let id = sign(&request).with_context(|| format!("cannot sign `{}`", arguments.package.display()))?;
    println!("signed `{}` with key {id}", arguments.package.display());
    Ok(ExitCode::SUCCESS)
}
