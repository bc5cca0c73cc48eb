//! `orch-plugin new`: a project that builds and can be certified without an edit.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use orch_host::console::{Console, escape};
use orch_host::exit::{Exit, Outcome};
use orch_plugin::language::Language;
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
    /// What it begins with, in the place of a role: an agent (an executor that lets a model work), models (a provider of them), or documents (an executor that reads files of a kind)
    #[arg(long, value_parser = templates(), conflicts_with = "role")]
    template: Option<Template>,
    /// What it is written in
    #[arg(long, value_parser = languages(), default_value = RUST, conflicts_with = "template")]
    lang: Lang,
    /// Folder for it; the plugin's name if absent
    #[arg(long)]
    dir: Option<PathBuf>,
}

pub(crate) fn run(arguments: &NewArguments, console: &Console) -> Outcome {
    let id = project::id(&arguments.name).map_err(fault)?;
    let Some(template) = arguments.template.or(arguments.role.map(Template::Role)) else {
        unreachable!("one of them is required")
    };
    let what = format!("cannot make the project of `{}`", id.as_str());
    let dir = arguments.dir.as_deref();
    let folder = match arguments.lang.0 {
        None => project::create(&id, template, dir).map_err(fault_in(what))?,
        Some(language) => project::create_in(language, &id, template, dir).map_err(fault_in(what))?,
    };
    let shown = escape(&folder.display().to_string());
    let role = template.role().as_str();
    console.line(&format!("made `{}`, a plugin of the role {role}, in `{shown}`", id.as_str()));
    console.line(&format!("next: cd {shown} && orch-plugin test"));
    console.line("`README.md` there says each step from here to a host that runs it");
    Ok(Exit::Done)
}

/// The language that every template has.
const RUST: &str = "rust";

/// None: Rust.
#[derive(Clone, Copy, Debug)]
struct Lang(Option<Language>);

fn languages() -> impl TypedValueParser<Value = Lang> {
    let words = std::iter::once(RUST).chain(Language::ALL.map(Language::as_str));
    PossibleValuesParser::new(words)
        .map(|word| Lang(Language::ALL.into_iter().find(|language| language.as_str() == word)))
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
