//! `orch-host plugin update [ID..]`: the newest versions that fit, from where the workspace's pins came from.
//!
//! In -> out: pins of `orch.lock` -> newer ones, or the same.
//! Invariant: a version that asks for more than was approved is asked about again; one that is no newer changes nothing.
//! Not here: which versions fit (`sources.rs`), what is asked and written (`take_in.rs`).

use std::path::{Path, PathBuf};

use orch_trust::lock::{Lock, Origin, Pin};
use orch_trust::name::PluginId;

use super::add::{of_pin, with_source};
use super::take_in::{Consent, Incoming, Question, take_in};
use crate::config::operator::Operator;
use crate::console::Console;
use crate::exit::{Exit, Fault, Outcome};
use crate::place::{self, Place, WorkspaceArgs};

#[derive(clap::Args)]
pub struct UpdateArgs {
    /// NAMESPACE/NAME; all that `orch.lock` pins with a source if absent
    ids: Vec<String>,
    /// A file with `NAME:PASSWORD` for the registry; `logins/HOST` of the operator's folder if absent
    #[arg(long, value_name = "FILE")]
    login: Option<PathBuf>,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    place: WorkspaceArgs,
}

pub(super) fn run(args: &UpdateArgs, operator: &Operator, console: Console) -> Outcome {
    let place = Place::from_args(&args.place)?;
    let lock = place.lock()?;
    let wanted = wanted(&args.ids, &lock)?;
    if wanted.is_empty() {
        console.line("`orch.lock` pins nothing that has a source");
    }
    for (id, pin) in wanted {
        update(operator, &place, id, pin, args, console)
            .map_err(|fault| fault.context(format!("cannot update `{id}`")))?;
    }
    Ok(Exit::Done)
}

/// The pins that were named, or all that have a source.
pub(super) fn wanted<'a>(ids: &[String], lock: &'a Lock) -> Result<Vec<(&'a PluginId, &'a Pin)>, Fault> {
    if ids.is_empty() {
        return Ok(lock.plugins.iter().filter(|(_, pin)| pin.source.is_some()).collect());
    }
    let named = |text: &String| {
        let id = PluginId::parse(text).map_err(|error| place::input("plugin-id", None, error.to_string()))?;
        lock.plugins.get_key_value(&id).ok_or_else(|| {
            let hint = "`orch-host plugin add SOURCE` pins it".to_owned();
            place::input("lock-missing", Some(hint), format!("`orch.lock` does not pin `{id}`"))
        })
    };
    ids.iter().map(named).collect()
}

fn update(
    operator: &Operator,
    place: &Place,
    id: &PluginId,
    pin: &Pin,
    args: &UpdateArgs,
    console: Console,
) -> Result<(), Fault> {
    let asked = of_pin(place, id, pin)?;
    let newer = with_source(operator, &asked, args.login.as_deref(), |opened| {
        let version = opened.newest(Some(id), pin.requirement.as_ref())?;
        match version > pin.version {
            true => opened.package(Some(id), &version).map(Some),
            false => Ok(None),
        }
    })?;
    let Some(bytes) = newer else {
        console.line(&format!("{id} {}: nothing newer fits", pin.version));
        return Ok(());
    };
    let origin = Origin { source: pin.source.clone(), requirement: pin.requirement.clone() };
    let shown = pin.source.clone().unwrap_or_default();
    let incoming = Incoming { bytes: &bytes, shown: Path::new(&shown), origin, question: Question::IfWider };
    console.line(&format!("{id} was {}", pin.version));
    take_in(operator, place, &incoming, &args.consent, console)
}
