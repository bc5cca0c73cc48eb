//! Two verifiers, written separately, say the same of every case: admitted, or refused for a reason of the same family.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use orch_tests::catalogue::ATTACKS;
use orch_tests::second::attacks::LEFT_OUT;
use orch_tests::second::{Case, all, python};

/// The fewest cases of an attack.
const EACH: usize = 10;

/// Each case, and the line that says it.
static CASES: LazyLock<(Vec<Case>, Vec<String>)> = LazyLock::new(|| {
    let cases = all();
    let lines = cases.iter().map(Case::line).collect();
    (cases, lines)
});

#[test]
fn a_second_verifier_agrees_on_every_case_and_on_the_family_of_each_refusal() {
    let (cases, lines) = &*CASES;
    let first: Vec<_> = cases.iter().map(|case| case.judge()).collect();
    let second = python::answers(lines);
    let (mut faults, mut families) = (Vec::new(), BTreeMap::<String, usize>::new());
    for ((case, (one, code)), other) in cases.iter().zip(&first).zip(&second) {
        let shown = format!("{} {}", case.attack, case.about);
        if one != other {
            faults.push(format!("{shown}: {code} {one:?}, the second verifier says {other:?}"));
        }
        if one.ok != (case.attack == "good") {
            faults.push(format!("{shown}: {code}"));
        }
        *families.entry(one.family.clone().unwrap_or_else(|| "admitted".to_owned())).or_default() += 1;
    }
    println!("{} cases: {families:?}", cases.len());
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), cases.len(), faults.join("\n"));
    assert!(cases.len() >= 1000 && families["admitted"] >= 150, "{} cases: {families:?}", cases.len());
}

#[test]
fn every_attack_has_ten_different_cases_or_a_reason_why_not() {
    let mut distinct = BTreeMap::<&str, BTreeSet<&str>>::new();
    let (cases, lines) = &*CASES;
    for (case, line) in cases.iter().zip(lines) {
        // What comes after the words about it.
        let (_, said) = line.split_once("\"files\":").unwrap();
        distinct.entry(case.attack).or_default().insert(said);
    }
    for (id, _) in ATTACKS {
        let found = distinct.remove(id).map_or(0, |cases| cases.len());
        match LEFT_OUT.iter().find(|(left, _)| left == id) {
            Some((_, why)) => assert!(found == 0 && !why.is_empty(), "{id} has cases, so it is not left out"),
            None => assert!(found >= EACH, "{id} has {found} different cases, expected at least {EACH}"),
        }
    }
    assert!(distinct.keys().eq(["good"].iter()), "no such attacks: {:?}", distinct.keys());
    assert!(LEFT_OUT.iter().all(|(id, _)| ATTACKS.iter().any(|(known, _)| known == id)));
}
