//! Cases from a seed.
//!
//! In -> out: digest of the component, role, number -> a [`Case`].
//! Limits: 4 KiB of seed a case.
//! Invariant: equal arguments give equal cases, on every machine and in every build.
//! Not here: what is made of the seed (`conformance/ROLE.rs`, `conformance/value.rs`), what must come of it (`fuzz.rs`).

use arbitrary::Unstructured;
use orch_host::capability::trial::Mood;
use orch_task::Kind;
use orch_trust::digest::Sha256Digest;
use orch_trust::manifest::Role;

use crate::conformance::case::{Case, Expected};
use crate::conformance::questions;

const SEED_BYTES: usize = 4096;

/// The case of that number for that role of a component with these exports.
///
/// # Errors
/// The role makes no call of the seed. One that is used up gives zeros, never an error.
pub(super) fn case(
    component: Sha256Digest,
    (role, exports): (Role, &[String]),
    number: u32,
    kind: &Kind,
) -> arbitrary::Result<Case> {
    let seed = seed(component, role, number);
    let mut source = Unstructured::new(&seed);
    let mood = *source.choose(&Mood::ALL)?;
    let asked = questions(role, exports);
    let one = match &*asked {
        [one] => one,
        several => source.choose(several)?,
    };
    let call = (one.seeded)(&mut source, kind)?;
    let name = format!("{}-{number}", role.as_str());
    Ok(Case { name, call, expected: Expected::AnswerOrFailure, mood })
}

/// Bytes that only the arguments decide.
fn seed(component: Sha256Digest, role: Role, number: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(SEED_BYTES);
    let mut block: u32 = 0;
    while bytes.len() < SEED_BYTES {
        let text = format!("orch fuzz 1 {component} {} {number} {block}", role.as_str());
        bytes.extend_from_slice(Sha256Digest::of(text.as_bytes()).as_bytes());
        block += 1;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn equal_seeds_give_equal_cases_and_others_differ() {
        for role in Role::ALL {
            let shown = |component: &[u8], number| {
                let case = case(Sha256Digest::of(component), (role, &[]), number, &Kind::shell()).unwrap();
                format!("{case:?}")
            };
            assert_eq!(shown(b"a", 3), shown(b"a", 3));
            let all: BTreeSet<String> =
                (0..40).flat_map(|number| [shown(b"a", number), shown(b"b", number)]).collect();
            assert!(all.len() > 75, "{role:?}: {} of 80 differ", all.len());
        }
    }

    #[test]
    fn every_call_of_a_role_is_made() {
        let exports = [
            "orch:notify/provide@0.1.0",
            "orch:llm/provide@0.1.0",
            "orch:embed/provide@0.1.0",
            "orch:retrieve/provide@0.1.0",
        ]
        .map(str::to_owned);
        for role in Role::ALL {
            let calls: Vec<String> = (0..64)
                .map(|number| case(Sha256Digest::of(b"x"), (role, &exports), number, &Kind::shell()).unwrap())
                .map(|case| format!("{:?}", case.call))
                .collect();
            let names: &[&str] = match role {
                Role::Planner => &["Session"],
                Role::Executor => &["Execute"],
                Role::Reflector => &["Reflect"],
                Role::Auditor => &["Analyze", "Audit"],
                Role::Verifier => &["Run", "Task"],
                Role::Guard => &["Task", "Edits", "Merge"],
                Role::Provider => &["SendNotice", "AskModel", "AskVectors", "FindPassages"],
                Role::Service => &["Handle"],
            };
            for name in names {
                assert!(calls.iter().any(|call| call.starts_with(name)), "{role:?} {name}");
            }
            assert!(calls.iter().all(|call| names.iter().any(|name| call.starts_with(name))), "{role:?}");
        }
    }
}
