//! Verifies a package's release and certificates with the given publishers and certifiers, or a trust root.
//!
//! In -> out: package folder, trust files -> each step of admission up to the facts; with a root, revocation too.
//! Invariant: the steps are admission's own; what only an operator can say (what was seen before, the grant) is not
//! looked at.
//! Not here: the steps (`orch-trust`'s `admission.rs`), who is trusted (`trusted.rs`).

use std::path::PathBuf;

use orch_certify::error::CertifyError;
use orch_host::console::{Console, escape};
use orch_host::exit::{Exit, Outcome};
use orch_host::package;
use orch_trust::admission::{Step, explain};
use serde_json::json;

use super::trusted::{self, TrustedArgs};
use super::{Format, fault, now};

/// Verify release and certificates of a package.
#[derive(clap::Args)]
pub(crate) struct VerifyArgs {
    /// Package folder
    package: PathBuf,
    #[command(flatten)]
    trusted: TrustedArgs,
    /// How to print the steps
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub(crate) fn run(args: &VerifyArgs, console: &Console) -> Outcome {
    let rules = args.trusted.rules()?;
    let looked_at: Vec<Step> = trusted::steps(&rules).collect();
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
            console.json(&value.to_string());
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
