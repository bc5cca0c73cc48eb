//! Takes something back: the next revocation list, and the freshness document that names it.
//!
//! In -> out: folder with root and last list, what is taken back, keys -> `revocations.dsse.json` and
//! `freshness.dsse.json` in that folder.
//! Invariant: a list replaces the last one whole; freshness is signed only for a list that enough revokers signed.
//! Not here: what hosts do with it (`orch-trust`'s `revocation/judge.rs`), sending it to them.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use orch_certify::document::{Document, DocumentError, read_bytes};
use orch_certify::revoking::{next_freshness, next_list, role_key, signed_by};
use orch_host::console::{Console, escape};
use orch_host::exit::{Exit, Fault, Outcome};
use orch_host::whole_file;
use orch_signer::address::{AddressError, SignerAddress};
use orch_signer::arguments::SignerArguments;
use orch_signer::key_file::Purpose;
use orch_signer::signer;
use orch_trust::digest::Sha256Digest;
use orch_trust::dsse::{self, Payload};
use orch_trust::freshness::{FRESHNESS, FreshnessDocument};
use orch_trust::key::{KeyId, PublicKey, Signer};
use orch_trust::name::PluginId;
use orch_trust::refusal::Refusal;
use orch_trust::revocation::{Action, Entry, REVOCATIONS, RevocationsDocument, What};
use orch_trust::root::ROOT;
use orch_trust::root::document::RootDocument;
use orch_trust::time::UnixSeconds;
use orch_trust::version_range::VersionRange;
use serde::de::DeserializeOwned;

use super::root::key_id;
use super::{document_fault, now, signer_fault};

/// Take something back: write the next revocation list and the freshness document that names it.
///
/// Say one thing that is taken back, or nothing to renew the freshness document alone. Where a list takes several
/// signatures, the others add theirs with `--sign`; the last of them, or `--freshness-key` alone, makes it count.
#[derive(clap::Args)]
pub(crate) struct RevokeArgs {
    /// Folder with `root.dsse.json`, the last list and the last freshness document, if there are any
    #[arg(long, default_value = ".")]
    folder: PathBuf,
    #[command(flatten)]
    revoker: SignerArguments,
    /// Secret key of a freshness signer; the same as `--freshness-signer file:FILE`
    #[arg(long, value_name = "FILE", conflicts_with = "freshness_signer")]
    freshness_key: Option<PathBuf>,
    /// What signs the freshness document, as `--signer` says it; its passphrase comes from the same place
    #[arg(long, value_name = "SIGNER")]
    freshness_signer: Option<String>,
    /// Add a signature to the list that is there, and change nothing in it
    #[arg(long, conflicts_with_all = ["sha256", "id", "keyid", "certifier", "advisory"])]
    sign: bool,
    /// A file of a package: SHA-256
    #[arg(long, value_name = "HASH", value_parser = digest, group = "what", requires = "taken")]
    sha256: Option<Sha256Digest>,
    /// Releases of a plugin; with `--versions`
    #[arg(long, value_parser = plugin_id, group = "what", requires = "versions", requires = "taken")]
    id: Option<PluginId>,
    /// A key; with `--from`
    #[arg(long, value_parser = key_id, group = "what", requires = "taken")]
    keyid: Option<KeyId>,
    /// What a tool certified; with `--versions`, perhaps `--check`
    #[arg(long, value_name = "NAME", group = "what", requires = "versions", requires = "taken")]
    certifier: Option<String>,
    /// Packages with a crate; with `--crate` and `--versions`
    #[arg(long, group = "what", requires = "krate", requires = "versions", requires = "taken")]
    advisory: Option<String>,
    /// Versions, like `>=1.3.0, <1.4.2` or `*`
    #[arg(long, value_parser = VersionRange::parse, requires = "what")]
    versions: Option<VersionRange>,
    /// From when a key's signatures no longer count; now if not said
    #[arg(long, value_parser = UnixSeconds::parse, requires = "keyid")]
    from: Option<UnixSeconds>,
    /// Only certificates that rest on this check
    #[arg(long, requires = "certifier")]
    check: Option<String>,
    /// The crate that the advisory is about
    #[arg(long = "crate", value_name = "CRATE", requires = "advisory")]
    krate: Option<String>,
    /// What happens to it
    #[arg(long, value_enum, requires = "what", requires = "reason", id = "taken", value_name = "ACTION")]
    action: Option<ActionName>,
    /// Why, in a few words
    #[arg(long, requires = "what")]
    reason: Option<String>,
    /// For how many days the list holds
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(i64).range(1..=3660))]
    days: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ActionName {
    Warn,
    Recertify,
    BlockLoad,
    Kill,
}

fn digest(text: &str) -> Result<Sha256Digest, String> {
    Sha256Digest::parse(text).map_err(|error| error.to_string())
}

fn plugin_id(text: &str) -> Result<PluginId, String> {
    PluginId::parse(text).map_err(|error| error.to_string())
}

pub(crate) fn run(args: &RevokeArgs, console: &Console) -> Outcome {
    let root = Document::<RootDocument>::read(&args.folder.join(ROOT)).map_err(document_fault)?;
    let root = root.payload;
    let list = args.folder.join(REVOCATIONS);
    let entry = entry(args);
    let freshens = args.freshness_key.is_some() || args.freshness_signer.is_some();
    if !args.revoker.is_said() && (entry.is_some() || args.sign || !freshens) {
        let error = anyhow::anyhow!("nothing signs a list");
        let hint = Some("`--key` or `--signer` signs a list, `--freshness-key` or `--freshness-signer` a freshness document".to_owned());
        return Err(Fault::new(Exit::Usage, "revoke-key", hint, error));
    }
    if let Some(signer) = args.revoker.open(Purpose::Revoker).map_err(signer_fault)? {
        let so_far = match read_known::<RevocationsDocument>(&list, |id| revoker(&root, id), unknown_revoker)?
        {
            Some(last) if args.sign => last,
            None if args.sign => {
                let path = list.clone();
                let source = std::io::ErrorKind::NotFound.into();
                return Err(document_fault(DocumentError::Read { path, source }));
            }
            last => {
                let last = last.map(|last| last.payload);
                let next = next_list(last.as_ref(), entry, now(), args.days).map_err(document_fault)?;
                Document::unsigned(next)
            }
        };
        let bytes = so_far.sign(|id| revoker(&root, id), &*signer).map_err(document_fault)?;
        write(&list, &bytes)?;
        let (version, entries) = (so_far.payload.version, so_far.payload.entries.len());
        console.line(&format!("wrote {}: version {version}, {entries} entries", shown(&list)));
    }
    freshen(args, &root, &list, console)
}

/// Names the list, if it is complete and there is a key for it.
fn freshen(args: &RevokeArgs, root: &RootDocument, list: &Path, console: &Console) -> Outcome {
    let Some(complete) = read_known::<RevocationsDocument>(list, |id| revoker(root, id), unknown_revoker)?
    else {
        let (path, source) = (list.to_owned(), std::io::ErrorKind::NotFound.into());
        return Err(document_fault(DocumentError::Read { path, source }));
    };
    let role = &root.roles.revoker;
    let signed = signed_by(&complete, &role.keyids);
    if signed < role.threshold {
        console.line(&format!(
            "{signed} of {} revokers signed it: no host takes it yet; `revoke --sign --key KEY` adds one",
            role.threshold
        ));
        return Ok(Exit::Done);
    }
    let Some(signer) = freshness_signer(args)? else {
        console.line("no host takes it before a freshness document names it: `revoke --freshness-key KEY`");
        return Ok(Exit::Done);
    };
    let pinned = (complete.payload.version, Sha256Digest::of(&read_bytes(list).map_err(document_fault)?));
    let path = args.folder.join(FRESHNESS);
    let role = &root.roles.freshness;
    let known = |id| role_key(root, &role.keyids, id);
    let last = read_known::<FreshnessDocument>(&path, known, |key| Refusal::FreshnessUnknownKey { key })?;
    let names_it = |last: &Document<FreshnessDocument>| {
        let pins = last.payload.revocations;
        (pins.version, pins.sha256) == pinned && signed_by(last, &role.keyids) < role.threshold
    };
    let next = match last {
        // Somebody else of the role began it.
        Some(last) if names_it(&last) => last,
        last => {
            let last = last.map(|last| last.payload);
            Document::unsigned(next_freshness(last.as_ref(), pinned, now(), role.max_age.seconds()))
        }
    };
    let bytes = next.sign(known, &*signer).map_err(document_fault)?;
    write(&path, &bytes)?;
    let signed = signed_by(&next, &role.keyids) + 1;
    let FreshnessDocument { version, expires, .. } = next.payload;
    console.line(&format!("wrote {}: version {version}, until {expires}", shown(&path)));
    if signed < role.threshold {
        console.line(&format!(
            "{signed} of {} freshness signers signed it: no host takes it yet",
            role.threshold
        ));
    }
    Ok(Exit::Done)
}

/// What signs the freshness document, if that was said.
fn freshness_signer(args: &RevokeArgs) -> Result<Option<Box<dyn Signer>>, Fault> {
    let address = match (&args.freshness_key, &args.freshness_signer) {
        (Some(path), _) => SignerAddress::File(path.clone()),
        (None, Some(text)) => text.parse().map_err(|error: AddressError| signer_fault(error.into()))?,
        (None, None) => return Ok(None),
    };
    signer::open(&address, Purpose::Freshness, &args.revoker.passphrases()).map(Some).map_err(signer_fault)
}

fn revoker(root: &RootDocument, id: KeyId) -> Option<PublicKey> {
    role_key(root, &root.roles.revoker.keyids, id)
}

fn unknown_revoker(key: KeyId) -> Refusal {
    Refusal::RevocationsUnknownKey { key }
}

/// The document there, every signature of which holds; none if there is no file.
fn read_known<T: Payload + DeserializeOwned + PartialEq>(
    path: &Path,
    known: impl Fn(KeyId) -> Option<PublicKey>,
    unknown: impl Fn(KeyId) -> Refusal,
) -> Result<Option<Document<T>>, Fault> {
    if path.symlink_metadata().is_err() {
        return Ok(None);
    }
    let bytes = read_bytes(path).map_err(document_fault)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    dsse::verify::<T>(&name, &bytes, known, unknown).map_err(|refusal| document_fault(refusal.into()))?;
    Document::read(path).map(Some).map_err(document_fault)
}

fn entry(args: &RevokeArgs) -> Option<Entry> {
    let versions = || args.versions.clone();
    let what = if let Some(sha256) = args.sha256 {
        What::File { sha256 }
    } else if let Some(id) = args.id.clone() {
        What::Release { id, versions: versions()? }
    } else if let Some(keyid) = args.keyid {
        What::Key { keyid, invalid_after: args.from.unwrap_or_else(now) }
    } else if let Some(name) = args.certifier.clone() {
        What::Certifier { name, versions: versions()?, check: args.check.clone() }
    } else {
        let (advisory, krate) = (args.advisory.clone()?, args.krate.clone()?);
        What::Advisory { advisory, krate, versions: versions()? }
    };
    let action = match args.action? {
        ActionName::Warn => Action::Warn,
        ActionName::Recertify => Action::Recertify,
        ActionName::BlockLoad => Action::BlockLoad,
        ActionName::Kill => Action::Kill,
    };
    Some(Entry { what, action, reason: args.reason.clone()? })
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    let fault = |source| document_fault(DocumentError::Write { path: path.to_owned(), source });
    whole_file::write(path, bytes, whole_file::PUBLIC).map_err(fault)
}

fn shown(path: &Path) -> String {
    escape(&path.display().to_string())
}
