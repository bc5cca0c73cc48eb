//! `orch-host plugin revoke`: what this host never runs again.
//!
//! In -> out: id, digest or key -> an entry of `trust/denied.toml`, or one less.
//! Invariant: hosts that run see it within seconds (`recheck.rs`); nothing else is changed.
//! Not here: revocation lists, which others sign (`orch-certify revoke`).

use orch_trust::denial::{Denial, Denied, REASON_CHARACTERS_MAX};
use orch_trust::digest::Sha256Digest;
use orch_trust::name::PluginId;

use crate::config::operator::Operator;
use crate::console::{Console, escape};
use crate::exit::{Exit, Outcome};
use crate::place;

#[derive(clap::Args)]
pub struct RevokeArgs {
    #[command(flatten)]
    what: What,
    /// Why, for people
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Take such a denial back
    #[arg(long, conflicts_with = "reason")]
    undo: bool,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct What {
    /// Every version of NAMESPACE/NAME
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// Every package that has a file of this digest
    #[arg(long, value_name = "DIGEST")]
    sha256: Option<String>,
    /// Everything that the key of this id published or certified
    #[arg(long, value_name = "KEYID")]
    key: Option<String>,
}

impl What {
    fn denied(&self) -> Result<Denied, String> {
        let digest = |text: &String| Sha256Digest::parse(text).map_err(|error| error.to_string());
        match (&self.id, &self.sha256, &self.key) {
            (Some(id), _, _) => PluginId::parse(id).map(Denied::Id).map_err(|error| error.to_string()),
            (_, Some(text), _) => digest(text).map(Denied::Sha256),
            (_, _, Some(text)) => digest(text).map(Denied::Key),
            (None, None, None) => Err("nothing is named".to_owned()),
        }
    }
}

pub(super) fn run(args: &RevokeArgs, operator: &Operator, console: Console) -> Outcome {
    let what = args.what.denied().map_err(|why| place::input("revoke-what", None, why))?;
    let shown = match &what {
        Denied::Id(id) => format!("plugin `{id}`"),
        Denied::Sha256(digest) => format!("files with digest `{digest}`"),
        Denied::Key(key) => format!("key `{key}`"),
    };
    if args.undo {
        let was = operator.take_denial_back(&what)?;
        console.line(&match was {
            true => format!("{shown} is not denied any more"),
            false => format!("{shown} was not denied by this host"),
        });
        return Ok(if was { Exit::Done } else { Exit::GoalNotMet });
    }
    let denial = Denial { what, reason: args.reason.clone(), at: place::now() };
    if denial.reason.chars().count() > REASON_CHARACTERS_MAX {
        let what = format!("`--reason` is over {REASON_CHARACTERS_MAX} characters");
        return Err(place::input("revoke-reason", None, what));
    }
    let is_new = operator.deny(denial)?;
    console.line(&match is_new {
        true => {
            format!("{} is denied from now on; hosts that run stop calling it within seconds", escape(&shown))
        }
        false => format!("{} was denied before", escape(&shown)),
    });
    Ok(Exit::Done)
}
