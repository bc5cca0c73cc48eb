//! The verbs of `orch-plugin`, one file each.
//!
//! In -> out: parsed arguments -> what the library did, said in words.
//! Invariant: a verb parses, calls and prints; rules and the codes of errors are in the library.

mod build;
mod call;
mod dev;
mod new;
mod pack;
mod publish;
mod sign;
mod test;
mod watched;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use orch_host::console::{Console, escape};
use orch_host::exit::{Exit, Fault, Outcome};
use orch_plugin::build::{self as build_library, BuildError, BuildRequest, Built};
use orch_plugin::error::PluginError;
use orch_plugin::language::{self, Language, tool::Tool};
use orch_plugin::pack as pack_library;
use orch_plugin::std_calls;
use orch_plugin::target::Target;
use orch_plugin::toolchain::{self, Toolchain};

/// Calls of the standard library that are shown, of those that fail where plugins run.
const STD_CALLS_SHOWN: usize = 20;

#[derive(Subcommand)]
pub(crate) enum Command {
    New(new::NewArguments),
    Build(build::BuildArguments),
    Dev(dev::DevArguments),
    Call(call::CallArguments),
    Test(test::TestArguments),
    Pack(pack::PackArguments),
    Sign(Box<sign::SignArguments>),
    Publish(Box<publish::PublishArguments>),
}

impl Command {
    pub(crate) fn run(&self, console: &Console) -> Outcome {
        match self {
            Self::New(arguments) => new::run(arguments, console),
            Self::Build(arguments) => build::run(arguments, console),
            Self::Dev(arguments) => dev::run(arguments, console),
            Self::Call(arguments) => call::run(arguments, console),
            Self::Test(arguments) => test::run(arguments, console),
            Self::Pack(arguments) => pack::run(arguments, console),
            Self::Sign(arguments) => sign::run(arguments, console),
            Self::Publish(arguments) => publish::run(arguments, console),
        }
    }
}

/// What an author or publisher can put right.
fn fault(error: impl Into<PluginError>) -> Fault {
    let error = error.into();
    Fault::new(Exit::Usage, error.code(), error.hint(), error)
}

/// The same, with what was tried.
fn fault_in<E: Into<PluginError>>(what: String) -> impl FnOnce(E) -> Fault {
    move |error| fault(error).context(what)
}

/// The compiler for the plugin in that folder, got if need be, with what is done said on standard error; its `plugin.json` is
/// judged before.
fn toolchain(project: &Path, wasi: bool, console: &Console) -> Result<Toolchain, Fault> {
    let target = Target::wanted(project, wasi).map_err(|error| fault(BuildError::from(error)))?;
    for name in build_library::left_out() {
        console.note(&format!(
            "`{name}` of the shell is left out: a package comes of its sources alone; flags belong into `.cargo/config.toml`"
        ));
    }
    let calls = std_calls::find(project, target);
    for call in calls.iter().take(STD_CALLS_SHOWN) {
        console.note(&escape(&call.to_string()));
    }
    if let Some(more) = calls.len().checked_sub(STD_CALLS_SHOWN).filter(|more| *more > 0) {
        console.note(&format!("and {more} more calls of that kind"));
    }
    toolchain::ensure(target, &mut |line| console.note(line)).map_err(fault)
}

/// The folder of what was built: given, or built now. `plugin.json`, if it is there, is judged first.
fn built(project: &Path, built: Option<&Path>, wasi: bool, console: &Console) -> Result<PathBuf, Fault> {
    pack_library::check_authored(project).map_err(fault)?;
    if let Some(built) = built {
        return Ok(built.to_owned());
    }
    Ok(build_now(project, wasi, None, true, console)?.folder)
}

/// Builds the plugin in that folder, in whatever language it is written.
fn build_now(
    project: &Path,
    wasi: bool,
    out: Option<&Path>,
    quiet: bool,
    console: &Console,
) -> Result<Built, Fault> {
    let what = || format!("cannot build `{}`", project.display());
    if let Some(language) = Language::of(project) {
        let tool = Tool::ensure(language, &mut |line| console.note(line)).map_err(fault)?;
        return language::build::build(project, language, &tool, out).map_err(fault_in(what()));
    }
    let toolchain = toolchain(project, wasi, console)?;
    let request = BuildRequest { project, toolchain: &toolchain, out, quiet };
    build_library::build(&request).map_err(fault_in(what()))
}
