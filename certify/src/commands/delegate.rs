//! Lends the word of a publisher or certifier to a key that one job made.
//!
//! In -> out: public key of the job, one manifest, who the job is -> a delegation of at most 15 minutes.
//! Invariant: bound to one digest and one purpose; the issuer needs neither the package nor the job's secret key.
//! Not here: what a root allows (`orch-trust`'s `delegation.rs`), who the job really is, which the issuer must know.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use orch_certify::document::DocumentError;
use orch_certify::error::CertifyError;
use orch_host::console::{Console, escape};
use orch_host::exit::{Exit, Fault, Outcome};
use orch_host::package;
use orch_host::whole_file;
use orch_signer::arguments::SignerArguments;
use orch_signer::key_file::Purpose as KeyPurpose;
use orch_trust::delegation::{self, DelegationDocument, Purpose};
use orch_trust::digest::Sha256Digest;
use orch_trust::dsse::Payload;
use orch_trust::inputs::is_commit;
use orch_trust::key::PublicKey;
use orch_trust::package::MANIFEST;
use orch_trust::root::document::Job;

use super::root::read_public;
use super::{document_fault, fault, now, signer_fault};

const MINUTES_MAX: i64 = 15;

/// Delegate to a key that a CI job made, for one package and at most 15 minutes; a CI issuer signs.
#[derive(clap::Args)]
pub(crate) struct DelegateArgs {
    /// Package folder that the job signs for; `delegations/` in it gets the file
    #[arg(required_unless_present = "subject")]
    package: Option<PathBuf>,
    /// SHA-256 of its `manifest.json`, where the package is elsewhere; with `--out`
    #[arg(long, value_name = "HASH", conflicts_with = "package", requires = "out")]
    subject: Option<String>,
    /// Folder that gets the file instead of the package
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    #[command(flatten)]
    signer: SignerArguments,
    /// The job's public key in base64, or its public file
    #[arg(long = "for", value_name = "KEY")]
    delegate: String,
    /// What the job's key may sign
    #[arg(long, value_enum)]
    purpose: PurposeName,
    /// Repository of the job, exactly as in the trust root
    #[arg(long)]
    repository: String,
    /// Workflow of the job and its reference, exactly as in the trust root
    #[arg(long)]
    workflow: String,
    /// Commit that the job builds: its full name, 40 or 64 hexadecimal digits
    #[arg(long, value_parser = commit)]
    commit: String,
    /// For how many minutes
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(i64).range(1..=MINUTES_MAX))]
    minutes: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PurposeName {
    Release,
    Certificate,
}

fn commit(text: &str) -> Result<String, String> {
    match is_commit(text) {
        true => Ok(text.to_owned()),
        false => Err("it is not 40 or 64 lower-case hexadecimal digits".to_owned()),
    }
}

fn public_key(text: &str) -> Result<PublicKey, Fault> {
    match PublicKey::from_base64(text) {
        Ok(key) => Ok(key),
        Err(_) => Ok(read_public(Path::new(text), None)?.0.key),
    }
}

pub(crate) fn run(args: &DelegateArgs, console: &Console) -> Outcome {
    let subject = match (&args.subject, &args.package) {
        (Some(text), _) => Sha256Digest::parse(text)
            .map_err(|error| Fault::new(Exit::Usage, "delegation-subject", None, error))?,
        (None, folder) => {
            let folder = folder.clone().unwrap_or_default();
            let package = package::read(&folder).map_err(|error| fault(CertifyError::Package(error)))?;
            package.digest(MANIFEST).unwrap_or_else(|| Sha256Digest::of(package.manifest()))
        }
    };
    let issuer = args.signer.require(KeyPurpose::CiIssuer).map_err(signer_fault)?;
    let delegate = public_key(&args.delegate)?;
    let issued = now();
    let document = DelegationDocument {
        kind: DelegationDocument::KIND.to_owned(),
        key: delegate.to_base64(),
        purpose: match args.purpose {
            PurposeName::Release => Purpose::Release,
            PurposeName::Certificate => Purpose::Certificate,
        },
        job: Job { repository: args.repository.clone(), workflow: args.workflow.clone() },
        commit: args.commit.clone(),
        subject,
        issued,
        expires: issued.plus(args.minutes * 60),
    };
    let bytes = delegation::sign(&document, &[&*issuer])
        .map_err(|error| document_fault(DocumentError::Sign(error)))?;
    let folder = args.out.clone().or_else(|| args.package.clone()).unwrap_or_default();
    let path = folder.join(delegation::file_name(delegate.id()));
    let write = |source| document_fault(DocumentError::Write { path: path.clone(), source });
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(write)?;
    }
    whole_file::write(&path, &bytes, whole_file::PUBLIC).map_err(write)?;
    console.line(&format!("wrote {}", escape(&path.display().to_string())));
    console.line(&format!("for manifest {subject}, until {}", document.expires));
    Ok(Exit::Done)
}
