//! Verifies a package's release and certificates with the given publishers and certifiers, or a trust root.
//!
//! In -> out: package folder, trust files -> each step of admission up to the facts; with a root, revocation too.
//! Invariant: the steps are admission's own; a root counts only together with its lists; what only an operator can say
//! (what was seen before, the grant) is not looked at.
//! Not here: the steps (`orch-trust`'s `admission.rs`).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use orch_certify::document::{DocumentError, read_bytes};
use orch_certify::error::CertifyError;
use orch_host::console::{Console, escape};
use orch_host::exit::{Exit, Fault, Outcome};
use orch_host::package;
use orch_host::regular_file::{self, Links};
use orch_trust::admission::{Rules, Step, explain};
use orch_trust::anchor::{Anchor, AnchorFiles};
use orch_trust::authority::{Certifier, Publisher};
use orch_trust::digest::Sha256Digest;
use orch_trust::freshness::FRESHNESS;
use orch_trust::revocation::REVOCATIONS;
use orch_trust::root;
use orch_trust::state::TrustState;
use serde_json::json;

use super::{Format, document_fault, fault, now};

/// Verify release and certificates of a package.
#[derive(clap::Args)]
pub(crate) struct VerifyArgs {
    /// Package folder
    package: PathBuf,
    /// Public file of a publisher or certifier; may be said again
    #[arg(long, required_unless_present = "root", value_name = "FILE")]
    trust: Vec<PathBuf>,
    /// Signed trust root, instead of such files: its keys, and the jobs that they delegate to
    #[arg(long, conflicts_with = "trust", value_name = "FILE")]
    root: Option<PathBuf>,
    /// Freshness document of that root; the one beside it if absent
    #[arg(long, requires = "root", value_name = "FILE")]
    freshness: Option<PathBuf>,
    /// Revocation list that the freshness document names; the one beside the root if absent
    #[arg(long, requires = "root", value_name = "FILE")]
    revocations: Option<PathBuf>,
    /// How to print the steps
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// Of a publisher's or certifier's file.
const TRUST_BYTES_MAX: u64 = 1 << 20;

const STEPS: [Step; 6] =
    [Step::Manifest, Step::Files, Step::Release, Step::Certificate, Step::Facts, Step::Revocation];

pub(crate) fn run(args: &VerifyArgs, console: &Console) -> Outcome {
    let mut rules = Rules::default();
    for path in &args.trust {
        trust(path, &mut rules).map_err(|error| Fault::new(Exit::Usage, "trust-file", None, error))?;
    }
    if let Some(root) = &args.root {
        rules.anchor = Some(Arc::new(anchor(args, root)?));
    }
    // Without a root nobody says what was taken back.
    let looked_at: Vec<Step> =
        STEPS.into_iter().filter(|step| *step != Step::Revocation || rules.anchor.is_some()).collect();
    let package = package::read(&args.package).map_err(|error| fault(CertifyError::Package(error)))?;
    let steps = explain(&package, &rules, now());
    let refused = match steps.outcome {
        Err((step, refusal)) if looked_at.contains(&step) => Some((step, refusal)),
        _ => None,
    };
    let said = |step: Step| match &refused {
        _ if steps.passed.contains(&step) => ("passed", None),
        Some((failed, refusal)) if *failed == step => ("failed", Some(refusal.code())),
        _ => ("not run", None),
    };
    let valid_until = steps.valid_until.filter(|_| refused.is_none());
    match args.format {
        Format::Json => {
            let list: Vec<_> = looked_at
                .iter()
                .copied()
                .map(|step| json!({ "step": step.as_str(), "status": said(step).0, "code": said(step).1 }))
                .collect();
            let value = json!({ "verified": refused.is_none(), "validUntil": valid_until, "steps": list });
            console.line(&value.to_string());
        }
        Format::Text => {
            for step in looked_at.iter().copied() {
                let (status, code) = said(step);
                let line = format!("{:11}  {status:7}  {}", step.as_str(), code.unwrap_or_default());
                console.line(line.trim_end());
            }
            if let Some((owner, key)) = &steps.publisher {
                console.line(&format!("published by {} with key {key}", escape(owner)));
            }
            if let Some(until) = valid_until {
                console.line(&format!("certified until {until}"));
            }
        }
    }
    match refused {
        None => Ok(Exit::Done),
        Some((_, refusal)) => Err(fault(CertifyError::Refused(refusal))),
    }
}

/// Root, freshness document and list, as a host would take them that has seen none before.
fn anchor(args: &VerifyArgs, root: &Path) -> Result<Anchor, Fault> {
    let beside =
        |said: &Option<PathBuf>, name: &str| said.clone().unwrap_or_else(|| root.with_file_name(name));
    let read = |path: &Path| read_bytes(path).map_err(document_fault);
    let bytes = read(root)?;
    let freshness = read(&beside(&args.freshness, FRESHNESS))?;
    let revocations = read(&beside(&args.revocations, REVOCATIONS))?;
    let refused = |refusal| document_fault(DocumentError::Refused(refusal));
    // Who names the file says that it is the one: there is no other hash to hold it against.
    let first = root::verify_first(&bytes, Sha256Digest::of(&bytes), now()).map_err(refused)?;
    let files = AnchorFiles { root: &bytes, freshness: Some(&freshness), revocations: Some(&revocations) };
    let (anchor, _) = Anchor::verify(files, &TrustState::first(&first, now()), now()).map_err(refused)?;
    Ok(anchor)
}

/// Adds the publisher or certifier of that file.
pub(super) fn trust(path: &Path, rules: &mut Rules) -> anyhow::Result<()> {
    let cannot = || format!("cannot trust `{}`", path.display());
    let (text, _) = regular_file::read_text(path, Links::Followed, TRUST_BYTES_MAX).with_context(cannot)?;
    // The two formats share no file: each refuses the other's fields.
    match Certifier::parse(&text) {
        Ok(certifier) => rules.certifiers.push(certifier),
        Err(_) => rules.publishers.push(Publisher::parse(&text).with_context(cannot)?),
    }
    Ok(())
}
