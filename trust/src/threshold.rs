//! Thresholds: how many of a role's keys it takes. The one count for every role.
//!
//! In -> out: keys, how many of them -> [`Quorum`]; who signed when -> enough, or a [`Shortfall`].
//! Limits: 1 to 256 keys a role, a threshold of at least 1 and at most the number of distinct keys (of distinct owners,
//! if they must be independent).
//! Invariant: what is counted are distinct public keys of the role that are in force and not revoked; never
//! signatures, never key ids.
//! Not here: whether signatures hold (`dsse.rs`), what is revoked (`revocation.rs`).

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use crate::key::{KeyId, PublicKey};
use crate::refusal::Refusal;
use crate::time::UnixSeconds;

const KEYS_MAX: usize = 256;

/// A key that may act in a role, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleKey {
    pub key: PublicKey,
    pub owner: String,
    /// The first second that it counts in.
    pub not_before: Option<UnixSeconds>,
    /// The last second that it counts in.
    pub not_after: Option<UnixSeconds>,
    /// The last second that it may have signed in, for a key that is gone since and whose signatures stay.
    pub signs_until: Option<UnixSeconds>,
}

/// Why a key does not count for a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotInForce {
    NotYet { not_before: UnixSeconds },
    Ended { not_after: UnixSeconds },
    SignedLate { signs_until: UnixSeconds },
}

impl RoleKey {
    /// Succeeds if a signature of that time counts now. Both ends belong to the time in force.
    pub fn in_force(&self, signed_at: UnixSeconds, now: UnixSeconds) -> Result<(), NotInForce> {
        if let Some(not_before) = self.not_before.filter(|start| now < *start || signed_at < *start) {
            return Err(NotInForce::NotYet { not_before });
        }
        if let Some(not_after) = self.not_after.filter(|end| now > *end || signed_at > *end) {
            return Err(NotInForce::Ended { not_after });
        }
        match self.signs_until.filter(|end| signed_at > *end) {
            Some(signs_until) => Err(NotInForce::SignedLate { signs_until }),
            None => Ok(()),
        }
    }
}

/// A signature that holds.
#[derive(Clone, Copy, Debug)]
pub struct Signed {
    pub by: PublicKey,
    /// When it was made, as what is signed says.
    pub at: UnixSeconds,
}

/// Too few.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortfall {
    pub counted: u32,
    pub needed: u32,
}

/// Who may act in a role, and how many of them it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quorum {
    threshold: NonZeroU32,
    independent: bool,
    keys: Vec<RoleKey>,
}

impl Quorum {
    /// `threshold` of these keys; of that many distinct owners too, if `independent`.
    ///
    /// # Errors
    /// `RoleKeys`, `RoleKeyTwice`, `ThresholdZero`, `ThresholdAboveKeys`.
    pub fn new(role: &str, threshold: u32, independent: bool, keys: Vec<RoleKey>) -> Result<Self, Refusal> {
        let role = || role.to_owned();
        if !(1..=KEYS_MAX).contains(&keys.len()) {
            return Err(Refusal::RoleKeys { role: role(), found: keys.len() });
        }
        let mut distinct = BTreeSet::new();
        if let Some(twice) = keys.iter().map(|key| key.key.id()).find(|key| !distinct.insert(*key)) {
            return Err(Refusal::RoleKeyTwice { role: role(), key: twice });
        }
        let Some(threshold) = NonZeroU32::new(threshold) else {
            return Err(Refusal::ThresholdZero { role: role() });
        };
        let quorum = Self { threshold, independent, keys };
        let possible = quorum.distinct(&distinct);
        match threshold.get() > possible {
            true => Err(Refusal::ThresholdAboveKeys { role: role(), threshold: threshold.get(), possible }),
            false => Ok(quorum),
        }
    }

    pub fn threshold(&self) -> u32 {
        self.threshold.get()
    }

    pub fn independent(&self) -> bool {
        self.independent
    }

    pub fn keys(&self) -> &[RoleKey] {
        &self.keys
    }

    /// The role's key of that id.
    pub fn key(&self, id: KeyId) -> Option<&RoleKey> {
        self.keys.iter().find(|key| key.key.id() == id)
    }

    /// Succeeds if enough of them count now. `revoked` says whether a key's signature of that time was taken back.
    pub fn check(
        &self,
        signed: &[Signed],
        now: UnixSeconds,
        revoked: impl Fn(KeyId, UnixSeconds) -> bool,
    ) -> Result<(), Shortfall> {
        let counts = |one: &&Signed| {
            let key = self.keys.iter().find(|key| key.key == one.by);
            key.is_some_and(|key| key.in_force(one.at, now).is_ok()) && !revoked(one.by.id(), one.at)
        };
        let counted = self.distinct(&signed.iter().filter(counts).map(|one| one.by.id()).collect());
        match counted >= self.threshold.get() {
            true => Ok(()),
            false => Err(Shortfall { counted, needed: self.threshold.get() }),
        }
    }

    /// How many of these keys count as different ones: keys, or owners.
    fn distinct(&self, keys: &BTreeSet<KeyId>) -> u32 {
        let role = self.keys.iter().filter(|key| keys.contains(&key.key.id()));
        let count = match self.independent {
            true => role.map(|key| key.owner.as_str()).collect::<BTreeSet<_>>().len(),
            false => role.map(|key| key.key.id()).collect::<BTreeSet<_>>().len(),
        };
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// True if no key is in both.
    pub fn is_disjoint(&self, other: &Self) -> bool {
        self.keys.iter().all(|key| other.key(key.key.id()).is_none())
    }
}

/// Nothing was taken back.
pub fn none_revoked(_: KeyId, _: UnixSeconds) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SecretKey;

    const NOW: UnixSeconds = UnixSeconds(1_000_000);

    fn key(seed: u8, owner: &str) -> RoleKey {
        let key = SecretKey::from_seed(&[seed; 32]).public();
        RoleKey { key, owner: owner.to_owned(), not_before: None, not_after: None, signs_until: None }
    }

    fn signed(seeds: &[u8]) -> Vec<Signed> {
        seeds.iter().map(|seed| Signed { by: key(*seed, "").key, at: NOW }).collect()
    }

    #[track_caller]
    fn check(threshold: u32, independent: bool, seeds: &[u8], enough: bool) {
        let keys = vec![key(1, "a"), key(2, "a"), key(3, "b")];
        let quorum = Quorum::new("root", threshold, independent, keys).unwrap();
        let found = quorum.check(&signed(seeds), NOW, none_revoked);
        assert_eq!(found.is_ok(), enough, "{threshold} of {seeds:?}: {found:?}");
    }

    #[test]
    fn k1_k2_keys_are_counted_and_never_signatures() {
        check(1, false, &[], false);
        check(1, false, &[1], true);
        check(2, false, &[1], false);
        check(2, false, &[1, 1, 1], false);
        check(2, false, &[1, 2], true);
        check(2, false, &[1, 9], false);
        check(3, false, &[1, 2, 3, 9], true);
        check(3, false, &[1, 2, 9, 8], false);
    }

    #[test]
    fn independent_keys_have_different_owners() {
        check(2, false, &[1, 2], true);
        check(2, true, &[1, 2], false);
        check(2, true, &[1, 3], true);
        check(1, true, &[1, 2], true);
    }

    #[test]
    fn k4_a_threshold_is_neither_zero_nor_more_than_there_are() {
        let code = |threshold, independent, keys| {
            Quorum::new("root", threshold, independent, keys).err().map(|refusal| refusal.code())
        };
        let two = || vec![key(1, "a"), key(2, "a")];
        assert_eq!(code(2, false, two()), None);
        assert_eq!(code(0, false, two()), Some("threshold-zero"));
        assert_eq!(code(3, false, two()), Some("threshold-above-keys"));
        assert_eq!(code(u32::MAX, false, two()), Some("threshold-above-keys"));
        assert_eq!(code(1, true, two()), None);
        assert_eq!(code(2, true, two()), Some("threshold-above-keys"));
        assert_eq!(code(2, false, vec![key(1, "a"), key(1, "b")]), Some("role-key-twice"));
        assert_eq!(code(1, false, vec![]), Some("role-keys"));
        let many = |count: usize| {
            let seed = |number: usize| [[number as u8; 16], [(number >> 8) as u8; 16]].concat();
            (0..count)
                .map(|number| SecretKey::from_seed(&seed(number).try_into().unwrap()).public())
                .map(|public| RoleKey { key: public, ..key(1, "a") })
                .collect::<Vec<_>>()
        };
        assert_eq!(code(256, false, many(256)), None);
        assert_eq!(code(1, false, many(257)), Some("role-keys"));
    }

    #[test]
    fn k7_a_key_counts_from_its_first_second_to_its_last() {
        let (first, last) = (NOW, NOW.plus(10));
        let bounded = RoleKey { not_before: Some(first), not_after: Some(last), ..key(1, "a") };
        let quorum = Quorum::new("root", 1, false, vec![bounded.clone()]).unwrap();
        let enough = |at: i64, now: i64| {
            let signed = [Signed { by: bounded.key, at: NOW.plus(at) }];
            quorum.check(&signed, NOW.plus(now), none_revoked).is_ok()
        };
        for (at, now, counts) in [
            (0, 0, true),
            (0, 10, true),
            (10, 10, true),
            (0, 11, false),
            (-1, 0, false),
            (0, -1, false),
            (11, 10, false),
        ] {
            assert_eq!(enough(at, now), counts, "signed at {at}, looked at {now}");
        }
        let gone = RoleKey { signs_until: Some(last), ..key(1, "a") };
        assert_eq!(gone.in_force(last, NOW.plus(1 << 40)), Ok(()));
        assert_eq!(gone.in_force(last.plus(1), NOW), Err(NotInForce::SignedLate { signs_until: last }));
    }

    #[test]
    fn k7_a_revoked_key_does_not_count_from_its_date_on() {
        let quorum = Quorum::new("root", 1, false, vec![key(1, "a")]).unwrap();
        let taken_back = |_, at: UnixSeconds| at >= NOW;
        let at = |at: i64| [Signed { by: key(1, "a").key, at: NOW.plus(at) }];
        assert_eq!(quorum.check(&at(-1), NOW, taken_back), Ok(()));
        assert_eq!(quorum.check(&at(0), NOW, taken_back), Err(Shortfall { counted: 0, needed: 1 }));
    }
}
