//! Keys that a CI job made for itself, and what they may sign.

use orch_trust::authority::Level;
use orch_trust::certificate::{self, Certificate};
use orch_trust::delegation::{self, DelegationDocument, Purpose};
use orch_trust::digest::Sha256Digest;
use orch_trust::package::PackageBytes;
use orch_trust::revocation::{Action, What};
use orch_trust::root::document::{CertifierJobText, Job};

use super::world::{CERTIFIER, ISSUER, PUBLISHER, STRANGER, World, entry, id, job, key, signed};
use crate::make::{DAY, Make, NOW};

/// The key of the job.
const EPHEMERAL: u8 = 70;
const OTHER: u8 = 71;

/// A package whose release or certificate is signed by a job's key.
struct Case {
    world: World,
    /// Signed a day ago, like the release.
    delegation: DelegationDocument,
    issuers: Vec<u8>,
    release_signer: u8,
    certificate_signer: u8,
    release_at: i64,
    certificate_at: i64,
    /// Of the delegation's file, if not its own.
    file: Option<String>,
    /// A key that the policy denies.
    deny: Option<u8>,
    /// Another certifier, who found the same.
    also: Option<u8>,
}

impl Case {
    fn good(purpose: Purpose) -> Self {
        let world = World::with(|world| {
            world.root.namespaces[0].jobs = vec![job()];
            world.root.roles.certifier.jobs =
                vec![CertifierJobText { job: job(), owner: "robot".into(), level: Level::Local }];
        });
        let issued = match purpose {
            Purpose::Release => NOW.plus(-DAY),
            Purpose::Certificate => NOW.plus(-600),
        };
        let delegation = DelegationDocument {
            kind: "delegation/v1".into(),
            key: key(EPHEMERAL).public().to_base64(),
            purpose,
            job: job(),
            commit: "0123abcd".into(),
            subject: Sha256Digest::of(b"filled in"),
            issued,
            expires: issued.plus(900),
        };
        let release = purpose == Purpose::Release;
        Self {
            world,
            delegation,
            issuers: vec![ISSUER],
            release_signer: if release { EPHEMERAL } else { PUBLISHER },
            certificate_signer: if release { CERTIFIER } else { EPHEMERAL },
            release_at: 0,
            certificate_at: 0,
            file: None,
            deny: None,
            also: None,
        }
    }

    fn code(self) -> Option<&'static str> {
        let mut make = Make::good();
        make.publisher = key(self.release_signer);
        make.release.issued_at = NOW.plus(-DAY + self.release_at);
        make.certifier = key(self.certificate_signer);
        let signed = NOW.plus(-600 + self.certificate_at);
        if self.certificate_signer == EPHEMERAL {
            // Checks end before the job that signs begins, and before its key is lent to it.
            make.certificate = Box::new(move |certificate| {
                (certificate.finished_at, certificate.signed_at) = (NOW.plus(-7200), signed);
                certificate.valid_until = NOW.plus(DAY);
            });
        }
        let (mut files, rules) = make.build();
        let mut delegation = self.delegation;
        if delegation.subject == Sha256Digest::of(b"filled in") {
            delegation.subject = Sha256Digest::of(&files["manifest.json"]);
        }
        let keys: Vec<_> = self.issuers.iter().map(|seed| key(*seed)).collect();
        let signers: Vec<&dyn orch_trust::key::Signer> = keys.iter().map(|key| key as _).collect();
        let file = self.file.unwrap_or_else(|| delegation::file_name(id(EPHEMERAL)));
        files.insert(file, delegation::sign(&delegation, &signers).unwrap().into());
        if let Some(seed) = self.also {
            let name = files.keys().find(|name| name.starts_with("cert")).unwrap();
            let said = orch_trust::dsse::read_unverified::<Certificate>(name, &files[name]).unwrap();
            let package = PackageBytes::new(files.clone()).unwrap();
            let (name, bytes) = certificate::sign(&package, said.predicate, &key(seed)).unwrap();
            files.insert(name, bytes.into());
        }
        let mut rules = rules;
        let digest = |seed: u8| Sha256Digest::parse(&id(seed).to_string()).unwrap();
        rules.policy.deny.keys.extend(self.deny.map(digest));
        let steps = self.world.explain_files(files, rules, NOW);
        steps.outcome.err().map(|(_, refusal)| refusal.code())
    }
}

#[track_caller]
fn check(purpose: Purpose, edit: impl FnOnce(&mut Case), code: Option<&str>) {
    let mut case = Case::good(purpose);
    edit(&mut case);
    assert_eq!(case.code(), code);
}

#[test]
fn a_job_publishes_and_certifies_with_a_key_that_is_gone_since() {
    check(Purpose::Release, |_| {}, None);
    check(Purpose::Certificate, |_| {}, None);
}

#[test]
fn what_a_job_signed_counts_inside_its_window_only() {
    for (at, code) in
        [(0, None), (900, None), (901, Some("delegation-window")), (-1, Some("release-key-not-yet"))]
    {
        check(Purpose::Release, |case| case.release_at = at, code);
    }
    for (at, code) in
        [(0, None), (900, None), (901, Some("delegation-window")), (-1, Some("certificate-key-not-yet"))]
    {
        check(Purpose::Certificate, |case| case.certificate_at = at, code);
    }
    let lasts =
        |seconds: i64| move |case: &mut Case| case.delegation.expires = case.delegation.issued.plus(seconds);
    check(Purpose::Release, lasts(1), None);
    check(Purpose::Release, lasts(900), None);
    for wrong in [901, 0, -5, i64::MAX] {
        check(Purpose::Release, lasts(wrong), Some("delegation-too-long"));
    }
    // The root may allow less.
    let period = orch_trust::period::Period::parse("PT5M").unwrap();
    check(
        Purpose::Release,
        |case| case.world.root.roles.ci_issuer.as_mut().unwrap().max_lifetime = period,
        Some("delegation-too-long"),
    );
    let ahead = |seconds: i64| {
        move |case: &mut Case| {
            case.delegation.issued = NOW.plus(seconds);
            case.delegation.expires = NOW.plus(seconds + 900);
            case.release_at = DAY + seconds;
        }
    };
    check(Purpose::Release, ahead(301), Some("delegation-not-yet"));
}

#[test]
fn a_job_signs_for_one_manifest_one_purpose_and_its_own_namespace() {
    let both = [Purpose::Release, Purpose::Certificate];
    for purpose in both {
        check(
            purpose,
            |case| case.delegation.subject = Sha256Digest::of(b"x"),
            Some("delegation-other-subject"),
        );
        let other = |repository: &str, workflow: &str| {
            let job = Job { repository: repository.into(), workflow: workflow.into() };
            move |case: &mut Case| case.delegation.job = job
        };
        let Job { repository, workflow } = job();
        check(purpose, other(&repository, "evil.yml"), Some("delegation-job"));
        check(purpose, other("https://git.example/acme-evil", &workflow), Some("delegation-job"));
        check(purpose, other(&repository.to_uppercase(), &workflow), Some("delegation-job"));
    }
    // The entry of this one plugin names no job; that of its namespace, before or after it, does not count.
    for place in [0, 1] {
        let own_entry = |case: &mut Case| {
            let mut exact = case.world.root.namespaces[0].clone();
            (exact.prefix, exact.jobs) = ("acme/note/".into(), vec![]);
            case.world.root.namespaces.insert(place, exact);
        };
        check(Purpose::Release, own_entry, Some("delegation-job"));
    }
    // The other purpose: nobody of that role.
    check(
        Purpose::Release,
        |case| case.delegation.purpose = Purpose::Certificate,
        Some("release-unknown-key"),
    );
    check(
        Purpose::Certificate,
        |case| case.delegation.purpose = Purpose::Release,
        Some("certificate-unknown-key"),
    );
    check(Purpose::Release, |case| case.certificate_signer = EPHEMERAL, Some("certificate-unknown-key"));
    check(Purpose::Release, |case| case.world.root.namespaces[0].jobs.clear(), Some("delegation-job"));
    check(Purpose::Certificate, |case| case.world.root.roles.certifier.jobs.clear(), Some("delegation-job"));
    check(
        Purpose::Release,
        |case| case.world.root.namespaces[0].prefix = "other/".into(),
        Some("delegation-job"),
    );
}

#[test]
fn k8_only_an_issuer_delegates() {
    let unknown = Some("delegation-unknown-issuer");
    for seeds in [[STRANGER], [PUBLISHER], [CERTIFIER], [EPHEMERAL]] {
        check(Purpose::Release, |case| case.issuers = seeds.to_vec(), unknown);
    }
    check(Purpose::Release, |case| case.issuers = vec![ISSUER, STRANGER], unknown);
    check(Purpose::Release, |case| case.world.root.roles.ci_issuer = None, unknown);
    check(
        Purpose::Release,
        |case| {
            let role = case.world.root.roles.ci_issuer.as_mut().unwrap();
            (role.threshold, role.keyids) = (2, vec![id(ISSUER), id(PUBLISHER)]);
        },
        Some("delegation-threshold"),
    );
    // An issuer's key that ended takes what it delegated with it.
    check(
        Purpose::Release,
        |case| case.world.root.keys.get_mut(&id(ISSUER)).unwrap().not_after = Some(NOW.plus(-1)),
        Some("delegation-threshold"),
    );
    // The key of a job cannot lend its word on.
    check(
        Purpose::Release,
        |case| {
            case.delegation.key = key(OTHER).public().to_base64();
            case.file = Some(delegation::file_name(id(OTHER)));
            (case.issuers, case.release_signer) = (vec![EPHEMERAL], OTHER);
        },
        unknown,
    );
    // Without a root there is no issuer.
    let (mut files, rules) = Make::good().build();
    let mut case = Case::good(Purpose::Release);
    case.delegation.subject = Sha256Digest::of(&files["manifest.json"]);
    let bytes = delegation::sign(&case.delegation, &[&key(ISSUER)]).unwrap();
    files.insert(delegation::file_name(id(EPHEMERAL)), bytes.into());
    let package = PackageBytes::new(files).unwrap();
    let refusal = orch_trust::admission::admit(&package, &rules, NOW).unwrap_err();
    assert_eq!(Some(refusal.code()), unknown);
}

#[test]
fn a_delegation_lies_in_the_file_of_its_key_and_is_used() {
    let other = delegation::file_name(id(OTHER));
    check(Purpose::Release, |case| case.file = Some(other), Some("delegation-file-name"));
    check(Purpose::Release, |case| case.release_signer = PUBLISHER, Some("delegation-unused"));
    check(Purpose::Release, |case| case.delegation.key = "AAAA".into(), Some("delegation-key"));
}

#[test]
fn an_issuer_or_a_jobs_key_that_was_taken_back_takes_the_package_with_it() {
    let revoked = |purpose: Purpose, seed: u8, after: i64| {
        let mut case = Case::good(purpose);
        let what = What::Key { keyid: id(seed), invalid_after: case.delegation.issued.plus(after) };
        case.world.revocations.entries = vec![entry(what, Action::BlockLoad)];
        case.code()
    };
    for purpose in [Purpose::Release, Purpose::Certificate] {
        for seed in [ISSUER, EPHEMERAL] {
            assert_eq!(revoked(purpose, seed, 0), Some("revoked-block-load"));
            assert_eq!(revoked(purpose, seed, 1), None);
        }
    }
}

#[test]
fn what_an_issuer_lent_to_one_certifier_takes_nothing_from_another() {
    for (also, code) in [(None, Some("revoked-block-load")), (Some(CERTIFIER), None)] {
        let mut case = Case::good(Purpose::Certificate);
        let what = What::Key { keyid: id(ISSUER), invalid_after: case.delegation.issued };
        case.world.revocations.entries = vec![entry(what, Action::BlockLoad)];
        case.also = also;
        assert_eq!(case.code(), code);
    }
}

#[test]
fn a_key_that_is_lent_later_does_not_count_yet() {
    for (ahead, code) in [(0, None), (1, Some("delegation-not-yet"))] {
        let mut case = Case::good(Purpose::Certificate);
        (case.delegation.issued, case.delegation.expires) = (NOW.plus(ahead), NOW.plus(ahead + 900));
        case.certificate_at = 601;
        assert_eq!(case.code(), code);
    }
}

#[test]
fn a_denied_issuer_or_job_denies_the_package() {
    let denied = |purpose: Purpose, seed: u8| {
        let mut case = Case::good(purpose);
        case.deny = Some(seed);
        case.code()
    };
    for purpose in [Purpose::Release, Purpose::Certificate] {
        for seed in [ISSUER, EPHEMERAL] {
            assert_eq!(denied(purpose, seed), Some("denied-by-policy"));
        }
        assert_eq!(denied(purpose, STRANGER), None);
    }
}

#[test]
fn no_byte_of_a_delegation_can_change() {
    let case = Case::good(Purpose::Release);
    let mut make = Make::good();
    make.publisher = key(EPHEMERAL);
    let (mut files, rules) = make.build();
    let delegation =
        DelegationDocument { subject: Sha256Digest::of(&files["manifest.json"]), ..case.delegation.clone() };
    let name = delegation::file_name(id(EPHEMERAL));
    let bytes = delegation::sign(&delegation, &[&key(ISSUER)]).unwrap();
    files.insert(name.clone(), bytes.clone().into());
    let mut rules = rules;
    rules.anchor = Some(case.world.open().unwrap().0.into());
    let admit =
        |files| orch_trust::admission::admit(&PackageBytes::new(files).unwrap(), &rules, NOW).map(|_| ());
    assert!(admit(files.clone()).is_ok());
    for place in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= 0x01;
        let mut files = files.clone();
        files.insert(name.clone(), changed.into());
        assert!(admit(files).is_err(), "byte {place}");
    }
}

/// An envelope of another purpose by the issuer, and a certificate in a delegation's place.
#[test]
fn s8_nothing_else_is_a_delegation() {
    let (mut files, rules) = Make::good().build();
    let world = Case::good(Purpose::Release).world;
    let name = delegation::file_name(id(EPHEMERAL));
    files.insert(name.clone(), signed(&world.freshness, &[ISSUER]).into());
    let refusal = world.explain_files(files.clone(), rules.clone(), NOW).outcome.unwrap_err().1;
    assert_eq!(refusal.code(), "envelope-type");
    let certificate = files.iter().find(|(name, _)| name.starts_with("cert")).unwrap().1.clone();
    files.insert(name, certificate);
    let refusal = world.explain_files(files, rules, NOW).outcome.unwrap_err().1;
    assert_eq!(refusal.code(), "envelope-type");
}
