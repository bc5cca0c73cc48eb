//! Verifies a package's release and certificates with the given publishers and certifiers.
//!
//! In -> out: package folder, trust files -> each step of admission up to the facts.
//! Invariant: the steps are admission's own; what only an operator can say (revocation, grant) is not looked at.
//! Not here: the steps (`orch-trust`'s `admission.rs`).

use std::path::{Path, PathBuf};

use anyhow::Context;
use orch_certify::error::CertifyError;
use orch_host::console::{Console, escape};
use orch_host::exit::{Exit, Fault, Outcome};
use orch_host::package;
use orch_host::regular_file::{self, Links};
use orch_trust::admission::{Rules, Step, explain};
use orch_trust::authority::{Certifier, Publisher};
use serde_json::json;

use super::{Format, fault, now};

/// Verify release and certificates of a package.
#[derive(clap::Args)]
pub(crate) struct VerifyArgs {
    /// Package folder
    package: PathBuf,
    /// Public file of a publisher or certifier; may be said again
    #[arg(long, required = true, value_name = "FILE")]
    trust: Vec<PathBuf>,
    /// How to print the steps
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// Of a publisher's or certifier's file.
const TRUST_BYTES_MAX: u64 = 1 << 20;

const STEPS: [Step; 5] = [Step::Manifest, Step::Files, Step::Release, Step::Certificate, Step::Facts];

pub(crate) fn run(args: &VerifyArgs, console: &Console) -> Outcome {
    let mut rules = Rules::default();
    for path in &args.trust {
        trust(path, &mut rules).map_err(|error| Fault::new(Exit::Usage, "trust-file", None, error))?;
    }
    let package = package::read(&args.package).map_err(|error| fault(CertifyError::Package(error)))?;
    let steps = explain(&package, &rules, now());
    let refused = match steps.outcome {
        Err((step, refusal)) if STEPS.contains(&step) => Some((step, refusal)),
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
            let list: Vec<_> = STEPS
                .into_iter()
                .map(|step| json!({ "step": step.as_str(), "status": said(step).0, "code": said(step).1 }))
                .collect();
            let value = json!({ "verified": refused.is_none(), "validUntil": valid_until, "steps": list });
            console.line(&value.to_string());
        }
        Format::Text => {
            for step in STEPS {
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
