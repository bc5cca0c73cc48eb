//! `orch-host audit verify`: a journal's chain, this host's marks in it, and the heads that were kept.
//!
//! In -> out: a workspace's journals and the operator's, or the operator's alone -> what is wrong with them.

use std::path::Path;

use orch_journal::event::{OPERATOR_STREAM, is_workspace_stream};
use orch_journal::{AuditFault, AuditReport, HEAD_UNREADABLE, audit_folder};

use super::status::Format;
use crate::config::operator::{self, Operator};
use crate::console::{Console, Tone, escape};
use crate::exit::{Exit, Fault, Outcome};
use crate::place::{self, Place, WorkspaceArgs};

#[derive(clap::Subcommand)]
pub enum AuditCommand {
    /// Recompute every hash and compare with what was signed
    ///
    /// Of the workspace's journals and of the operator's, which holds what was approved, trusted and taken back.
    Verify {
        #[command(flatten)]
        place: WorkspaceArgs,
        /// Only the operator's journal; needs no workspace
        #[arg(long, conflicts_with_all = ["workspace", "memory"])]
        operator: bool,
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
}

pub fn run(command: &AuditCommand, home: Option<&Path>, console: Console) -> Outcome {
    let AuditCommand::Verify { place, operator: only_operator, format } = command;
    let home = operator::home(home)?;
    let report = match only_operator {
        true => of_operator(&home)?,
        false => of_both(place, &home)?,
    };
    match format {
        Format::Json => console.json(&serde_json::to_string(&report).map_err(anyhow::Error::from)?),
        Format::Text => show(&report, &home, console),
    }
    Ok(if report.is_intact() { Exit::Done } else { Exit::HostError })
}

fn of_operator(home: &Path) -> Result<AuditReport, Fault> {
    let report = operator::verify_decisions(home)?;
    if report.runs.is_empty() && report.is_intact() {
        let hint = "the first approval, key, token, denial or workspace makes it".to_owned();
        let what = format!("no decision is recorded in `{}`", home.display());
        return Err(place::input("store-missing", Some(hint), what));
    }
    Ok(report)
}

fn of_both(args: &WorkspaceArgs, home: &Path) -> Result<AuditReport, Fault> {
    let operator = Operator::open(home)?;
    let place = Place::from_args(args)?;
    let heads = home.join("heads");
    let audited = audit_folder(&place.state, &operator.secret.journal_keys(), &heads);
    let mut report = audited.map_err(|error| place.store_fault(error))?;
    if !place.has_store() && report.is_intact() {
        // Nothing was ever here.
        place.reader()?;
    }
    match operator::verify_decisions(home) {
        Ok(decisions) => {
            report.runs.extend(decisions.runs);
            report.faults.extend(decisions.faults);
        }
        // What was found in the workspace is said all the same.
        Err(error) => report.faults.push(AuditFault { code: error.code(), text: with_causes(&error) }),
    }
    Ok(report)
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn show(report: &AuditReport, home: &Path, console: Console) {
    for audited in &report.runs {
        let head =
            audited.kept_head.map_or_else(|| "no head kept".to_owned(), |head| format!("kept head {head}"));
        let what = match audited.run.as_str() {
            OPERATOR_STREAM => "stream",
            name if is_workspace_stream(name) => "stream",
            _ => "run",
        };
        console.line(&format!(
            "{what} {}: {} events, {head}, signed heads: {}",
            escape(&audited.run),
            audited.events,
            audited.heads
        ));
    }
    for run in &report.pruned {
        console.line(&format!("run {}: taken out by `orch-host prune --runs`", escape(run)));
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
            home.join("heads").display()
        ));
    }
    if report.faults().any(|fault| fault.code == HEAD_UNREADABLE) {
        let heads = home.join("heads");
        console.note(&format!(
            "hint: `ls -l {0}` shows whose it is: a host that another user ran (`sudo`) wrote it; `chown` gives it to this one",
            heads.display()
        ));
    }
    if report.is_intact() {
        console.line(&console.paint(Tone::Good, "intact"));
    }
}
