//! Agreement: whether enough certifiers found the same.
//!
//! In -> out: certificates that are sound now, who counts and how many it takes -> one [`Agreed`], or why not.
//! Invariant: what is counted are distinct certifier keys (distinct owners, if they must be independent) whose
//! certificates say the same results; certificates that were set aside do not count.
//! Not here: each certificate by itself (`certificate.rs`), why some are set aside (`revocation/judge.rs`).

use crate::authority::{Certifier, Level};
use crate::certificate::{Certificate, Sound};
use crate::key::KeyId;
use crate::refusal::Refusal;
use crate::threshold::{Quorum, RoleKey, Shortfall, Signed, none_revoked};
use crate::time::UnixSeconds;

/// What must be agreed on, and by how many.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    pub level: Level,
    pub threshold: u32,
    /// Certifiers of different owners are counted, not keys.
    pub independent: bool,
}

/// What enough certifiers agree on.
#[derive(Clone, Debug)]
pub struct Agreed<'a> {
    /// One of theirs; in its results the others are the same.
    pub certificate: &'a Certificate,
    pub by: Vec<KeyId>,
    /// The last second that enough of them are valid in.
    pub valid_until: UnixSeconds,
}

/// The highest level that enough certifiers agree on, and for how long, those of `set_aside` not being counted.
///
/// # Errors
/// `CertificateMissing`, `CertificatesDisagree`, `CertificateThreshold`, and those of [`Quorum::new`] when nobody
/// could ever be enough.
pub fn agree<'a>(
    sound: &'a [Sound],
    certifiers: &[Certifier],
    wanted: Wanted,
    set_aside: &[KeyId],
    now: UnixSeconds,
) -> Result<Agreed<'a>, Refusal> {
    let counts = |one: &&Sound| one.certificate.level >= wanted.level && !set_aside.contains(&one.key.id());
    let mut counted: Vec<&Sound> = sound.iter().filter(counts).collect();
    if counted.is_empty() {
        return Err(Refusal::CertificateMissing { level: wanted.level.as_str() });
    }
    // A key may be in several files of the operator's folder; the first one is what its certificates were held against.
    let mut keys: Vec<RoleKey> = Vec::new();
    for key in certifiers.iter().map(Certifier::role_key) {
        if !keys.iter().any(|before| before.key == key.key) {
            keys.push(key);
        }
    }
    let quorum = Quorum::new("certifier", wanted.threshold, wanted.independent, keys)?;
    let enough = |of: &[&Sound]| {
        let signed = |one: &&Sound| Signed { by: one.key, at: one.certificate.signed_at };
        quorum.check(&of.iter().map(signed).collect::<Vec<_>>(), now, none_revoked)
    };
    counted.sort_by_key(|one| std::cmp::Reverse((one.certificate.level, one.certificate.valid_until)));
    let mut best: Option<Agreed<'a>> = None;
    let mut most = Shortfall { counted: 0, needed: wanted.threshold };
    for one in &counted {
        let results = one.certificate.result_digest;
        let same: Vec<&Sound> =
            counted.iter().copied().filter(|other| other.certificate.result_digest == results).collect();
        if let Err(short) = enough(&same) {
            most.counted = most.counted.max(short.counted);
            continue;
        }
        // They are in the order of their ends, so what is enough first is valid longest.
        let first = (1..=same.len()).find_map(|count| {
            let those = same.get(..count)?;
            enough(those).ok().map(|()| those)
        });
        let Some(valid_until) = first.and_then(|those| those.last()).map(|one| one.certificate.valid_until)
        else {
            unreachable!("all of them were enough");
        };
        let level = one.certificate.level;
        let better = |best: &Agreed<'_>| (level, valid_until) > (best.certificate.level, best.valid_until);
        if best.as_ref().is_none_or(better) {
            let by = same.iter().map(|one| one.key.id()).collect();
            best = Some(Agreed { certificate: &one.certificate, by, valid_until });
        }
    }
    match best {
        Some(best) => Ok(best),
        None if enough(&counted).is_ok() => Err(Refusal::CertificatesDisagree { needed: most.needed }),
        None => Err(Refusal::CertificateThreshold { counted: most.counted, needed: most.needed }),
    }
}
