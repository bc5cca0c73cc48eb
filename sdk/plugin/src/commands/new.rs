//! `orch-plugin new`: a project that builds and can be certified without an edit.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use orch_host::console::{Console, escape};
use orch_host::exit::{Exit, Outcome};
use orch_plugin::project;
use orch_trust::manifest::Role;

use super::{fault, fault_in};

/// Make a new project.
#[derive(clap::Args)]
pub(crate) struct NewArguments {
    /// `name` or `namespace/name`
    name: String,
    /// What it exports
    #[arg(long, value_parser = roles())]
    role: Role,
    /// Folder for it; the plugin's name if absent
    #[arg(long)]
    dir: Option<PathBuf>,
}

pub(crate) fn run(arguments: &NewArguments, console: &Console) -> Outcome {
    let id = project::id(&arguments.name).map_err(fault)?;
    let folder = project::create(&id, arguments.role, arguments.dir.as_deref())
        .map_err(fault_in(format!("cannot make the project of `{}`", id.as_str())))?;
    let shown = escape(&folder.display().to_string());
    let role = arguments.role.as_str();
    console.line(&format!("made `{}`, a plugin of the role {role}, in `{shown}`", id.as_str()));
    console.line(&format!("next: cd {shown} && orch-plugin test"));
    console.line("`README.md` there says each step from here to a host that runs it");
    Ok(Exit::Done)
}

fn roles() -> impl TypedValueParser<Value = Role> {
    PossibleValuesParser::new(Role::ALL.map(Role::as_str))
        .try_map(|word| Role::from_word(&word).ok_or_else(|| format!("no role `{word}`")))
}
