//! The verbs of `orch-plugin`, one file each.
//!
//! In -> out: parsed arguments -> what the library did, said in words.
//! Invariant: a verb parses, calls and prints; rules are in the library.

mod build;
mod new;
mod pack;
mod sign;
mod test;

use std::process::ExitCode;

use clap::Subcommand;
use orch_plugin::build::BuildError;
use orch_plugin::pack::PackError;
use orch_plugin::prepared::PreparedError;
use orch_plugin::toolchain::{self, Toolchain, ToolchainError};
use orch_signer::signer::SignerError;
use orch_trust::refusal::Refusal;

#[derive(Subcommand)]
pub(crate) enum Command {
    New(new::NewArguments),
    Build(build::BuildArguments),
    Test(test::TestArguments),
    Pack(pack::PackArguments),
    Sign(Box<sign::SignArguments>),
}

impl Command {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        match self {
            Self::New(arguments) => new::run(arguments),
            Self::Build(arguments) => build::run(arguments),
            Self::Test(arguments) => test::run(arguments),
            Self::Pack(arguments) => pack::run(arguments),
            Self::Sign(arguments) => sign::run(arguments),
        }
    }
}

/// What the author can do about it, if anything.
pub(crate) fn hint(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|cause| {
        let of_toolchain = || cause.downcast_ref::<ToolchainError>().map(ToolchainError::hint);
        let of_build = || cause.downcast_ref::<BuildError>().and_then(BuildError::hint);
        let of_pack = || cause.downcast_ref::<PackError>().and_then(PackError::hint);
        let of_refusal = || cause.downcast_ref::<Box<Refusal>>().and_then(|refusal| refusal.hint());
        let of_signer = || cause.downcast_ref::<SignerError>().and_then(SignerError::hint);
        let of_prepared = || cause.downcast_ref::<PreparedError>().and_then(PreparedError::hint);
        let of_own = || of_toolchain().or_else(of_build).or_else(of_pack);
        of_own().or_else(of_signer).or_else(of_prepared).or_else(of_refusal)
    })
}

/// The compiler for plugins, got if need be, with what is done said on standard error.
fn toolchain() -> Result<Toolchain, ToolchainError> {
    toolchain::ensure(&mut |line| eprintln!("{line}"))
}
