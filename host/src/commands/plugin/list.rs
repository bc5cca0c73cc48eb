//! `orch-host plugin list`: packages that this host finds, and whether they would run.

use std::path::PathBuf;

use orch_trust::admission::explain;
use orch_trust::evidence::{Compilable, Trust};

use super::{Format, outdated, rules};
use crate::config::operator::Operator;
use crate::console::{Console, Tone, escape};
use crate::exit::{Exit, Outcome};
use crate::place::{self, Place, WorkspaceArgs};
use crate::plugins::{self, Found};

#[derive(clap::Args)]
pub struct ListArgs {
    /// One more folder with packages; may be said again
    #[arg(long, value_name = "DIR")]
    plugins: Vec<PathBuf>,
    /// Instead: which newer versions there are of what the workspace's `orch.lock` pins
    #[arg(long, conflicts_with = "plugins")]
    outdated: bool,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    place: WorkspaceArgs,
}

pub(super) fn run(args: &ListArgs, operator: &Operator, console: Console) -> Outcome {
    if args.outdated {
        return outdated::run(operator, &Place::from_args(&args.place)?, args.format, console);
    }
    let (folders, format) = (&args.plugins, args.format);
    let rules = rules(operator);
    for Found { id, version, folder } in plugins::discover(&place::package_folders(operator, folders)?) {
        let found = Found { id: id.clone(), version: version.clone(), folder: folder.clone() };
        let (state, warnings) = match plugins::read(&found) {
            Err(error) => (Err(error.code().to_owned()), Vec::new()),
            Ok(bytes) => {
                let steps = explain(&bytes, &rules, place::now());
                let warnings = plugins::warnings_of(&steps, id.as_str());
                let state = steps.outcome.map(|admitted| admitted.trust());
                (state.map_err(|(_, refusal)| refusal.code().to_owned()), warnings)
            }
        };
        let word = match &state {
            Ok(trust) => trust.as_str().to_owned(),
            Err(code) => format!("refused: {code}"),
        };
        match format {
            Format::Text => {
                let tone = if state.is_ok() { Tone::Good } else { Tone::Bad };
                console.line(&format!("{id} {version}  {}  {}", console.paint(tone, &word), folder.display()));
                for warning in &warnings {
                    console.line(&format!("  {}", console.paint(Tone::Careful, &escape(warning))));
                }
            }
            Format::Json => console.json(
                &serde_json::json!({
                    "id": id, "version": version, "folder": folder.display().to_string(),
                    "trust": state.as_ref().ok().map(|trust: &Trust| trust.as_str()), "refusal": state.as_ref().err(),
                    "warnings": warnings,
                })
                .to_string(),
            ),
        }
    }
    Ok(Exit::Done)
}
