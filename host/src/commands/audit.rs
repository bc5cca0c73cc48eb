//! `orch-host audit verify`: the journal's chain, this host's marks in it, and the heads that were kept.

use std::path::Path;

use orch_journal::audit_verify;

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
    let reader = Place::from_args(args)?.reader()?;
    let report = audit_verify(&reader, &place::journal_keys(&operator), Some(&operator.home.join("heads")))?;
    match format {
        Format::Json => console.line(&serde_json::to_string(&report).map_err(anyhow::Error::from)?),
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
            if report.is_intact() {
                console.line(&console.paint(Tone::Good, "intact"));
            }
        }
    }
    Ok(if report.is_intact() { Exit::Done } else { Exit::HostError })
}
