//! `orch-host plugin add`: a package from a folder, a file, an index or a registry; and what `orch.lock` pins.
//!
//! In -> out: where it is -> a kept version, an approval, a pin with its source.
//! Invariant: `--locked` takes the very bytes that `orch.lock` names, and changes no pin.
//! Not here: what is asked and written (`take_in.rs`), how bytes come (`sources/`).

use std::path::{Path, PathBuf};

use orch_trust::lock::{Origin, Pin};
use orch_trust::name::PluginId;
use orch_trust::package::PackageBytes;

use super::take_in::{Consent, Incoming, Question, take_in};
use super::{kept_at, refused, rules};
use crate::config::operator::Operator;
use crate::console::Console;
use crate::exit::{Exit, Fault, Outcome};
use crate::fetch::{Client, Waits};
use crate::package::PackageError;
use crate::place::{self, Place, WorkspaceArgs};
use crate::sources::login::Logins;
use crate::sources::{Asked, Means, Opened, SourceError};

#[derive(clap::Args)]
pub struct AddArgs {
    /// A package's folder, a `.orchpkg` file, a folder or `https://` address with an index, or `oci://HOST/NAME[@RANGE]`
    #[arg(required_unless_present = "locked")]
    source: Option<String>,
    /// Of an index: which plugin, and which versions of it, as in `acme/hello@^1.2`
    #[arg(value_name = "ID[@RANGE]")]
    what: Option<String>,
    /// Instead of one: all that `orch.lock` pins and this host does not keep, from where it came, in these very bytes
    #[arg(long, conflicts_with_all = ["source", "what"])]
    locked: bool,
    /// A file with `NAME:PASSWORD` for the registry; `logins/HOST` of the operator's folder if absent
    #[arg(long, value_name = "FILE")]
    login: Option<PathBuf>,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    place: WorkspaceArgs,
}

pub(super) fn run(args: &AddArgs, operator: &Operator, console: Console) -> Outcome {
    let place = Place::from_args(&args.place)?;
    match &args.source {
        Some(source) => add(operator, &place, source, args, console)?,
        None => add_locked(operator, &place, args, console)?,
    }
    Ok(Exit::Done)
}

fn add(
    operator: &Operator,
    place: &Place,
    source: &str,
    args: &AddArgs,
    console: Console,
) -> Result<(), Fault> {
    let asked = Asked::parse(source, args.what.as_deref())?;
    let bytes = with_source(operator, &asked, args.login.as_deref(), |opened| {
        if let Opened::One(bytes) = opened {
            return Ok((**bytes).clone());
        }
        let version = opened.newest(asked.id.as_ref(), asked.range.as_ref())?;
        opened.package(asked.id.as_ref(), &version)
    })?;
    let source_of = asked.written(&place.workspace);
    let origin =
        Origin { requirement: asked.range.clone().filter(|_| source_of.is_some()), source: source_of };
    let incoming = Incoming { bytes: &bytes, shown: Path::new(source), origin, question: Question::Always };
    take_in(operator, place, &incoming, &args.consent, console)
}

fn add_locked(operator: &Operator, place: &Place, args: &AddArgs, console: Console) -> Result<(), Fault> {
    let lock = place.lock()?;
    if lock.plugins.is_empty() {
        let hint = "`orch-host plugin add SOURCE` pins a plugin there".to_owned();
        let what = format!("`{}` pins nothing", place.workspace.join("orch.lock").display());
        return Err(place::input("lock-missing", Some(hint), what));
    }
    for (id, pin) in &lock.plugins {
        let kept = operator.home.join("packages").join(id.to_string()).join(pin.version.to_string());
        if kept.symlink_metadata().is_ok() {
            let bytes = crate::package::read(&kept)?;
            let manifest = bytes.parse_manifest().map_err(PackageError::from)?;
            lock.check(manifest, &bytes).map_err(|refusal| refused(&kept, refusal))?;
            operator.keeping()?.remember(&place.workspace)?;
            console.line(&format!("{id} {}: kept before", pin.version));
            continue;
        }
        let bytes = pinned(operator, place, id, pin, args.login.as_deref())
            .map_err(|fault| fault.context(format!("cannot get `{id}` {}", pin.version)))?;
        let shown = PathBuf::from(pin.source.clone().unwrap_or_default());
        let manifest = bytes.parse_manifest().map_err(PackageError::from)?;
        lock.check(manifest, &bytes).map_err(|refusal| refused(&shown, refusal))?;
        debug_assert_eq!(kept, kept_at(operator, manifest));
        let origin = Origin { source: pin.source.clone(), requirement: pin.requirement.clone() };
        let incoming = Incoming { bytes: &bytes, shown: &shown, origin, question: Question::Always };
        take_in(operator, place, &incoming, &args.consent, console)?;
    }
    Ok(())
}

fn pinned(
    operator: &Operator,
    place: &Place,
    id: &PluginId,
    pin: &Pin,
    login: Option<&Path>,
) -> Result<PackageBytes, Fault> {
    let asked = of_pin(place, id, pin)?;
    Ok(with_source(operator, &asked, login, |opened| opened.package(Some(id), &pin.version))?)
}

/// Where a pin says that the plugin came from.
///
/// # Errors
/// `pin-without-source`.
pub(super) fn of_pin(place: &Place, id: &PluginId, pin: &Pin) -> Result<Asked, Fault> {
    let Some(source) = &pin.source else {
        let hint =
            "it was added from a package's folder: `orch-host plugin add SOURCE` takes it from elsewhere"
                .to_owned();
        return Err(place::input(
            "pin-without-source",
            Some(hint),
            format!("`orch.lock` does not say where `{id}` came from"),
        ));
    };
    Ok(Asked::of_lock(source, id, pin.requirement.clone(), &place.workspace)?)
}

/// Opens a place with what the operator says of the network, and asks it.
pub(super) fn with_source<T>(
    operator: &Operator,
    asked: &Asked,
    login: Option<&Path>,
    ask: impl FnOnce(&Opened<'_>) -> Result<T, SourceError>,
) -> Result<T, SourceError> {
    let client = Client::new(&operator.policy.egress, &operator.home, Waits::default())?;
    let logins = Logins::of(login, &operator.home);
    let rules = rules(operator);
    let means = Means { client: &client, logins: &logins, publishers: rules.publishers() };
    ask(&Opened::open(asked, &means)?)
}
