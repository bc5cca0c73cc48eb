//! Whom a command takes for publishers and certifiers: public files, or a trust root with its lists.
//!
//! In -> out: arguments -> [`Rules`], as a host would have them that has seen nothing before.
//! Invariant: a root counts only together with its lists; of several each is held against the one before, and the first
//! is trusted because a person named its file.
//! Not here: what a root means (`orch-trust`'s `root.rs`), which steps are taken with it (`verify.rs`, `recheck.rs`).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::ArgGroup;
use orch_certify::document::{DocumentError, read_bytes};
use orch_host::exit::{Exit, Fault};
use orch_host::regular_file::{self, Links};
use orch_trust::admission::{Rules, Step};
use orch_trust::anchor::{Anchor, AnchorFiles};
use orch_trust::authority::{Certifier, Publisher};
use orch_trust::digest::Sha256Digest;
use orch_trust::freshness::FRESHNESS;
use orch_trust::revocation::REVOCATIONS;
use orch_trust::root;
use orch_trust::state::TrustState;

use super::{document_fault, now};

/// Of a publisher's or certifier's file.
const TRUST_BYTES_MAX: u64 = 1 << 20;

#[derive(clap::Args)]
#[command(group = ArgGroup::new("whom").args(["trust", "root"]).required(true).multiple(true))]
pub(crate) struct TrustedArgs {
    /// Public file of a publisher or certifier; may be said again
    #[arg(long, value_name = "FILE")]
    trust: Vec<PathBuf>,
    /// Signed trust root of any version, instead of such files; said again, each next version in order
    ///
    /// The first is trusted because you name its file: its signatures are verified, and whether it is the right one is for
    /// you to know (`orch-certify root show` says its SHA-256). Each further one counts if the one before vouches for it.
    /// The last says whose keys count, its jobs' among them, and must not have ended.
    #[arg(long, conflicts_with = "trust", value_name = "FILE")]
    root: Vec<PathBuf>,
    /// Freshness document of that root; the one beside the last root if absent
    // Beside `--trust` the parser would overlook that it needs a root, and nobody would read it.
    #[arg(long, requires = "root", conflicts_with = "trust", value_name = "FILE")]
    freshness: Option<PathBuf>,
    /// Revocation list that the freshness document names; the one beside the last root if absent
    #[arg(long, requires = "root", conflicts_with = "trust", value_name = "FILE")]
    revocations: Option<PathBuf>,
}

impl TrustedArgs {
    pub(crate) fn rules(&self) -> Result<Rules, Fault> {
        let mut rules = Rules::default();
        for path in &self.trust {
            add(path, &mut rules).map_err(|error| Fault::new(Exit::Usage, "trust-file", None, error))?;
        }
        rules.anchor = self.anchor()?.map(Arc::new);
        Ok(rules)
    }

    /// Root, freshness document and list, as a host would take them that has seen none before.
    fn anchor(&self) -> Result<Option<Anchor>, Fault> {
        let roots: Vec<Vec<u8>> = self.root.iter().map(|path| read(path)).collect::<Result<_, _>>()?;
        let (Some(beside), Some((first, later))) = (self.root.last(), roots.split_first()) else {
            return Ok(None);
        };
        let list = |said: &Option<PathBuf>, name| match said {
            Some(path) => read(path),
            None => read(&beside.with_file_name(name)),
        };
        let freshness = list(&self.freshness, FRESHNESS)?;
        let revocations = list(&self.revocations, REVOCATIONS)?;
        // A refusal calls each file by the name that hosts have for it.
        let named: Vec<String> = self.root.iter().map(|path| format!("`{}`", path.display())).collect();
        let what = format!("trust root {} does not hold with its lists", named.join(" and "));
        let refused = |refusal| document_fault(DocumentError::Refused(refusal)).context(what.clone());
        let later: Vec<&[u8]> = later.iter().map(Vec::as_slice).collect();
        let root = root::verify_chain(first, Sha256Digest::of(first), &later, now()).map_err(refused)?;
        let files = AnchorFiles {
            root: later.last().unwrap_or(&first.as_slice()),
            freshness: Some(&freshness),
            revocations: Some(&revocations),
        };
        let (anchor, _) = Anchor::verify(files, &TrustState::first(&root, now()), now()).map_err(refused)?;
        Ok(Some(anchor))
    }
}

/// Steps of admission that these rules can say something of. What was seen before and the grant are an operator's, and
/// without a root nobody says what was taken back.
pub(crate) fn steps(rules: &Rules) -> impl Iterator<Item = Step> + Clone {
    let has_root = rules.anchor.is_some();
    Step::ALL.into_iter().filter(move |step| match step {
        Step::Grant => false,
        Step::Revocation => has_root,
        _ => true,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    read_bytes(path).map_err(document_fault)
}

/// Adds the publisher or certifier of that file.
fn add(path: &Path, rules: &mut Rules) -> anyhow::Result<()> {
    let cannot = || format!("cannot trust `{}`", path.display());
    let (text, _) = regular_file::read_text(path, Links::Followed, TRUST_BYTES_MAX).with_context(cannot)?;
    // The two formats share no file: each refuses the other's fields.
    match Certifier::parse(&text) {
        Ok(certifier) => rules.certifiers.push(certifier),
        Err(_) => rules.publishers.push(Publisher::parse(&text).with_context(cannot)?),
    }
    Ok(())
}
