//! `orch-host plugin trust FILE`: a trust root, a freshness document or a revocation list into the operator's folder.
//!
//! In -> out: one envelope, for the first root its SHA-256 -> what counts from now on, or why it does not.
//! Invariant: nothing is kept that does not verify; hosts that run see a new list within seconds (`recheck.rs`).
//! Not here: making and signing them (`orch-certify root`, `orch-certify revoke`).

use std::path::{Path, PathBuf};

use orch_trust::digest::Sha256Digest;

use crate::clock;
use crate::config::operator::{self, Operator, Taken};
use crate::console::{Console, Tone, escape};
use crate::exit::{Exit, Outcome};
use crate::place;

#[derive(clap::Args)]
pub struct TrustArgs {
    /// A root, a freshness document or a revocation list
    file: PathBuf,
    /// Of the first root: the SHA-256 that its keeper told you
    #[arg(long, value_name = "HASH")]
    sha256: Option<String>,
}

pub(super) fn run(args: &TrustArgs, home: Option<&Path>, console: Console) -> Outcome {
    let said = args.sha256.as_deref().map(Sha256Digest::parse).transpose();
    let said = said.map_err(|error| place::input("root-hash", None, error.to_string()))?;
    let found = place::named_file(&args.file)?;
    let home = operator::home(home)?;
    match Operator::take(&home, &found, said, clock::now())? {
        Taken::FirstRoot { version } => {
            console.line(&format!("this host trusts root {version}, and nobody else any more"));
            console.note(
                "hint: `orch-host plugin trust` now takes its freshness document and its revocation list",
            );
        }
        Taken::NextRoot { version } => console.line(&format!("this host trusts root {version} now")),
        Taken::List { file, counts: Ok(()) } => {
            console.line(&format!("`{file}` counts from now on"));
        }
        Taken::List { file, counts: Err(why) } => {
            console.line(&console.paint(Tone::Careful, &format!("`{file}` is kept and does not count yet")));
            console.note(&format!("hint: {}", escape(&why)));
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
