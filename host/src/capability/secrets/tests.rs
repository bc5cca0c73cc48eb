//! Words, and every way in which what they stand for could get out.

use std::sync::Mutex;

use bytes::Bytes;
use orch_trust::permission::SecretUse;
use wasmtime::component::ResourceTable;

use super::backend::{SecretReader, SecretUnread};
use super::fake::FakeSecrets;
use super::value::{SecretEncoding, VALUE_BYTES_MAX};
use super::*;
use crate::capability::Ledger;
use crate::capability::bench::Bench;
use crate::capability::mood::{Mood, lock};

const VALUE: &str = "t0ken+/of \"one\"";

/// Secrets that a test may change.
#[derive(Default)]
struct Held(Mutex<Vec<(String, Arc<SecretValue>)>>);

impl Held {
    fn of(values: &[(&str, &[u8])]) -> Arc<Self> {
        let held = Self::default();
        values.iter().for_each(|(name, value)| held.set(name, value));
        Arc::new(held)
    }

    fn set(&self, name: &str, value: &[u8]) {
        // Any bytes, as a decoded one has.
        let coded = STANDARD.encode(value);
        let value = SecretValue::parse(coded.as_bytes(), SecretEncoding::Base64).ok().unwrap();
        let mut values = lock(&self.0);
        values.retain(|(other, _)| other != name);
        values.push((name.to_owned(), Arc::new(value)));
    }
}

impl SecretReader for Held {
    fn read(&self, name: &str) -> Result<Arc<SecretValue>, SecretUnread> {
        let unread = || SecretUnread { name: name.to_owned(), why: format!("has no source but {VALUE}") };
        self.known(name).ok_or_else(unread)
    }

    fn known(&self, name: &str) -> Option<Arc<SecretValue>> {
        lock(&self.0).iter().find(|(other, _)| other == name).map(|(_, value)| value.clone())
    }
}

struct Open {
    secrets: Secrets,
    table: ResourceTable,
    ledger: Ledger,
}

impl Open {
    fn with(reader: Arc<dyn SecretReader>, uses: &[(&str, &str)]) -> Self {
        let one =
            |(name, host): &(&str, &str)| SecretUse { name: (*name).to_owned(), host: (*host).to_owned() };
        let granted = Arc::new(SecretsPermission { uses: uses.iter().map(one).collect() });
        let placeholders = Placeholders::new(granted.clone(), reader, false);
        let secrets = Secrets { granted, placeholders };
        Self { secrets, table: ResourceTable::new(), ledger: Bench::new().ledger() }
    }

    fn new() -> Self {
        Self::with(Held::of(&[("one", VALUE.as_bytes())]), &[("one", "api.example.com:443")])
    }

    fn view(&mut self) -> View<'_, Secrets> {
        View::of(&mut self.secrets, &mut self.table, &mut self.ledger)
    }

    async fn word(&mut self, name: &str) -> String {
        View::placeholder(&mut self.view(), name).await.unwrap()
    }

    fn fill(&self, header_value: &str, to: &Destination) -> String {
        let filled = self.secrets.placeholders.fill(header_value.as_bytes(), to);
        String::from_utf8(filled).unwrap()
    }

    fn masked(&self, whole: &[u8]) -> String {
        String::from_utf8_lossy(&self.secrets.placeholders.masked(whole)).into_owned()
    }
}

fn tls(host: &str, port: u16) -> Destination {
    Destination { tls: true, host: host.to_owned(), port, loopback_by_rule: false }
}

#[tokio::test]
async fn a_word_is_random_and_says_nothing() {
    let mut open = Open::new();
    let (one, other) = (open.word("one").await, open.word("one").await);
    assert_ne!(one, other);
    for word in [&one, &other] {
        let random = word.strip_prefix("orch-secret-").unwrap();
        assert!(random.len() == 32 && random.bytes().all(|byte| byte.is_ascii_hexdigit()), "{word}");
    }
    let basic = View::basic(&mut open.view(), "me", "one").await.unwrap();
    let mac = View::hmac_sha256(&mut open.view(), "one", b"hi", Encoding::Hex).await.unwrap();
    assert_eq!([basic.len(), mac.len()], [one.len(); 2], "not even of how long it is");
}

#[tokio::test]
async fn words_are_filled_in_for_their_host() {
    let mut open = Open::new();
    let (word, host) = (open.word("one").await, tls("api.example.com", 443));
    assert_eq!(open.fill(&format!("Bearer {word}"), &host), format!("Bearer {VALUE}"));
    assert_eq!(open.fill(&format!("{word},{word}x"), &host), format!("{VALUE},{VALUE}x"));
    assert_eq!(open.fill(&word, &tls("API.example.com", 443)), VALUE);
    let basic = View::basic(&mut open.view(), "me", "one").await.unwrap();
    let expected = STANDARD.encode(format!("me:{VALUE}"));
    assert_eq!(open.fill(&format!("Basic {basic}"), &host), format!("Basic {expected}"));
}

#[tokio::test]
async fn a_mac_is_that_of_the_rfc() {
    // RFC 4231, test case 2, with its key made long enough by the zeros that HMAC itself puts behind it.
    let reader = Held::of(&[("key", b"Jefe\0\0")]);
    let mut open = Open::with(reader, &[("key", "hooks.example:443")]);
    let message = b"what do ya want for nothing?";
    let host = tls("hooks.example", 443);
    let hex = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    let word = View::hmac_sha256(&mut open.view(), "key", message, Encoding::Hex).await.unwrap();
    assert_eq!(open.fill(&format!("sha256={word}"), &host), format!("sha256={hex}"));
    let word = View::hmac_sha256(&mut open.view(), "key", message, Encoding::Base64).await.unwrap();
    assert_eq!(open.fill(&word, &host), STANDARD.encode(hex::decode(hex).unwrap()));
    // Neither key nor MAC comes back, in any form.
    for form in [
        hex.to_owned(),
        hex.to_uppercase(),
        STANDARD.encode(hex::decode(hex).unwrap()),
        "Jefe\0\0".to_owned(),
    ] {
        assert_eq!(open.masked(form.as_bytes()), "***", "{form}");
    }
}

// From here on: ways to get a value out.

#[tokio::test]
async fn another_host_port_or_an_open_connection_gets_the_word() {
    let mut open = Open::new();
    let word = open.word("one").await;
    for (host, port) in [
        ("api.example.com", 8443),
        ("example.com", 443),
        ("evil.example.com", 443),
        ("api.example.com.", 443),
        ("api.example.com:443", 443),
        ("api.example.com:443@evil.org", 443),
        ("api.example.com\0.evil.org", 443),
        ("", 443),
    ] {
        assert_eq!(open.fill(&word, &tls(host, port)), word, "{host}:{port}");
    }
    let plain = Destination { tls: false, ..tls("api.example.com", 443) };
    assert_eq!(open.fill(&word, &plain), word);
}

#[tokio::test]
async fn a_loopback_address_that_a_rule_names_needs_no_tls() {
    let reader = Held::of(&[("one", VALUE.as_bytes())]);
    let mut open = Open::with(reader, &[("one", "127.0.0.1:8080"), ("one", "[::1]:8080")]);
    let word = open.word("one").await;
    let local =
        |host: &str, loopback_by_rule| Destination { tls: false, loopback_by_rule, ..tls(host, 8080) };
    for host in ["127.0.0.1", "::1", "[::1]"] {
        assert_eq!(open.fill(&word, &local(host, true)), VALUE, "{host}");
        assert_eq!(open.fill(&word, &local(host, false)), word, "{host}");
    }
    assert_eq!(open.fill(&word, &local("127.0.0.2", true)), word);
}

#[tokio::test]
async fn each_secret_goes_to_its_own_host() {
    let reader = Held::of(&[("one", b"value-of-one"), ("two", b"value-of-two")]);
    let mut open = Open::with(reader, &[("one", "one.example:443"), ("two", "two.example:443")]);
    let both = format!("{} {}", open.word("one").await, open.word("two").await);
    let (one, two) = (open.fill(&both, &tls("one.example", 443)), open.fill(&both, &tls("two.example", 443)));
    assert!(one.starts_with("value-of-one orch-secret-") && !one.contains("value-of-two"), "{one}");
    assert!(two.ends_with(" value-of-two") && !two.contains("value-of-one"), "{two}");
}

#[tokio::test]
async fn a_word_of_another_call_or_one_that_was_guessed_is_none() {
    let (mut open, mut other) = (Open::new(), Open::new());
    let (own, word) = (open.word("one").await, other.word("one").await);
    let host = tls("api.example.com", 443);
    for none in [
        word.clone(),
        own.to_uppercase(),
        own[..own.len() - 1].to_owned(),
        format!("orch-secret-{}", "0".repeat(32)),
        "orch-secret-one".to_owned(),
        "orch-secret-".to_owned(),
        format!("{}{}", &own[..12], word.strip_prefix("orch-secret-").unwrap()),
    ] {
        assert_eq!(open.fill(&none, &host), none);
    }
}

#[tokio::test]
async fn a_value_that_looks_like_a_word_is_not_filled_in_again() {
    let reader = Held::of(&[("one", VALUE.as_bytes())]);
    let mut open = Open::with(reader.clone(), &[("one", "a.example:443"), ("two", "a.example:443")]);
    let one = open.word("one").await;
    reader.set("two", one.as_bytes());
    let two = open.word("two").await;
    assert_eq!(open.fill(&two, &tls("a.example", 443)), one);
}

#[tokio::test]
async fn a_decoded_key_with_a_line_end_does_not_make_another_header() {
    let reader = Held::of(&[("key", b"a\r\nhost: evil.org\r\n")]);
    let mut open = Open::with(reader, &[("key", "a.example:443")]);
    assert!(matches!(View::placeholder(&mut open.view(), "key").await, Err(Error::Unavailable)));
    assert!(matches!(View::basic(&mut open.view(), "me", "key").await, Err(Error::Unavailable)));
    View::hmac_sha256(&mut open.view(), "key", b"", Encoding::Hex).await.unwrap();
}

#[tokio::test]
async fn a_peer_that_sends_back_what_it_got_gives_the_guest_nothing() {
    let mut open = Open::new();
    let _ = open.word("one").await;
    let _ = View::basic(&mut open.view(), "me", "one").await.unwrap();
    let basic = STANDARD.encode(format!("me:{VALUE}"));
    let json = serde_json::json!({ "authorization": format!("Bearer {VALUE}") }).to_string();
    for (answer, expected) in [
        (VALUE.to_owned(), "***".to_owned()),
        (format!("Bearer {VALUE}"), "Bearer ***".to_owned()),
        (format!("Basic {basic}"), "Basic ***".to_owned()),
        (json, "{\"authorization\":\"Bearer ***\"}".to_owned()),
        (hex::encode(VALUE), "***".to_owned()),
        ("/?t=t0ken%2B%2Fof%20%22one%22&x".to_owned(), "/?t=***&x".to_owned()),
        ("t=t0ken%2B%2Fof+%22one%22".to_owned(), "t=***".to_owned()),
        (
            "/?next=%2F%3Ft%3Dt0ken%252B%252Fof%2520%2522one%2522".to_owned(),
            "/?next=%2F%3Ft%3D***".to_owned(),
        ),
        (format!("{} {}", VALUE.to_uppercase(), VALUE.to_lowercase()), "*** ***".to_owned()),
        ("<p>t0ken+/of &quot;one&quot; &#34;".to_owned(), "<p>*** &#34;".to_owned()),
        (serde_json::json!([VALUE]).to_string(), "[\"***\"]".to_owned()),
        (
            serde_json::json!([serde_json::json!([VALUE]).to_string()]).to_string(),
            "[\"[\\\"***\\\"]\"]".to_owned(),
        ),
    ] {
        assert_eq!(open.masked(answer.as_bytes()), expected);
    }
    let mut mask = open.secrets.placeholders.mask();
    let mut streamed = Vec::new();
    for byte in format!("data: {VALUE}\n\n").bytes() {
        streamed.extend(mask.push(Bytes::copy_from_slice(&[byte])));
    }
    streamed.extend(mask.end());
    assert_eq!(streamed, b"data: ***\n\n");
}

#[tokio::test]
async fn an_answer_that_is_open_when_a_word_is_drawn_is_masked_from_then_on() {
    let reader = Held::of(&[("one", b"value-of-one")]);
    let mut open = Open::with(reader.clone(), &[("one", "a.example:443"), ("two", "a.example:443")]);
    let mut early = open.secrets.placeholders.mask();
    let long = format!("value-of-two{}", " ".repeat(100));
    let passed = early.push(Bytes::from(long)).to_vec();
    assert!(passed.starts_with(b"value-of-two "), "nobody has read it");
    reader.set("two", b"value-of-two");
    let _ = open.word("two").await;
    let mut rest = early.push(Bytes::from_static(b"value-of-two")).to_vec();
    rest.extend(early.end());
    assert_eq!(rest.trim_ascii_start(), b"***");
}

#[tokio::test]
async fn what_a_peer_kept_from_another_call_is_masked_too() {
    let open = Open::new();
    assert_eq!(open.masked(VALUE.as_bytes()), "***", "without a word in this call");
    let ungranted = Open::with(Held::of(&[("one", VALUE.as_bytes())]), &[]);
    assert_eq!(ungranted.masked(VALUE.as_bytes()), VALUE, "who has no secret has nothing to hide");
}

#[tokio::test]
async fn a_value_that_changed_is_masked_as_long_as_a_word_stands_for_it() {
    let reader = Held::of(&[("one", b"value-of-old")]);
    let mut open = Open::with(reader.clone(), &[("one", "a.example:443")]);
    let word = open.word("one").await;
    reader.set("one", b"value-of-new");
    assert_eq!(open.fill(&word, &tls("a.example", 443)), "value-of-old");
    assert_eq!(open.masked(b"value-of-old value-of-new"), "*** ***");
}

#[tokio::test]
async fn no_answer_tells_the_guest_of_a_value_or_of_its_source() {
    let reader = Held::of(&[("one", VALUE.as_bytes())]);
    let mut open = Open::with(reader, &[("one", "a.example:443"), ("gone", "a.example:443")]);
    for name in ["two", "one ", "ONE", "", "*", "../one", "one\0"] {
        let error = View::placeholder(&mut open.view(), name).await.unwrap_err();
        assert!(matches!(&error, Error::Denied(what) if !what.contains(VALUE)), "{name}: {error:?}");
    }
    assert!(matches!(View::placeholder(&mut open.view(), "gone").await, Err(Error::Unavailable)));
    assert_eq!(open.ledger.notes.warned[0].0, "secret-unavailable");
    assert!(open.ledger.notes.warned[0].1.starts_with("secret `gone` has no source"));
    let denied = open.ledger.into_parts().0;
    assert_eq!(denied.len(), 7, "{denied:?}");
}

#[tokio::test]
async fn words_users_and_messages_have_limits() {
    let mut open = Open::new();
    for user in ["a:b", "a\nb", "a\u{85}", &"x".repeat(USER_BYTES_MAX + 1)] {
        assert!(matches!(View::basic(&mut open.view(), user, "one").await, Err(Error::Invalid(_))), "{user}");
    }
    View::basic(&mut open.view(), &"x".repeat(USER_BYTES_MAX), "one").await.unwrap();
    View::basic(&mut open.view(), "", "one").await.unwrap();
    let long = vec![0; MESSAGE_BYTES_MAX + 1];
    let mac = View::hmac_sha256(&mut open.view(), "one", &long, Encoding::Hex).await;
    assert!(matches!(mac, Err(Error::Invalid(_))));
    View::hmac_sha256(&mut open.view(), "one", &long[1..], Encoding::Hex).await.unwrap();
    for _ in 3..placeholders::WORDS_MAX {
        open.word("one").await;
    }
    let one_more = View::placeholder(&mut open.view(), "one").await;
    assert!(matches!(one_more, Err(Error::Limit(what)) if what == "secrets.words"));
}

#[tokio::test]
async fn a_trial_has_fakes_and_the_same_words_each_time() {
    let fake = Arc::new(FakeSecrets::default());
    let granted = Arc::new(SecretsPermission {
        uses: vec![SecretUse { name: "one".to_owned(), host: "a.example:443".to_owned() }],
    });
    let words = || {
        let placeholders = Placeholders::new(granted.clone(), fake.clone(), true);
        let value = fake.read("one").ok().unwrap();
        let draw = || placeholders.draw("one", value.clone(), Zeroizing::default(), Zeroizing::default());
        (draw().unwrap(), draw().unwrap())
    };
    assert_eq!(words(), words());
    assert_ne!(words().0, words().1);
    for mood in Mood::ALL {
        let read = FakeSecrets::new(mood).read("one").map(|value| value.bytes().len());
        match mood {
            Mood::Huge => assert_eq!(read.ok(), Some(VALUE_BYTES_MAX)),
            Mood::Empty | Mood::Unavailable | Mood::Missing => assert!(read.is_err(), "{mood:?}"),
            _ => assert_eq!(read.ok(), Some("fake-value-of-one".len()), "{mood:?}"),
        }
    }
}
