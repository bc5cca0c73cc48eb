//! The first version of a trust root.
//!
//! In -> out: public files by their part -> a document that nobody has signed, for people to read and change.
//! Not here: signing it (`sign.rs`), changing it (`edit.rs`).

use std::path::PathBuf;

use orch_certify::document::{DocumentError, render};
use orch_certify::trust_root::{Part, add_key, check_form};
use orch_host::console::{Console, escape};
use orch_host::exit::{Exit, Fault, Outcome};
use orch_signer::key_file::Purpose;
use orch_trust::authority::Level;
use orch_trust::dsse::Payload;
use orch_trust::period::Period;
use orch_trust::root::document::{CertifierRoleText, FreshnessRoleText, RoleText, RolesText, RootDocument};
use orch_trust::time::UnixSeconds;

use super::{note_several, purpose, read_public, write_new};
use crate::commands::{document_fault, now};

/// Write the first version of a trust root, unsigned.
///
/// Namespaces begin without any permission: read the document, and write in what their publishers may be granted at
/// most, before anybody signs it.
#[derive(clap::Args)]
pub(super) struct InitArgs {
    /// Where the document goes
    #[arg(long, default_value = "root.json")]
    out: PathBuf,
    /// Public file of a key that signs roots; may be said again
    #[arg(long = "root", value_name = "FILE", required = true)]
    roots: Vec<PathBuf>,
    /// Public file of a certifier; may be said again
    #[arg(long = "certifier", value_name = "FILE", required = true)]
    certifiers: Vec<PathBuf>,
    /// Public file of a key that signs revocation lists; may be said again
    #[arg(long = "revoker", value_name = "FILE", required = true)]
    revokers: Vec<PathBuf>,
    /// Public file of a key that signs freshness documents; may be said again
    #[arg(long = "freshness", value_name = "FILE", required = true)]
    freshness: Vec<PathBuf>,
    /// Public file of a key that delegates to jobs; may be said again
    #[arg(long = "ci-issuer", value_name = "FILE")]
    issuers: Vec<PathBuf>,
    /// A namespace and the public file of its publisher, like `acme/=acme.toml`; may be said again
    #[arg(long = "publisher", value_name = "PREFIX=FILE", value_parser = prefixed)]
    publishers: Vec<(String, PathBuf)>,
    /// How many keys of a role it takes: `root`, `certifier`, `revoker` or `freshness`; 1 where nothing is said
    #[arg(long = "threshold", value_name = "ROLE=N", value_parser = threshold)]
    thresholds: Vec<(String, u32)>,
    /// Certifiers count by their owners, not by their keys
    #[arg(long)]
    independent: bool,
    /// For how many days it holds
    #[arg(long, default_value_t = 180, value_parser = clap::value_parser!(i64).range(1..=3660))]
    days: i64,
    /// How old a freshness document may be
    #[arg(long, default_value = "P7D", value_parser = Period::parse)]
    max_age: Period,
    /// How much longer a host without a newer one may go on
    #[arg(long, default_value = "P30D", value_parser = Period::parse)]
    offline_grace: Period,
}

fn prefixed(text: &str) -> Result<(String, PathBuf), String> {
    let (prefix, file) = text.split_once('=').ok_or("it is not like `acme/=acme.toml`")?;
    Ok((prefix.to_owned(), PathBuf::from(file)))
}

fn threshold(text: &str) -> Result<(String, u32), String> {
    let (role, number) = text.split_once('=').ok_or("it is not like `root=2`")?;
    match ["root", "certifier", "revoker", "freshness"].contains(&role) {
        true => Ok((role.to_owned(), number.parse().map_err(|_| format!("`{number}` is no number"))?)),
        false => Err(format!("`{role}` is not `root`, `certifier`, `revoker` or `freshness`")),
    }
}

pub(super) fn run(args: &InitArgs, console: &Console) -> Outcome {
    let issued = now();
    let mut document = empty(args, issued);
    let plain = [
        (Part::Root, &args.roots),
        (Part::Revoker, &args.revokers),
        (Part::Freshness, &args.freshness),
        (Part::CiIssuer, &args.issuers),
    ];
    let add = |document: &mut RootDocument, part: &Part, file: &PathBuf| -> Result<(), Fault> {
        let (owned, _) = read_public(file, Some(purpose(part)))?;
        add_key(document, part, &owned).map_err(document_fault)
    };
    for (part, files) in &plain {
        for file in *files {
            add(&mut document, part, file)?;
        }
    }
    for file in &args.certifiers {
        let (owned, level) = read_public(file, Some(Purpose::Certifier))?;
        let part = Part::Certifier(level.unwrap_or(Level::Local));
        add_key(&mut document, &part, &owned).map_err(document_fault)?;
    }
    for (prefix, file) in &args.publishers {
        add(&mut document, &Part::Publisher(prefix.clone()), file)?;
    }
    check_form(&document, issued).map_err(|error| match error {
        // The operator's own words, not a package's.
        DocumentError::Refused(refusal) => Fault::new(Exit::Usage, refusal.code(), refusal.hint(), refusal),
        other => document_fault(other),
    })?;
    write_new(&args.out, &render(&document))?;
    note_several(&document, console);
    console.line(&format!("wrote {}", escape(&args.out.display().to_string())));
    console.line(&format!("version 1, holds until {}", document.expires));
    console.line(
        "nobody has signed it: read it, then `orch-certify root sign FILE --key KEY --out root.dsse.json`",
    );
    Ok(Exit::Done)
}

fn empty(args: &InitArgs, issued: UnixSeconds) -> RootDocument {
    let threshold = |role: &str| {
        let said = args.thresholds.iter().rev().find(|(name, _)| name == role);
        said.map_or(1, |(_, number)| *number)
    };
    let role = |name: &str| RoleText { threshold: threshold(name), keyids: Vec::new() };
    RootDocument {
        kind: RootDocument::KIND.to_owned(),
        version: 1,
        previous_sha256: None,
        issued,
        expires: issued.plus(args.days * UnixSeconds::DAY),
        keys: Default::default(),
        roles: RolesText {
            root: role("root"),
            certifier: CertifierRoleText {
                threshold: threshold("certifier"),
                independent: args.independent,
                keys: Vec::new(),
                jobs: Vec::new(),
            },
            revoker: role("revoker"),
            freshness: FreshnessRoleText {
                threshold: threshold("freshness"),
                keyids: Vec::new(),
                max_age: args.max_age,
                offline_grace: args.offline_grace,
            },
            ci_issuer: None,
        },
        namespaces: Vec::new(),
    }
}
