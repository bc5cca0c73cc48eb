//! `orch-host plugin list --outdated`: what newer versions there are of what a workspace pins.
//!
//! In -> out: pins of `orch.lock` with a source -> a line each: pinned, newest that fits, newest of all.
//! Invariant: nothing is changed and nothing is kept; a place that cannot be asked is said, and the others are asked.
//! Not here: taking them (`update.rs`).

use orch_trust::lock::Pin;
use orch_trust::name::PluginId;
use semver::Version;

use super::Format;
use super::add::{of_pin, with_source};
use super::update::wanted;
use crate::config::operator::Operator;
use crate::console::{Console, Tone, escape};
use crate::exit::{Exit, Fault, Outcome};
use crate::place::Place;

/// What a place offers.
struct Offered {
    fits: Version,
    newest: Version,
}

pub(super) fn run(operator: &Operator, place: &Place, format: Format, console: Console) -> Outcome {
    let lock = place.lock()?;
    let pins = wanted(&[], &lock)?;
    if pins.is_empty() && format == Format::Text {
        console.line("`orch.lock` pins nothing that has a source");
    }
    for (id, pin) in pins {
        let offered = offered(operator, place, id, pin);
        match format {
            Format::Text => show(id, pin, offered, console),
            Format::Json => console.json(&json(id, pin, offered)),
        }
    }
    Ok(Exit::Done)
}

fn offered(operator: &Operator, place: &Place, id: &PluginId, pin: &Pin) -> Result<Offered, Fault> {
    let asked = of_pin(place, id, pin)?;
    let found = with_source(operator, &asked, None, |opened| {
        let fits = opened.newest(Some(id), pin.requirement.as_ref())?;
        let all = opened.versions(Some(id))?;
        let newest = all.into_iter().find(|version| version.pre.is_empty()).unwrap_or_else(|| fits.clone());
        Ok(Offered { fits, newest })
    });
    Ok(found?)
}

fn show(id: &PluginId, pin: &Pin, offered: Result<Offered, Fault>, console: Console) {
    let source = escape(pin.source.as_deref().unwrap_or_default());
    let line = match offered {
        Err(fault) => console.paint(Tone::Bad, &format!("not known: {} ({:#})", fault.code, fault.source)),
        Ok(Offered { fits, newest }) if fits <= pin.version && newest <= pin.version => {
            console.paint(Tone::Good, "the newest")
        }
        Ok(Offered { fits, newest }) if fits <= pin.version => {
            console.paint(Tone::Careful, &format!("the newest that fits; {newest} does not"))
        }
        Ok(Offered { fits, newest }) if fits == newest => {
            console.paint(Tone::Careful, &format!("{fits} fits"))
        }
        Ok(Offered { fits, newest }) => {
            console.paint(Tone::Careful, &format!("{fits} fits; {newest} does not"))
        }
    };
    console.line(&format!("{id} {}  {line}  {source}", pin.version));
}

fn json(id: &PluginId, pin: &Pin, offered: Result<Offered, Fault>) -> String {
    let (fits, newest, error) = match offered {
        Ok(Offered { fits, newest }) => (Some(fits), Some(newest), None),
        Err(fault) => (None, None, Some(fault.code)),
    };
    serde_json::json!({
        "id": id, "pinned": pin.version, "source": pin.source, "requirement": pin.requirement,
        "fits": fits, "newest": newest, "error": error,
    })
    .to_string()
}
