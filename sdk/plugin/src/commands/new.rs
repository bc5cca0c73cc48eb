//! `orch-plugin new`: a project that builds and can be certified without an edit.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use orch_host::console::{Console, escape};
use orch_host::exit::{Exit, Outcome};
use orch_plugin::project;
use orch_plugin::template::Template;
use orch_trust::manifest::Role;

use super::{fault, fault_in};

/// Make a new project.
#[derive(clap::Args)]
pub(crate) struct NewArguments {
    /// `name` or `namespace/name`
    name: String,
    /// What it exports
    #[arg(long, value_parser = roles(), required_unless_present = "template")]
    role: Option<Role>,
    /// What it begins with, in the place of a role: an agent (an executor that lets a model work), or models (a provider of them)
    #[arg(long, value_parser = templates(), conflicts_with = "role")]
    template: Option<Template>,
    /// Folder for it; the plugin's name if absent
    #[arg(long)]
    dir: Option<PathBuf>,
}

pub(crate) fn run(arguments: &NewArguments, console: &Console) -> Outcome {
    let id = project::id(&arguments.name).map_err(fault)?;
    let Some(template) = arguments.template.or(arguments.role.map(Template::Role)) else {
        unreachable!("one of them is required")
    };
    let folder = project::create(&id, template, arguments.dir.as_deref())
        .map_err(fault_in(format!("cannot make the project of `{}`", id.as_str())))?;
    let shown = escape(&folder.display().to_string());
    let role = template.role().as_str();
    console.line(&format!("made `{}`, a plugin of the role {role}, in `{shown}`", id.as_str()));
    console.line(&format!("next: cd {shown} && orch-plugin test"));
    console.line("`README.md` there says each step from here to a host that runs it");
    Ok(Exit::Done)
}

fn roles() -> impl TypedValueParser<Value = Role> {
    PossibleValuesParser::new(Role::ALL.map(Role::as_str))
        .try_map(|word| Role::from_word(&word).ok_or_else(|| format!("no role `{word}`")))
}

fn templates() -> impl TypedValueParser<Value = Template> {
    PossibleValuesParser::new(Template::MORE.map(Template::as_str)).try_map(|word| {
        let named = Template::MORE.into_iter().find(|template| template.as_str() == word);
        named.ok_or_else(|| format!("no template `{word}`"))
    })
}
