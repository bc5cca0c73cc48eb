//! `orch-plugin new`: a project that builds and can be certified without an edit.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use orch_plugin::project;
use orch_trust::manifest::Role;

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

pub(crate) fn run(arguments: &NewArguments) -> anyhow::Result<ExitCode> {
    let id = project::id(&arguments.name)?;
    let folder = project::create(&id, arguments.role, arguments.dir.as_deref())
        .with_context(|| format!("cannot make the project of `{}`", id.as_str()))?;
    let shown = folder.display();
    println!("made `{}`, a plugin of the role {}, in `{shown}`", id.as_str(), arguments.role.as_str());
    println!("next: cd {shown} && orch-plugin test");
    println!("`README.md` there says each step from here to a host that runs it");
    Ok(ExitCode::SUCCESS)
}

fn roles() -> impl TypedValueParser<Value = Role> {
    PossibleValuesParser::new(Role::ALL.map(Role::as_str))
        .try_map(|word| Role::from_word(&word).ok_or_else(|| format!("no role `{word}`")))
}
