//! Signs a statement that a job without a key made.
//!
//! In -> out: statement, package, signer -> a certificate in the package.
//! Not here: what must hold before (`statement.rs`).

use std::path::PathBuf;

use orch_certify::error::CertifyError;
use orch_certify::issue::sign_into;
use orch_certify::statement;
use orch_host::console::{Console, escape};
use orch_host::exit::{Exit, Outcome};
use orch_host::package;
use orch_signer::arguments::SignerArguments;
use orch_signer::key_file::Purpose;

use super::{fault, now, signer_fault};

/// Sign a statement of `run --out` for a package.
#[derive(clap::Args)]
pub(crate) struct SignArgs {
    /// Statement file
    statement: PathBuf,
    /// Package folder
    package: PathBuf,
    #[command(flatten)]
    signer: SignerArguments,
}

pub(crate) fn run(args: &SignArgs, console: &Console) -> Outcome {
    let statement = statement::read(&args.statement).map_err(fault)?;
    let package = package::read(&args.package).map_err(|error| fault(CertifyError::Package(error)))?;
    let certificate = statement::check(statement, &package, now()).map_err(fault)?;
    let signer = args.signer.require(Purpose::Certifier).map_err(signer_fault)?;
    let said = format!(
        "certified ({}) {} {} until {}",
        certificate.level.as_str(),
        certificate.id,
        certificate.version,
        certificate.valid_until
    );
    let path = sign_into(&args.package, &package, certificate, &*signer).map_err(fault)?;
    console.line(&said);
    console.line(&format!("wrote {}", escape(&path.display().to_string())));
    Ok(Exit::Done)
}
