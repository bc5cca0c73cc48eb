//! What an operator should hear of a run's plugins and of the host that it begins on, and what keeps nothing from running.
//!
//! In -> out: steps of admission, the operator's folder, what was admitted -> codes and texts.
//! Not here: showing them (`console.rs`), the loop's own warnings (`drive/`).

use orch_trust::admission::Steps;
use orch_trust::authority::Level;
use orch_trust::certificate::life_seconds;
use orch_trust::evidence::Trust;
use orch_trust::freshness::Verdict as Freshness;
use orch_trust::policy::SandboxMode;
use orch_trust::time::UnixSeconds;

use super::AdmittedPlugins;
use crate::config::operator::{Operator, SIGNING_KEY_VARIABLE};
use crate::sandbox;

/// What the trust root's lists say of a package that keeps nothing from running: every report says it too.
pub fn warnings_of(steps: &Steps, id: &str) -> Vec<String> {
    let grace = match steps.freshness {
        Some(Freshness::OfflineGrace { until }) => Some(format!(
            "nothing newer than the last revocation list was heard of; offline grace ends at {until}"
        )),
        _ => None,
    };
    let notes = steps.notes.iter().map(|note| format!("`{id}`: {}: {}", note.what, note.reason));
    grace.into_iter().chain(notes).collect()
}

/// What every run of a host of development says.
const DEVELOPMENT: &str = "this is a host of development: plugins that nobody certified run on it, and none of its runs says anything of them";

/// Code and text of whatever a run begins under that its operator should know of.
pub fn notices(operator: &Operator, admitted: &AdmittedPlugins) -> Vec<(&'static str, String)> {
    let added = format!("`{SIGNING_KEY_VARIABLE}` adds a publisher for the namespace `local/`");
    let of_lists = admitted.warnings.iter().map(|text| ("trust", text.clone()));
    let unprovided = admitted.unprovided.iter().map(|text| ("provider-missing", text.clone()));
    let is_off = operator.policy.sandbox.mode == SandboxMode::Off && admitted.starts_programs();
    let signing = operator.signing_key.then_some(("signing-key", added));
    let development = operator.development.then(|| ("development", DEVELOPMENT.to_owned()));
    let unconfined = is_off.then(|| ("sandbox-off", sandbox::OFF.to_owned()));
    development.into_iter().chain(signing).chain(unconfined).chain(of_lists).chain(unprovided).collect()
}

/// True in the last fifth of a certificate's life.
pub(crate) fn is_ending(trust: Trust, until: UnixSeconds, now: UnixSeconds) -> bool {
    let life = match trust {
        Trust::Certified => life_seconds(Level::Certified),
        // It is certified anew for each run.
        Trust::Development => return false,
        _ => life_seconds(Level::Local),
    };
    now.plus(life / 5) > until
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_announced_in_the_last_fifth_of_its_life() {
        let now = UnixSeconds(1_800_000_000);
        let ending = |trust, hours: i64| is_ending(trust, now.plus(hours * 3600), now);
        assert!(!ending(Trust::CertifiedLocal, 34) && ending(Trust::CertifiedLocal, 33));
        assert!(!ending(Trust::Development, 0));
        assert!(!ending(Trust::Certified, 18 * 24) && ending(Trust::Certified, 18 * 24 - 1));
    }
}
