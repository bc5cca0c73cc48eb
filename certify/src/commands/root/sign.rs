//! One more signature for a version of the trust root, and who must still sign.
//!
//! In -> out: document, signer -> envelope; document -> signers and thresholds.
//! Invariant: a signature is added only to a document that holds together, for a root key of it or of the one before,
//! and to none that has all it needs: its file's hash may be known already.
//! Not here: changing it (`edit.rs`).

use std::path::{Path, PathBuf};

use orch_certify::document::{Document, DocumentError, read_bytes};
use orch_certify::trust_root::{Standing, check_form, root_key, standing, taken};
use orch_host::console::{Console, escape};
use orch_host::exit::{Exit, Fault, Outcome};
use orch_signer::arguments::SignerArguments;
use orch_signer::key_file::Purpose;
use orch_trust::digest::Sha256Digest;
use orch_trust::dsse;
use orch_trust::refusal::Refusal;
use orch_trust::root::Root;
use orch_trust::root::document::RootDocument;
use serde_json::json;

use super::write_over;
use crate::commands::{Format, document_fault, now, signer_fault};

/// Add one signature to a version of the trust root.
#[derive(clap::Args)]
pub(super) struct SignArgs {
    /// The document, or the file with the signatures so far
    document: PathBuf,
    #[command(flatten)]
    signer: SignerArguments,
    /// Where the signatures are collected; the document itself if that has some already
    #[arg(long)]
    out: Option<PathBuf>,
    /// Signed root of the version before, whose keys sign this one too
    #[arg(long, value_name = "FILE")]
    previous: Option<PathBuf>,
}

/// Show who signed a version of the trust root, and who must still sign.
#[derive(clap::Args)]
pub(super) struct ShowArgs {
    /// The document, or the file with the signatures so far
    document: PathBuf,
    /// Signed root of the version before
    #[arg(long, value_name = "FILE")]
    previous: Option<PathBuf>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// The version before, if it is the one that the document names.
fn before(path: Option<&PathBuf>, document: &RootDocument) -> Result<Option<Root>, DocumentError> {
    let Some(path) = path else { return Ok(None) };
    let bytes = read_bytes(path)?;
    let found = Sha256Digest::of(&bytes);
    match document.previous_sha256 == Some(found) {
        true => Ok(Some(Root::stored(&bytes, found)?)),
        false => Err(Refusal::RootPrevious { current: found }.into()),
    }
}

pub(super) fn sign(args: &SignArgs, console: &Console) -> Outcome {
    let document = Document::<RootDocument>::read(&args.document).map_err(document_fault)?;
    let out = args.out.clone().unwrap_or_else(|| args.document.clone());
    let mut so_far = document;
    if out != args.document && out.symlink_metadata().is_ok() {
        let there = Document::<RootDocument>::read(&out).map_err(document_fault)?;
        if there.payload != so_far.payload {
            let other = DocumentError::Other { path: out, other: args.document.clone() };
            return Err(document_fault(other));
        }
        so_far = there;
    } else if out == args.document && !so_far.is_signed() {
        let message = "say with `--out FILE` where the signatures go".to_owned();
        return Err(document_fault(DocumentError::Edit { message }));
    }
    check_form(&so_far.payload, now()).map_err(document_fault)?;
    let previous = before(args.previous.as_ref(), &so_far.payload).map_err(document_fault)?;
    let signer = args.signer.require(Purpose::Root).map_err(signer_fault)?;
    check_open(&so_far, previous.as_ref(), &out)?;
    let known = |id| root_key(&so_far.payload, previous.as_ref().map(Root::document), id);
    let bytes = so_far.sign(known, &*signer).map_err(document_fault)?;
    let signed = Document::<RootDocument>::parse(&out, &bytes).map_err(document_fault)?;
    write_over(&out, &bytes)?;
    console.line(&format!("signed {} with key {}", escape(&out.display().to_string()), signer.public().id()));
    say(console, &signed, previous.as_ref(), &bytes);
    Ok(Exit::Done)
}

/// Succeeds if it can take one more signature. What is complete is given out already, under the hash of its file.
fn check_open(so_far: &Document<RootDocument>, previous: Option<&Root>, path: &Path) -> Result<(), Fault> {
    let path = path.to_owned();
    match standings(so_far, previous).iter().all(Standing::is_enough) {
        false => Ok(()),
        true if is_previous_known(so_far, previous) => Err(document_fault(DocumentError::Complete { path })),
        // Whether keys of the version before are missing, only that version says.
        true => Err(document_fault(DocumentError::PreviousUnsaid { path })),
    }
}

/// True if there is no version before, or it is here.
fn is_previous_known(document: &Document<RootDocument>, previous: Option<&Root>) -> bool {
    document.payload.previous_sha256.is_none() || previous.is_some()
}

pub(super) fn show(args: &ShowArgs, console: &Console) -> Outcome {
    let bytes = read_bytes(&args.document).map_err(document_fault)?;
    let document = Document::<RootDocument>::parse(&args.document, &bytes).map_err(document_fault)?;
    let previous = before(args.previous.as_ref(), &document.payload).map_err(document_fault)?;
    check_form(&document.payload, now()).map_err(document_fault)?;
    if document.is_signed() {
        // Every signature is verified; one whose key is not known here cannot be, and is said so.
        let known = |id| root_key(&document.payload, previous.as_ref().map(Root::document), id);
        let unknown = |key| Refusal::RootUnknownKey { key };
        let name = args.document.display().to_string();
        dsse::verify::<RootDocument>(&name, &bytes, known, unknown)
            .map_err(|refusal| document_fault(refusal.into()))?;
    }
    match args.format {
        Format::Text => {
            let RootDocument { version, issued, expires, roles, namespaces, .. } = &document.payload;
            console.line(&format!("version {version}, issued {issued}, holds until {expires}"));
            let role = |name: &str, threshold: u32, keys: usize| {
                console.line(&format!("  {name:10}  {threshold} of {keys}"));
            };
            role("root", roles.root.threshold, roles.root.keyids.len());
            role("certifier", roles.certifier.threshold, roles.certifier.keys.len());
            role("revoker", roles.revoker.threshold, roles.revoker.keyids.len());
            role("freshness", roles.freshness.threshold, roles.freshness.keyids.len());
            if let Some(issuer) = &roles.ci_issuer {
                role("ci-issuer", issuer.threshold, issuer.keyids.len());
            }
            for entry in namespaces {
                role(&escape(&entry.prefix), entry.publisher.threshold, entry.publisher.keyids.len());
            }
            say(console, &document, previous.as_ref(), &bytes);
        }
        Format::Json => {
            let list: Vec<_> = standings(&document, previous.as_ref())
                .iter()
                .map(|one| {
                    json!({ "version": one.version, "threshold": one.threshold, "enough": one.is_enough(),
                            "signed": one.signed, "missing": one.missing })
                })
                .collect();
            let sha256 = document.is_signed().then(|| Sha256Digest::of(&bytes));
            let value = json!({ "document": document.payload, "sha256": sha256, "signatures": list });
            console.json(&value.to_string());
        }
    }
    Ok(Exit::Done)
}

fn standings(document: &Document<RootDocument>, previous: Option<&Root>) -> Vec<Standing> {
    let previous = previous.map(Root::document).into_iter();
    previous.chain([&document.payload]).map(|by| standing(document, by)).collect()
}

fn say(console: &Console, document: &Document<RootDocument>, previous: Option<&Root>, bytes: &[u8]) {
    let standings = standings(document, previous);
    for one in &standings {
        let (signed, needed, version) = (one.signed.len(), one.threshold, one.version);
        console.line(&format!("root keys of version {version}: {signed} of {needed} signatures"));
        for key in one.missing.iter().filter(|_| !one.is_enough()) {
            let of_before = || previous.and_then(|root| root.document().keys.get(key));
            let text = document.payload.keys.get(key).or_else(of_before);
            let owner = text.map_or(String::new(), |text| escape(&text.owner));
            console.line(&format!("  not yet: {key}  {owner}"));
        }
    }
    if !is_previous_known(document, previous) {
        console.line("root keys of the version before: say it with `--previous FILE`");
    } else if standings.iter().all(Standing::is_enough) {
        // Counted they are enough; whether they count, a host's own function says.
        match taken(bytes, previous, now()) {
            Ok(()) => console.line(&format!("complete; sha256 {}", Sha256Digest::of(bytes))),
            Err(refusal) => console.line(&format!("no host takes it: {}", escape(&refusal.to_string()))),
        }
    }
}
