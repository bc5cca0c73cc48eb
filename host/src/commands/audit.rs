//! `orch-host audit verify`: the journal's chain, this host's marks in it, and the heads that were kept.

use std::path::Path;

use orch_journal::{AuditReport, audit_verify, missing_runs};

use super::status::Format;
use crate::console::{Console, Tone, escape};
use crate::exit::{Exit, Outcome};
use crate::place::{self, Place, WorkspaceArgs};

#[derive(clap::Subcommand)]
pub enum AuditCommand {
    /// Recompute every hash and compare with what was signed
    Verify {
        #[command(flatten)]
        place: WorkspaceArgs,
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
}

pub fn run(command: &AuditCommand, home: Option<&Path>, console: Console) -> Outcome {
    let AuditCommand::Verify { place: args, format } = command;
    let operator = place::operator(home)?;
    let place = Place::from_args(args)?;
    let (keys, heads) = (place::journal_keys(&operator), operator.home.join("heads"));
    let report = match place.has_store() {
        true => audit_verify(&place.reader()?, &keys, Some(&heads))?,
        false => AuditReport { runs: Vec::new(), faults: missing_runs(&place.state, &keys, &heads, &[])? },
    };
    if !place.has_store() && report.is_intact() {
        // Nothing was ever here.
        place.reader()?;
    }
    match format {
        Format::Json => console.json(&serde_json::to_string(&report).map_err(anyhow::Error::from)?),
        Format::Text => {
            for run in &report.runs {
                let head = run
                    .kept_head
                    .map_or_else(|| "no head kept".to_owned(), |head| format!("kept head {head}"));
                console.line(&format!(
                    "run {}: {} events, {head}, signed heads: {}",
                    escape(&run.run),
                    run.events,
                    run.heads
                ));
            }
            for fault in report.faults() {
                console.line(&format!(
                    "{}  {}: {}",
                    console.paint(Tone::Bad, "fault"),
                    fault.code,
                    escape(&fault.text)
                ));
            }
            if report.faults().any(|fault| fault.code == "journal-missing") {
                console.note(&format!(
                    "hint: put the store back; if you removed it yourself, remove the run's head in `{}` too",
                    heads.display()
                ));
            }
            if report.is_intact() {
                console.line(&console.paint(Tone::Good, "intact"));
            }
        }
    }
    Ok(if report.is_intact() { Exit::Done } else { Exit::HostError })
}
