//! The verbs of `orch-plugin`, one file each.
//!
//! In -> out: parsed arguments -> what the library did, said in words.
//! Invariant: a verb parses, calls and prints; rules and the codes of errors are in the library.

mod build;
mod new;
mod pack;
mod publish;
mod sign;
mod test;

use clap::Subcommand;
use orch_host::console::Console;
use orch_host::exit::{Exit, Fault, Outcome};
use orch_plugin::error::PluginError;
use orch_plugin::toolchain::{self, Toolchain};

#[derive(Subcommand)]
pub(crate) enum Command {
    New(new::NewArguments),
    Build(build::BuildArguments),
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

/// The compiler for plugins, got if need be, with what is done said on standard error.
fn toolchain(console: &Console) -> Result<Toolchain, Fault> {
    toolchain::ensure(&mut |line| console.note(line)).map_err(fault)
}
