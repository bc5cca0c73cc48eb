//! `orch-host plugin remove ID`: a pin out of a workspace, and a plugin off this host.
//!
//! In -> out: id -> `orch.lock` without it; its kept versions gone, if no workspace that this host knows pins or binds it.
//! Invariant: what a workspace binds or another one pins stays; kept versions go all at once; the approval stays, so that an older
//! version is no way back in.
//! Not here: denying a plugin for ever (`revoke.rs`).

use std::fs;
use std::path::{Path, PathBuf};

use orch_trust::name::PluginId;

use super::pin::write_lock;
use crate::config::operator::Operator;
use crate::console::Console;
use crate::exit::{Exit, Fault, Outcome};
use crate::place::{self, Place, WorkspaceArgs};

#[derive(clap::Args)]
pub struct RemoveArgs {
    /// NAMESPACE/NAME
    id: String,
    #[command(flatten)]
    place: WorkspaceArgs,
}

pub(super) fn run(args: &RemoveArgs, operator: &Operator, console: Console) -> Outcome {
    let id = PluginId::parse(&args.id).map_err(|error| place::input("plugin-id", None, error.to_string()))?;
    let place = Place::from_args(&args.place)?;
    let _keeping = operator.keeping()?;
    let mut lock = place.lock()?;
    let was_pinned = lock.plugins.remove(&id).is_some();
    let kept = operator.home.join("packages").join(id.to_string());
    let is_kept = kept.symlink_metadata().is_ok();
    if !was_pinned && !is_kept {
        let hint = "`orch-host plugin list` shows what is kept".to_owned();
        return Err(place::input(
            "plugin-not-kept",
            Some(hint),
            format!("`{id}` is neither pinned here nor kept"),
        ));
    }
    if place.config()?.roles.ids().iter().any(|bound| *bound == id.as_str()) {
        let hint = "take it out of `config.yaml` first".to_owned();
        let what = format!("`{}` binds `{id}`", place.workspace.join("config.yaml").display());
        return Err(place::input("plugin-in-use", Some(hint), what));
    }
    // What is not kept on this host is kept for nobody.
    let users = if is_kept { users(operator, &id, &place.workspace)? } else { Vec::new() };
    if was_pinned {
        write_lock(&place, &lock)?;
        console.line(&format!("{id}: no longer pinned in `orch.lock`"));
    }
    match (users.first(), was_pinned) {
        (None, _) => {
            if take_off(&kept)? {
                console.line(&format!("{id}: no longer kept"));
            }
        }
        (Some(_), true) => console.line(&format!("{id}: still kept; {}", said(&users))),
        (Some(_), false) => {
            let hint = "in each of them, `orch-host plugin remove ID --workspace DIR`; the last one takes it off this host".to_owned();
            return Err(place::input(
                "plugin-in-use",
                Some(hint),
                format!("`{id}` is kept for others: {}", said(&users)),
            ));
        }
    }
    Ok(Exit::Done)
}

fn said(users: &[(PathBuf, &'static str)]) -> String {
    let said = |(path, how): &(PathBuf, &'static str)| format!("`{}` {how} it", path.display());
    users.iter().map(said).collect::<Vec<_>>().join(", ")
}

/// Other workspaces that this host knows and that pin or bind it; one that cannot be read may.
fn users(operator: &Operator, id: &PluginId, own: &Path) -> Result<Vec<(PathBuf, &'static str)>, Fault> {
    let mut users = Vec::new();
    for path in operator.workspaces()?.into_iter().filter(|path| path != own && path.is_dir()) {
        let Ok(place) = Place::of(&path, Path::new(".orch")) else { continue };
        let how = match (place.lock(), place.config()) {
            (Ok(lock), _) if lock.plugins.contains_key(id) => "pins",
            (_, Ok(config)) if config.roles.ids().iter().any(|bound| *bound == id.as_str()) => "binds",
            (Ok(_), Ok(_)) => continue,
            _ => "cannot be read and may use",
        };
        users.push((path, how));
    }
    Ok(users)
}

/// Removes a plugin's folder of versions; false if there is none.
fn take_off(kept: &Path) -> Result<bool, Fault> {
    let Some(parent) = kept.parent().filter(|_| kept.symlink_metadata().is_ok()) else { return Ok(false) };
    let random = getrandom::u64().map_err(|_| {
        place::io(kept, "remove", std::io::Error::other("the machine gives no random numbers"))
    })?;
    // No name of a plugin: whoever looks meanwhile sees all of it or nothing.
    let gone = parent.join(format!(".gone-{random:016x}"));
    fs::rename(kept, &gone).map_err(|error| place::io(kept, "remove", error))?;
    fs::remove_dir_all(&gone).map_err(|error| place::io(&gone, "remove", error))?;
    // The namespace's own, if that was the last one.
    drop(fs::remove_dir(parent));
    Ok(true)
}
