//! Texts that name something: ids, digests, times, keys, base64.

use orch_trust::digest::Sha256Digest;
use orch_trust::key::{KeyId, PublicKey, SecretKey, base64_decode, base64_encode};
use orch_trust::name::PluginId;
use orch_trust::time::UnixSeconds;

/// Each thing has one text: what is taken is shown as exactly that text.
pub(crate) fn names(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let mut taken = false;
    if let Ok(id) = PluginId::parse(text) {
        assert_eq!(format!("{}/{}", id.namespace(), id.name()), text);
        assert!(text.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase()));
        taken = true;
    }
    if let Ok(digest) = Sha256Digest::parse(text) {
        assert_eq!(digest.to_string(), text);
        assert_eq!(KeyId::parse(text).map(|key| key.to_string()).as_deref(), Some(text));
        taken = true;
    }
    if let Ok(time) = UnixSeconds::parse(text) {
        assert_eq!(time.to_string(), text);
        assert!(UnixSeconds::parse(&time.plus(1).to_string()).is_ok_and(|next| next >= time), "{time}");
        taken = true;
    }
    if let Ok(bytes) = base64_decode(text) {
        assert_eq!(base64_encode(&bytes), text);
        if let Ok(key) = PublicKey::from_base64(text) {
            assert_eq!(key.to_base64(), text);
            assert!(key.verify(b"message", &[0; 64]).is_err(), "nobody signed anything");
        }
        taken = true;
    }
    taken
}

pub(crate) fn valid() -> Vec<(&'static str, Vec<u8>)> {
    let key = SecretKey::from_seed(&[1; 32]).public();
    vec![
        ("valid-id", b"acme/summarise-2".to_vec()),
        ("valid-digest", key.id().to_string().into_bytes()),
        ("valid-time", b"2026-11-20T10:00:00Z".to_vec()),
        ("valid-last-time", UnixSeconds(i64::MAX).to_string().into_bytes()),
        ("valid-key", key.to_base64().into_bytes()),
    ]
}
