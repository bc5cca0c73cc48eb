//! A package that came from somewhere: verified, shown, asked about, kept, approved and pinned.
//!
//! In -> out: its bytes and where they came from -> a kept version, an approval, a pin; or why none of it.
//! Invariant: nothing is written before it is admitted and somebody said yes; what cannot be finished leaves `orch.lock`, the policy
//! and kept packages as they were; two commands at once do one after the other.
//! Not here: getting the bytes (`sources/`), the steps of admission (`orch-trust`).

use std::fs;
use std::path::Path;

use orch_trust::admission::Rules;
use orch_trust::evidence::{Admitted, Compilable};
use orch_trust::lock::Origin;
use orch_trust::manifest::Manifest;
use orch_trust::package::PackageBytes;

use super::keep::{self, Kept};
use super::pin::{say_kept, take_from};
use super::policy_lines::{self, PolicyChange};
use super::{check_but_approval, check_by, kept_at, rules, show_ask, show_seen, show_unconfined, upgrade};
use crate::config::operator::{Keeping, Operator};
use crate::console::{Console, escape};
use crate::exit::{Exit, Fault};
use crate::manifest_schema;
use crate::package;
use crate::place::{self, Place};

/// What is said beforehand.
#[derive(clap::Args)]
pub(super) struct Consent {
    /// Say yes beforehand: the digest that the package's manifest must have; may be said again
    #[arg(long, value_name = "SHA256")]
    pub yes: Vec<String>,
    /// Write into `policy.toml` what the plugin asks for and the policy does not allow
    #[arg(long)]
    pub write_policy: bool,
    /// With `--write-policy`, the programs that a plugin which leaves them to you may start
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub programs: Vec<String>,
    /// Also a lower version than the one approved before
    #[arg(long)]
    pub allow_rollback: bool,
}

/// When somebody must say yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    Always,
    /// An update was asked for already: only if the plugin asks for more than was approved.
    IfWider,
}

/// What came.
pub(super) struct Incoming<'a> {
    pub bytes: &'a PackageBytes,
    /// As messages name it.
    pub shown: &'a Path,
    pub origin: Origin,
    pub question: Question,
}

/// Takes it, or says why not.
///
/// # Errors
/// Refusals; `approval-missing`, `package-not-accepted`, `rollback`, `package-exists`, `policy-changed`; the system's.
pub(super) fn take_in(
    operator: &Operator,
    place: &Place,
    incoming: &Incoming<'_>,
    consent: &Consent,
    console: Console,
) -> Result<(), Fault> {
    let (admitted, change) = admissible(operator, incoming, consent, console)?;
    let manifest = admitted.manifest().clone();
    show_ask(&manifest, console);
    show_unconfined(&manifest, operator, console);
    show_seen(admitted.grant().permissions(), operator, console);
    upgrade::show(operator, &manifest, consent.allow_rollback, console)?;
    if let Some(change) = &change {
        let how = if change.replaces { "in the place of what its table says" } else { "more" };
        console.line(&format!("  `policy.toml` would say {how}:"));
        console.lines(change.lines.iter().map(|line| format!("    {}", escape(line))));
    }
    // The manifest names the digest of every other file.
    let digest = incoming.bytes.manifest_digest().to_string();
    console.line(&format!("  manifest {digest}"));
    ask(operator, &manifest, &digest, change.as_ref(), incoming.question, consent, console)?;
    // Before anything is kept: it is to name the package.
    place.lock()?;
    let keeping = operator.keeping()?;
    let target = kept_at(operator, &manifest);
    let kept = keep::keep(incoming.bytes, &target)?;
    let finished = finish(operator, &keeping, place, incoming, change.as_ref(), kept, &target);
    if finished.is_err() && kept == Kept::New {
        // Nobody approved it: the next one finds the place free.
        drop(fs::remove_dir_all(&target));
        // The folders of its name and its namespace, where it was the only one.
        let mut above = target.ancestors().skip(1).take(2);
        while above.next().is_some_and(|folder| fs::remove_dir(folder).is_ok()) {}
    }
    finished?;
    let kept = if kept == Kept::New { "kept" } else { "kept before" };
    console.line(&format!("{kept} in `{}`, pinned in `orch.lock`", target.display()));
    Ok(())
}

/// Admitted by the policy of now, or by that with the lines that it lacks, where somebody can say yes to those.
fn admissible(
    operator: &Operator,
    incoming: &Incoming<'_>,
    consent: &Consent,
    console: Console,
) -> Result<(Admitted, Option<PolicyChange>), Fault> {
    let fault = match check_but_approval(operator, incoming.shown, incoming.bytes) {
        Ok(admitted) => return Ok((admitted, None)),
        Err(fault) => fault,
    };
    if fault.lines.is_empty() || !(consent.write_policy || console.can_ask()) {
        return Err(fault);
    }
    let Ok(manifest) = manifest_schema::read(incoming.bytes) else { return Err(fault) };
    let Some(change) = policy_lines::propose(operator, manifest, &consent.programs)? else {
        return Err(fault);
    };
    let rules = Rules { policy: change.policy.clone(), ..rules(operator) };
    match check_by(rules, incoming.shown, incoming.bytes) {
        Ok(admitted) => Ok((admitted, Some(change))),
        Err(_) => Err(fault),
    }
}

fn ask(
    operator: &Operator,
    manifest: &Manifest,
    digest: &str,
    change: Option<&PolicyChange>,
    question: Question,
    consent: &Consent,
    console: Console,
) -> Result<(), Fault> {
    let approved = operator.approvals.get(&manifest.id);
    let is_wider = approved.is_none_or(|before| manifest.permissions.within(&before.permissions).is_err());
    let wants_yes = consent.yes.is_empty() && (question == Question::Always || is_wider);
    let wants_lines = change.is_some() && !consent.write_policy;
    let is_other = !consent.yes.is_empty() && !consent.yes.iter().any(|said| said == digest);
    let allowed = match (wants_yes, wants_lines) {
        _ if is_other => false,
        (false, false) => true,
        (wants_yes, wants_lines) => {
            let words = match (wants_yes, wants_lines) {
                (true, false) => "allow this?",
                (true, true) => "write these lines, and allow this?",
                _ => "write these lines?",
            };
            console.ask(words).ok_or_else(|| {
                let lines = if wants_lines { " --write-policy" } else { "" };
                let hint = format!("look at what it asks for, then say `--yes {digest}{lines}`");
                let error = anyhow::anyhow!("nobody can be asked about `{}`", manifest.id);
                Fault::new(Exit::NeedsDecision, "approval-missing", Some(hint), error)
            })?
        }
    };
    if allowed {
        return Ok(());
    }
    let error = anyhow::anyhow!("`{}` was not allowed", manifest.id);
    Err(Fault::new(Exit::NeedsDecision, "package-not-accepted", None, error))
}

/// What counts from now on. The policy comes first: what is approved must be admitted by what is written. It is taken back if
/// nothing comes of it.
fn finish(
    operator: &Operator,
    keeping: &Keeping,
    place: &Place,
    incoming: &Incoming<'_>,
    change: Option<&PolicyChange>,
    kept: Kept,
    target: &Path,
) -> Result<(), Fault> {
    if let Some(change) = change {
        change.write(operator)?;
    }
    let finished = || {
        // With the policy of now.
        let operator = Operator::open(&operator.home)?;
        let admitted = check_but_approval(&operator, incoming.shown, incoming.bytes)?;
        if kept == Kept::Before {
            refresh(&operator, incoming.bytes, target)?;
        }
        take_from(&operator, keeping, incoming.bytes, &admitted, place, incoming.origin.clone())
    };
    finished().map_err(|mut fault: Fault| {
        if let Some(change) = change {
            say_kept(&mut fault, "policy.toml", change.take_back(operator));
        }
        fault
    })
}

/// Envelopes of what came, where those that are kept do not do any more.
fn refresh(operator: &Operator, bytes: &PackageBytes, target: &Path) -> Result<(), Fault> {
    if check_but_approval(operator, target, &package::read(target)?).is_ok() {
        return Ok(());
    }
    for (name, content) in bytes.files().filter(|(name, _)| PackageBytes::is_envelope(name)) {
        package::put(target, name, content).map_err(|error| place::io(&target.join(name), "write", error))?;
    }
    check_but_approval(operator, target, &package::read(target)?).map(|_| ())
}
