//! `orch-host plugin trust FILE..`: a trust root, a freshness document, a revocation list into the operator's folder.
//!
//! In -> out: envelopes, for the first root its SHA-256 -> what counts from now on, or why none of it does.
//! Invariant: nothing is kept that does not verify; hosts that run see a new list within seconds (`recheck.rs`).
//! Not here: making and signing them (`orch-certify root`, `orch-certify revoke`).

use std::path::{Path, PathBuf};

use orch_trust::digest::Sha256Digest;

use crate::clock;
use crate::config::operator::{self, Brought, Operator};
use crate::console::{Console, Tone, escape};
use crate::exit::{Exit, Outcome};
use crate::place;

#[derive(clap::Args)]
pub struct TrustArgs {
    /// Roots in their order, a freshness document, a revocation list; all of them are taken, or none
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Of the root, of several the first: the SHA-256 that its keeper told you; required for a host without one
    #[arg(long, value_name = "HASH")]
    sha256: Option<String>,
}

pub(super) fn run(args: &TrustArgs, home: Option<&Path>, console: Console) -> Outcome {
    let said = args.sha256.as_deref().map(Sha256Digest::parse).transpose();
    let said = said.map_err(|error| place::input("root-hash", None, error.to_string()))?;
    let mut brought = Vec::new();
    for path in &args.files {
        brought.push(Brought { path: path.clone(), bytes: place::named_file(path)? });
    }
    let taken = Operator::take(&operator::home(home)?, &brought, said, clock::now())?;
    if let Some(version) = taken.root {
        console.line(&format!("this host trusts root {version}, and nobody else"));
    }
    for list in &taken.lists {
        console.line(&format!("`{list}` counts from now on"));
    }
    for entry in &taken.given_back {
        console.warn(&format!("the list before took this back, and the new one does not: {}", escape(entry)));
    }
    if let Some(lacking) = &taken.lacking {
        let why = std::error::Error::source(lacking).map_or_else(|| lacking.to_string(), ToString::to_string);
        let text = format!("nothing runs yet: {}", escape(&why));
        console.line(&console.paint(Tone::Careful, &text));
        if let Some(hint) = lacking.hint() {
            console.note(&format!("hint: {hint}"));
        }
    }
    Ok(Exit::Done)
}

/// Whether the root's lists are fresh, and until when everything of it holds; nothing without a root.
pub(super) fn lines(operator: &Operator) -> Vec<String> {
    let Some(anchor) = &operator.anchor else { return Vec::new() };
    let root = anchor.root();
    let mut lines = vec![format!(
        "trust root {} of {}, until {}; revocation list {} until {}",
        root.version(),
        root.issued(),
        root.expires(),
        anchor.revocations().version(),
        anchor.revocations().document().expires,
    )];
    lines.extend(anchor.check(clock::now()).ok().map(super::freshness_line));
    lines
}
