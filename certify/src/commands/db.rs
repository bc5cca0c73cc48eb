//! Shows a database of advisories, and whether a certification may use it.
//!
//! In -> out: folder -> identity, date, number, age, verdict; a refusal if it may not be used.
//! Invariant: nothing is remembered: only a certification uses a database.
//! Not here: the rules (`advisory_db.rs`).

use std::path::PathBuf;

use orch_certify::advisory_db;
use orch_certify::error::CertifyError;
use orch_host::console::Console;
use orch_host::exit::{Exit, Outcome};
use serde_json::json;

use super::{Format, fault, now, state_folder};

/// Show a database of advisories, and whether it may be used.
#[derive(clap::Args)]
pub(crate) struct DbArgs {
    /// Folder of the database, as RustSec publishes it
    path: PathBuf,
    /// Folder that remembers which database was used last; `orch-certify` in the user's state folder if absent
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub(crate) fn run(args: &DbArgs, console: &Console) -> Outcome {
    let now = now();
    let (found, _) = advisory_db::read(&args.path).map_err(|error| fault(error.into()))?;
    let last =
        advisory_db::last_used(&state_folder(args.state.as_deref())?).map_err(|error| fault(error.into()))?;
    let judged = advisory_db::judge(&found, last.as_ref(), now);
    let verdict = judged.as_ref().err().map_or("usable", |error| error.code());
    let age_days = found.age_days(now);
    match args.format {
        Format::Json => {
            let database = json!(found);
            let value =
                json!({ "database": database, "ageDays": age_days, "lastUsed": last, "verdict": verdict });
            console.json(&value.to_string());
        }
        Format::Text => {
            let last = last.map_or("none".to_owned(), |last| {
                format!("{} of {}, {} advisories", last.sha256, last.date, last.advisories)
            });
            let commit = found.commit.as_deref().unwrap_or("not known");
            for (name, value) in [
                ("identity", found.sha256.to_string()),
                ("commit", commit.to_owned()),
                ("newest", found.date.to_string()),
                ("age", format!("{age_days} days")),
                ("advisories", found.advisories.to_string()),
                ("last used", last),
                ("verdict", verdict.to_owned()),
            ] {
                console.line(&format!("{name:10}  {value}"));
            }
        }
    }
    match judged {
        Ok(()) => Ok(Exit::Done),
        Err(error) => Err(fault(CertifyError::from(error))),
    }
}
