//! Takes something back: the next revocation list, and the freshness document that names it.
//!
//! In -> out: folder with root and last list, what is taken back, keys -> `revocations.dsse.json` and
//! `freshness.dsse.json` in that folder.
//! Invariant: one command at a time works in a folder; nothing is written that a host would refuse; a list replaces the
//! last one whole; freshness is signed only for a list that enough revokers signed, and is written last.
//! Not here: what makes an entry and a list good (`orch-certify`'s `revoking/`), what hosts do with it (`orch-trust`'s
//! `revocation/judge.rs`), sending it to them.

mod folder;

use std::path::PathBuf;

use clap::ValueEnum;
use orch_certify::document::{Document, DocumentError};
use orch_certify::revoking::entry::{check, doubts};
use orch_certify::revoking::rehearsal::rehearse;
use orch_certify::revoking::{next_freshness, next_list, role_key};
use orch_host::console::Console;
use orch_host::exit::{Exit, Fault, Outcome};
use orch_signer::address::{AddressError, SignerAddress};
use orch_signer::arguments::SignerArguments;
use orch_signer::key_file::Purpose;
use orch_signer::signer;
use orch_trust::digest::Sha256Digest;
use orch_trust::freshness::{FRESHNESS, FreshnessDocument};
use orch_trust::key::{KeyId, Signer};
use orch_trust::name::PluginId;
use orch_trust::refusal::Refusal;
use orch_trust::revocation::{Action, Entry, REVOCATIONS, RevocationsDocument, What};
use orch_trust::time::UnixSeconds;
use orch_trust::version_range::VersionRange;

use self::folder::{Folder, Held, Roots};
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
    /// Earlier trust root, whose keys signed the last list; said again, the oldest first
    #[arg(long, value_name = "FILE")]
    previous: Vec<PathBuf>,
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
    let entry = entry(args);
    let freshens = args.freshness_key.is_some() || args.freshness_signer.is_some();
    if !args.revoker.is_said() && (entry.is_some() || args.sign || !freshens) {
        let error = anyhow::anyhow!("nothing signs a list");
        let hint = Some("`--key` or `--signer` signs a list, `--freshness-key` or `--freshness-signer` a freshness document".to_owned());
        return Err(Fault::new(Exit::Usage, "revoke-key", hint, error));
    }
    let revoker = args.revoker.open(Purpose::Revoker).map_err(signer_fault)?;
    let freshener = freshness_signer(args)?;
    // Until the last file is written: who comes second goes on from what the first one wrote.
    let folder = Folder::lock(&args.folder, console)?;
    let roots = folder.roots(&args.previous)?;
    let revokers = &roots.root.document().roles.revoker;
    let unknown = |key| Refusal::RevocationsUnknownKey { key };
    let known = |id| roots.key(id, |root| &root.roles.revoker.keyids);
    let last = folder.read::<RevocationsDocument>(REVOCATIONS, known, unknown)?;
    let list = match (&revoker, &last) {
        (Some(signer), _) => {
            if let Some(entry) = &entry {
                check(entry, roots.root.document())
                    .map_err(|error| Fault::new(Exit::Usage, error.code(), error.hint(), error))?;
            }
            let next = next(args, entry.clone(), last.as_ref(), &folder, &roots)?;
            let known = |id| role_key(roots.root.document(), &revokers.keyids, id);
            Held::of(&folder.path(REVOCATIONS), next.sign(known, &**signer).map_err(document_fault)?)?
        }
        (None, Some(last)) => last.clone(),
        (None, None) => return Err(folder.missing(REVOCATIONS)),
    };
    let (signed, is_complete) = list.signed(&revokers.keyids, revokers.threshold);
    let freshness = match freshener.filter(|_| is_complete) {
        Some(signer) => Some(freshen(&folder, &roots, &list, &*signer)?),
        None => None,
    };
    let freshness_bytes = freshness.as_ref().map(|freshness| freshness.bytes.as_slice());
    rehearse(&roots.root, &roots.bytes, &list.bytes, freshness_bytes, now())
        .map_err(|refusal| refused(refusal, &roots, last.as_ref()))?;
    if let Some(entry) = &entry {
        let doubts = doubts(entry, roots.root.document(), args.from.is_some(), now());
        doubts.iter().for_each(|doubt| console.warn(doubt));
    }
    if revoker.is_some() {
        let written = folder.write(REVOCATIONS, &list.bytes)?;
        let RevocationsDocument { version, entries, .. } = &list.document.payload;
        console.line(&format!("wrote {written}: version {version}, {} entries", entries.len()));
    }
    match freshness {
        Some(freshness) => write_freshness(&folder, &roots, &freshness, console)?,
        None if is_complete => console
            .line("no host takes it before a freshness document names it: `revoke --freshness-key KEY`"),
        None => console.line(&format!(
            "{signed} of {} revokers signed it: no host takes it yet; `revoke --sign --key KEY` adds one",
            revokers.threshold
        )),
    }
    Ok(Exit::Done)
}

fn write_freshness(
    folder: &Folder,
    roots: &Roots,
    freshness: &Held<FreshnessDocument>,
    console: &Console,
) -> Result<(), Fault> {
    let written = folder.write(FRESHNESS, &freshness.bytes)?;
    let FreshnessDocument { version, expires, .. } = &freshness.document.payload;
    console.line(&format!("wrote {written}: version {version}, until {expires}"));
    let role = &roots.root.document().roles.freshness;
    if let (signed, false) = freshness.signed(&role.keyids, role.threshold) {
        let needed = role.threshold;
        console.line(&format!("{signed} of {needed} freshness signers signed it: no host takes it yet"));
    }
    Ok(())
}

/// The next list, or the last one, which takes one more signature.
fn next(
    args: &RevokeArgs,
    entry: Option<Entry>,
    last: Option<&Held<RevocationsDocument>>,
    folder: &Folder,
    roots: &Roots,
) -> Result<Document<RevocationsDocument>, Fault> {
    if !args.sign {
        let last = last.map(|last| &last.document.payload);
        return next_list(last, entry, now(), args.days).map(Document::unsigned).map_err(document_fault);
    }
    let last = last.ok_or_else(|| folder.missing(REVOCATIONS))?;
    let role = &roots.root.document().roles.revoker;
    match last.signed(&role.keyids, role.threshold) {
        (_, true) => Err(document_fault(DocumentError::Complete { path: folder.path(REVOCATIONS) })),
        (_, false) => Ok(last.document.clone()),
    }
}

/// The freshness document that names the list, with one more signature.
fn freshen(
    folder: &Folder,
    roots: &Roots,
    list: &Held<RevocationsDocument>,
    signer: &dyn Signer,
) -> Result<Held<FreshnessDocument>, Fault> {
    let pinned = (list.document.payload.version, Sha256Digest::of(&list.bytes));
    let role = &roots.root.document().roles.freshness;
    let unknown = |key| Refusal::FreshnessUnknownKey { key };
    let known = |id| roots.key(id, |root| &root.roles.freshness.keyids);
    let last = folder.read::<FreshnessDocument>(FRESHNESS, known, unknown)?;
    let is_begun = |last: &Held<FreshnessDocument>| {
        let pins = last.document.payload.revocations;
        let (_, is_complete) = last.signed(&role.keyids, role.threshold);
        let is_ours = last.document.signers().all(|key| role.keyids.contains(&key));
        (pins.version, pins.sha256) == pinned && !is_complete && is_ours
    };
    let next = match last {
        // Somebody else of the role began it.
        Some(last) if is_begun(&last) => last.document,
        last => {
            let last = last.map(|last| last.document.payload);
            Document::unsigned(next_freshness(last.as_ref(), pinned, now(), role.max_age.seconds()))
        }
    };
    let known = |id| role_key(roots.root.document(), &role.keyids, id);
    Held::of(&folder.path(FRESHNESS), next.sign(known, signer).map_err(document_fault)?)
}

/// What no host would take, and what helps whoever is making it.
fn refused(refusal: Refusal, roots: &Roots, last: Option<&Held<RevocationsDocument>>) -> Fault {
    let was_so = last.is_some_and(|last| {
        let before = rehearse(&roots.root, &roots.bytes, &last.bytes, None, now());
        before.is_err_and(|before| before.code() == refusal.code())
    });
    let hint = match &refusal {
        Refusal::RevocationsExpired { .. } => Some("`revoke --key KEY` makes the next list".to_owned()),
        _ if was_so => Some(
            "the list that is there has that fault already: put the last one that hosts took in its place, with its \
             freshness document"
                .to_owned(),
        ),
        Refusal::RevocationsMalformed { .. } => {
            Some("a reason or a name is one line of 1 to 256 bytes, and a list has at most 20,000 entries".to_owned())
        }
        Refusal::RevocationsThreshold { .. } | Refusal::FreshnessThreshold { .. } => Some(
            "a list cannot take back the keys that it needs itself: first a trust root gives their role to other keys \
             (`orch-certify root rotate`)"
                .to_owned(),
        ),
        other => other.hint(),
    };
    let fault = Fault::new(Exit::Usage, refusal.code(), hint, refusal);
    fault.context("no host would take that list, and nothing was written")
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
