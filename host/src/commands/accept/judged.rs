//! Guards of what a person takes in.
//!
//! In -> out: what would come into their tree -> nothing is against it, they let it be, or [`Fault`].
//! Invariant: a yes is to exactly this tree and to the words of these guards; what a guard refuses nobody takes in; a guard that
//! cannot judge asks.
//! Not here: the calls (`drive/guards.rs`), guards of attempts (`drive/keep.rs`).

use std::path::Path;

use orch_trust::manifest::Role;
use sha2::{Digest, Sha256};
use tokio::sync::watch::Sender;

use super::AcceptArgs;
use crate::commands::plugin::renew;
use crate::commands::run::{RUNNING_PROGRAM, announce, own_executable, rules_of};
use crate::commands::run_branch::{Held, undecided};
use crate::config::operator::Operator;
use crate::config::workspace::WorkspaceError;
use crate::console::{Console, escape};
use crate::drive::desk::{Control, RunRules};
use crate::drive::guards::{Merge, Objection, judge_merge};
use crate::exit::{Exit, Fault};
use crate::git::Oid;
use crate::holder::{Holder, Setup};
use crate::interrupt;
use crate::place::{self, Place};
use crate::plugins;
use crate::session;

/// The store; with the workspace's plugins, if guards are among them.
///
/// # Errors
/// Whatever keeps a plugin from running; `store-held`.
pub(super) fn hold(
    args: &AcceptArgs,
    place: &Place,
    operator: &Operator,
    console: Console,
) -> Result<(Held, Option<Sender<Control>>), Fault> {
    let config = place.config()?;
    if config.roles.of(Role::Guard).next().is_none() {
        return Ok((Held::open(place, operator)?, None));
    }
    if !operator.knows_workspace(&place.workspace)? {
        return Err(WorkspaceError::Unknown { path: place.workspace.to_path_buf() }.into());
    }
    place.check_machine(operator)?;
    place.check_logs()?;
    let trust = operator.rules(&config, place.lock()?);
    let folders = place::package_folders(operator, &args.plugins)?;
    renew::by_itself(operator, &config, &folders, &trust, console)?;
    let admitted = plugins::admit_bound(&config, &folders, &trust, place::now())?;
    announce(&admitted, console);
    operator.saw(admitted.unpinned(&trust.lock))?;
    admitted.check_secrets(&operator.secrets)?;
    admitted.check_env(&config, &place.workspace)?;
    let control = interrupt::listen(console, None)?;
    let holder = Holder::open(Setup {
        place,
        operator,
        config: &config,
        admitted: &admitted,
        packages: &args.plugins,
        task_file: Path::new("tasks.yml"),
        rules: RunRules { jobs: 1, ..rules_of(&config, operator, &admitted) },
        program: own_executable()?,
        supervisor: RUNNING_PROGRAM.into(),
        requests: 0,
        wishes: None,
    })?;
    Ok((Held::Host(Box::new(holder)), Some(control)))
}

/// Asks the guards; gives those that had something against it and that the person let be.
///
/// # Errors
/// `accept-refused`, `accept-escalated`; whatever came of the calls.
pub(super) fn judge(
    args: &AcceptArgs,
    held: &Held,
    control: Option<&Sender<Control>>,
    run: &str,
    merge: Merge,
    tree: &Oid,
) -> Result<Vec<String>, Fault> {
    let (Held::Host(holder), Some(control)) = (held, control) else { return Ok(Vec::new()) };
    let objections =
        session::ask_about(holder, run, control, async |run, desk| judge_merge(run, desk, merge).await)?;
    let words = |found: &mut dyn Iterator<Item = &Objection>| {
        found.map(|objection| escape(&objection.why).to_string()).collect::<Vec<_>>().join("; ")
    };
    if objections.iter().any(|objection| objection.is_refusal) {
        let what = words(&mut objections.iter().filter(|objection| objection.is_refusal));
        let hint = "nothing was changed; `orch-host diff` shows it, `--tasks` takes only a part".to_owned();
        return Err(Fault::new(Exit::GoalNotMet, "accept-refused", Some(hint), anyhow::Error::msg(what)));
    }
    let guards: Vec<String> = objections.iter().map(|objection| objection.guard.clone()).collect();
    let change = change_of(tree, &guards);
    if guards.is_empty() || args.approve.as_ref() == Some(&change) {
        return Ok(guards);
    }
    let stale = match args.approve {
        Some(_) => "; what you let be was another change, or other guards had asked",
        None => "",
    };
    let hint = format!("nothing was changed; say the same with `--approve {change}` to take exactly this in");
    Err(undecided("accept-escalated", &hint, format!("{}{stale}", words(&mut objections.iter()))))
}

/// Name of a tree that these guards ask about.
fn change_of(tree: &Oid, guards: &[String]) -> String {
    let mut hash = Sha256::new();
    hash.update(tree.as_str());
    for guard in guards {
        hash.update([0]);
        hash.update(guard);
    }
    hex::encode(hash.finalize()).chars().take(16).collect()
}
