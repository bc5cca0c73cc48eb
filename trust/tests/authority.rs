//! Files of publishers and certifiers: every field counts, and what is written is what is read.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use orch_trust::authority::{AuthorityError, Certifier, Level, Publisher};
use orch_trust::key::SecretKey;
use orch_trust::time::UnixSeconds;

fn key() -> String {
    SecretKey::from_seed(&[7; 32]).public().to_base64()
}

#[test]
fn a_publishers_file_bounds_what_its_key_may() {
    let text = format!(
        "key = \"{}\"\nowner = \"acme\"\nnamespaces = [\"acme/\", \"tools/\"]\nnot_after = \"2027-01-15T08:00:00Z\"\n\
         [max_permissions.log]\n",
        key()
    );
    let publisher = Publisher::parse(&text).unwrap();
    assert_eq!((publisher.owner.as_str(), publisher.namespaces.len()), ("acme", 2));
    assert_eq!(publisher.key.to_base64(), key());
    assert_eq!(publisher.not_after, UnixSeconds::parse("2027-01-15T08:00:00Z").ok());
    let maximum = publisher.max_permissions.clone().unwrap();
    assert!(maximum.lines().iter().any(|line| line.starts_with("log")), "{:?}", maximum.lines());
    assert_eq!(Publisher::parse(&publisher.render()).unwrap(), publisher);
    // Without them nothing is bounded.
    let plain = format!("key = \"{}\"\nowner = \"acme\"\nnamespaces = [\"acme/\"]\n", key());
    let plain = Publisher::parse(&plain).unwrap();
    assert_eq!((plain.not_after, plain.max_permissions.clone()), (None, None));
    assert_eq!(Publisher::parse(&plain.render()).unwrap(), plain);
}

#[test]
fn a_certifiers_file_says_up_to_which_level_and_until_when() {
    for (level, word) in [(Level::Local, "local"), (Level::Certified, "certified")] {
        assert_eq!(level.as_str(), word);
        let text = format!(
            "key = \"{}\"\nowner = \"lab\"\nprofile = \"{word}\"\nnot_after = \"2027-01-15T08:00:00Z\"\n",
            key()
        );
        let certifier = Certifier::parse(&text).unwrap();
        assert_eq!((certifier.owner.as_str(), certifier.profile), ("lab", level));
        assert_eq!(certifier.not_after, UnixSeconds::parse("2027-01-15T08:00:00Z").ok());
        assert_eq!(Certifier::parse(&certifier.render()).unwrap(), certifier);
    }
    let open = format!("key = \"{}\"\nowner = \"lab\"\nprofile = \"local\"\n", key());
    assert_eq!(Certifier::parse(&open).unwrap().not_after, None);
}

#[test]
fn what_is_no_such_file_is_refused() {
    let publisher = |namespaces: &str, more: &str| {
        Publisher::parse(&format!("key = \"{}\"\nowner = \"a\"\nnamespaces = [{namespaces}]\n{more}", key()))
    };
    publisher("\"acme/\"", "").unwrap();
    for wrong in ["\"acme\"", "\"/\"", "\"\"", "\"Acme/\"", "\"acme//\"", "\"../\""] {
        assert!(matches!(publisher(wrong, ""), Err(AuthorityError::Namespace { .. })), "{wrong}");
    }
    for wrong in ["more = 1", "not_after = 5", "profile = \"local\""] {
        assert!(matches!(publisher("\"acme/\"", wrong), Err(AuthorityError::Malformed { .. })), "{wrong}");
    }
    let certifier = |level: &str| {
        Certifier::parse(&format!("key = \"{}\"\nowner = \"a\"\nprofile = \"{level}\"\n", key()))
    };
    assert!(matches!(certifier("gold"), Err(AuthorityError::Malformed { .. })));
    let short = "key = \"AAAA\"\nowner = \"a\"\n";
    assert!(matches!(
        Certifier::parse(&format!("{short}profile = \"local\"\n")),
        Err(AuthorityError::Key(_))
    ));
    assert!(matches!(
        Publisher::parse(&format!("{short}namespaces = [\"acme/\"]\n")),
        Err(AuthorityError::Key(_))
    ));
}
