//! `orch-plugin publish`: a signed package to where hosts get it.

use std::path::{Path, PathBuf};

use orch_host::clock::now;
use orch_host::console::{Console, escape};
use orch_host::exit::{Exit, Outcome};
use orch_host::fetch::{Client, Waits};
use orch_host::sources::SourceError;
use orch_host::sources::login::Logins;
use orch_host::sources::registry::{Address, Registry, SCHEME};
use orch_plugin::publish::registry::push;
use orch_plugin::publish::{PublishError, Publishable, packed, to_file, to_folder};
use orch_signer::arguments::SignerArguments;
use orch_signer::key_file::Purpose;
use orch_trust::archive::ENDING;
use orch_trust::policy::EgressPolicy;

use super::{fault, fault_in};

/// Publish a signed package: into a file, a folder with an index, or a registry.
#[derive(clap::Args)]
pub(crate) struct PublishArguments {
    /// `FILE.orchpkg`, a folder that is there, or `oci://HOST/NAME`
    target: String,
    /// Package folder; the one that the project here packed last if absent
    package: Option<PathBuf>,
    #[command(flatten)]
    signer: SignerArguments,
    /// A file with `NAME:PASSWORD` for the registry
    #[arg(long, value_name = "FILE")]
    login: Option<PathBuf>,
    /// PEM with certificates of authorities that are believed besides this machine's
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// `http://HOST:PORT` of a proxy
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
}

pub(crate) fn run(arguments: &PublishArguments, console: &Console) -> Outcome {
    let folder = match &arguments.package {
        Some(package) => package.clone(),
        None => packed(Path::new(".")).map_err(fault)?,
    };
    let what = || format!("cannot publish `{}`", folder.display());
    let package = Publishable::read(&folder).map_err(fault_in(what()))?;
    let manifest = &package.manifest;
    let done = published(arguments, &package).map_err(|fault| fault.context(what()))?;
    if !package.is_certified() {
        console.note("note: nobody certified it yet; an operator's own certifier must, and `publish` takes certificates along later, too");
    }
    console.line(&format!("{} {}: {}", manifest.id, manifest.version, escape(&done)));
    Ok(Exit::Done)
}

fn published(arguments: &PublishArguments, package: &Publishable) -> Result<String, orch_host::exit::Fault> {
    let target = &arguments.target;
    if let Some(rest) = target.strip_prefix(SCHEME) {
        return to_registry(arguments, package, rest).map_err(fault);
    }
    let path = Path::new(target);
    if path.extension().is_some_and(|end| end == ENDING) {
        to_file(package, path).map_err(fault)?;
        return Ok(format!("wrote `{target}`"));
    }
    if !path.is_dir() {
        return Err(fault(PublishError::Target { target: target.clone() }));
    }
    if !arguments.signer.is_said() {
        return Err(fault(PublishError::NoKey));
    }
    let signer = arguments.signer.require(Purpose::Publisher).map_err(fault)?;
    to_folder(package, path, &*signer, now()).map_err(fault)?;
    Ok(format!("in `{target}`, its index signed by key {}", signer.public().id()))
}

fn to_registry(
    arguments: &PublishArguments,
    package: &Publishable,
    rest: &str,
) -> Result<String, PublishError> {
    let (address, tag) = Address::parse(rest)?;
    let expected = package.manifest.version.to_string();
    if let Some(found) = tag.filter(|tag| *tag != expected) {
        return Err(PublishError::OtherTag { at: address.to_string(), found, expected });
    }
    let policy = EgressPolicy {
        ca_file: arguments.ca_file.clone(),
        proxy: arguments.proxy.clone(),
        ..EgressPolicy::default()
    };
    let client = Client::new(&policy, Path::new(""), Waits::default()).map_err(SourceError::from)?;
    let logins = Logins { said: arguments.login.clone(), folder: None };
    let registry = Registry::to_write(&client, &address, &logins)?;
    let at = address.to_string();
    let pushed = push(package, &registry, &at, now())?;
    let how = if pushed.is_new { "pushed to" } else { "was there, in" };
    Ok(format!("{how} `{at}:{expected}`, {} more certificates or delegations", pushed.envelopes))
}
