//! Files of the operator's folder and the lock of a workspace.

use orch_trust::approval::Approval;
use orch_trust::authority::{Certifier, Publisher};
use orch_trust::denial::{Denial, Denials, Denied};
use orch_trust::digest::Sha256Digest;
use orch_trust::key::SecretKey;
use orch_trust::lock::Lock;
use orch_trust::name::PluginId;
use orch_trust::permission::Side;
use orch_trust::policy::{Deny, Policy, entry_for};

use crate::package::{NOW, good};
use crate::permission::EVERYTHING;

/// What a policy allows is well formed and names its programs; the entry for it allows exactly it.
pub(crate) fn policy(bytes: &[u8]) -> bool {
    let Some(policy) = text(bytes).and_then(|text| Policy::parse(text).ok()) else { return false };
    let unnamed = PluginId::parse("nobody/here").unwrap();
    for id in policy.plugins.keys().chain([&unnamed, &good().manifest.id]) {
        let (allowed, _) = policy.allowed(id);
        allowed.check_form(Side::Allowing).expect("what is allowed is well formed");
        assert!(allowed.process.iter().all(|process| !process.programs.contains(&"*".to_owned())));
        let entry = Policy::parse(&entry_for(id, allowed)).expect("our own entry is read");
        assert_eq!(entry.allowed(id).0, allowed);
    }
    true
}

/// A publisher or certifier is read as it was written, and owns no more than before.
pub(crate) fn authority(bytes: &[u8]) -> bool {
    let Some(text) = text(bytes) else { return false };
    let mut taken = false;
    if let Ok(publisher) = Publisher::parse(text) {
        let again = Publisher::parse(&publisher.render()).expect("our own text is read");
        assert_eq!((again.key, &again.namespaces), (publisher.key, &publisher.namespaces));
        assert_eq!(
            (&again.max_permissions, again.not_after),
            (&publisher.max_permissions, publisher.not_after)
        );
        for id in ["acme/x", "acme-evil/x", "local/x"].map(|id| PluginId::parse(id).unwrap()) {
            let named = publisher.namespaces.iter().any(|name| *name == format!("{}/", id.namespace()));
            assert_eq!(publisher.owns(&id), named);
        }
        taken = true;
    }
    if let Ok(certifier) = Certifier::parse(text) {
        let again = Certifier::parse(&certifier.render()).expect("our own text is read");
        assert_eq!(
            (again.key, again.profile, again.not_after),
            (certifier.key, certifier.profile, certifier.not_after)
        );
        taken = true;
    }
    if let Ok(publisher) = Publisher::of_signing_key(text) {
        assert_eq!(publisher.namespaces, ["local/"]);
        taken = true;
    }
    taken
}

/// An approval is read as it was written.
pub(crate) fn approval(bytes: &[u8]) -> bool {
    let Ok(approval) = Approval::parse(bytes) else { return false };
    assert_eq!(Approval::parse(approval.render().as_bytes()).expect("our own text is read"), approval);
    true
}

/// A lock is read as it was written; it lets nothing through that it does not name, but what it does not know.
pub(crate) fn lock(bytes: &[u8]) -> bool {
    let Some(lock) = text(bytes).and_then(|text| Lock::parse(text).ok()) else { return false };
    assert_eq!(Lock::parse(&lock.render()).expect("our own text is read"), lock);
    let (manifest, package) = (&good().manifest, &good().package);
    let mut own = Lock::default();
    own.pin(manifest, package);
    let (pin, ours) = (lock.plugins.get(&manifest.id), own.plugins.get(&manifest.id));
    assert_eq!(lock.check(manifest, package).is_ok(), pin.is_none() || pin == ours);
    true
}

/// What is denied is read as it was written, and joins a policy one for one; what is taken back is not denied.
pub(crate) fn denied(bytes: &[u8]) -> bool {
    let Some(denials) = text(bytes).and_then(|text| Denials::parse(text).ok()) else { return false };
    assert_eq!(Denials::parse(&denials.render()).expect("our own text is read"), denials);
    let mut deny = Deny::default();
    denials.join(&mut deny);
    assert_eq!(deny.ids.len() + deny.digests.len() + deny.keys.len(), denials.denied.len());
    let mut fewer = denials.clone();
    for one in &denials.denied {
        assert!(one.reason.chars().count() <= 200);
        assert!(!fewer.add(one.clone()), "it is denied already");
        fewer.remove(&one.what);
        assert!(fewer.add(one.clone()) && fewer.remove(&one.what));
    }
    assert_eq!(fewer, Denials::default());
    true
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

pub(crate) fn valid_policy() -> Vec<(&'static str, Vec<u8>)> {
    let everything = entry_for(&good().manifest.id, &serde_json::from_str(EVERYTHING).unwrap());
    let digest = good().publisher.public().id();
    let text = format!(
        "packages = [\"packages\"]\nminimum_level = \"certified\"\n[default.allow]\nlog = {{}}\n\
         [namespaces.demo.allow]\nfiles = {{ read = [\"**\"] }}\n{everything}[deny]\ndigests = [\"{digest}\"]\n\
         keys = [\"{digest}\"]\nids = [\"demo/x\"]\n[tasks]\nauto = [{{ plugin = \"demo/x\", kind = \"shell\" }}]\n"
    );
    vec![("valid", text.into_bytes())]
}

pub(crate) fn valid_authority() -> Vec<(&'static str, Vec<u8>)> {
    let key = SecretKey::from_seed(&[3; 32]).public().to_base64();
    let everything = entry_for(&good().manifest.id, &serde_json::from_str(EVERYTHING).unwrap());
    let (_, maximum) = everything.split_once('\n').unwrap();
    let publisher = format!(
        "key = \"{key}\"\nowner = \"acme\"\nnamespaces = [\"acme/\", \"local/\"]\nnot_after = \"{NOW}\"\n\
         [max_permissions]\n{maximum}"
    );
    let certifier = format!("key = \"{key}\"\nowner = \"me\"\nprofile = \"local\"\nnot_after = \"{NOW}\"\n");
    vec![
        ("valid-publisher", publisher.into_bytes()),
        ("valid-certifier", certifier.into_bytes()),
        ("valid-signing-key", format!("{key}\n").into_bytes()),
    ]
}

pub(crate) fn valid_approval() -> Vec<(&'static str, Vec<u8>)> {
    vec![("valid", good().rules.approvals[&good().manifest.id].render().into_bytes())]
}

pub(crate) fn valid_lock() -> Vec<(&'static str, Vec<u8>)> {
    let mut lock = Lock::default();
    lock.pin(&good().manifest, &good().package);
    vec![("valid", lock.render().into_bytes())]
}

pub(crate) fn valid_denied() -> Vec<(&'static str, Vec<u8>)> {
    let digest = Sha256Digest::of(b"x");
    let all = [Denied::Id(good().manifest.id.clone()), Denied::Sha256(digest), Denied::Key(digest)];
    let one = |what| Denial { what, reason: "it \"deletes\"\nfiles".to_owned(), at: NOW };
    let denials = Denials { denied: all.map(one).into() };
    vec![
        ("valid", denials.render().into_bytes()),
        ("valid-nothing", Denials::default().render().into_bytes()),
    ]
}
