//! Whom `verify` and `recheck` trust: a root of any version, or several that follow one another.

use std::path::Path;

use orch_trust::manifest::Role;

use crate::guest::guest;
use crate::package::Package;
use crate::trust_root::{OTHERS, fails, id_of, keys, release, run, succeeds};

/// `root.dsse.json`, version 1 by `a` and `b`; `next.dsse.json`, version 2: root key `a` left, `d` came, and `acme2`
/// publishes in the place of `acme`.
fn two_roots(home: &Path) {
    succeeds(home, &format!("root init --root a.toml --root b.toml --threshold root=2 {OTHERS}"));
    succeeds(home, "root sign root.json --key a.key --out root.dsse.json");
    succeeds(home, "root sign root.dsse.json --key b.key");
    succeeds(home, "root rotate root.dsse.json --out next.json");
    succeeds(home, "keygen --out acme2.key --owner Acme --publisher acme");
    succeeds(home, "root add-key next.json --public d.toml --role root");
    succeeds(home, "root add-key next.json --public acme2.toml --role publisher --prefix acme/");
    for left in ["a", "acme"] {
        succeeds(home, &format!("root revoke next.json {}", id_of(home, left)));
    }
    let sign = "root sign --previous root.dsse.json --key";
    succeeds(home, &format!("{sign} b.key next.json --out next.dsse.json"));
    succeeds(home, &format!("{sign} d.key next.dsse.json"));
    std::fs::copy(home.join("next.dsse.json"), home.join("half.dsse.json")).unwrap();
    assert!(succeeds(home, &format!("{sign} a.key next.dsse.json")).contains("complete; sha256"));
    succeeds(home, "revoke --key r1.key --freshness-key f.key");
}

#[test]
fn a_later_root_counts_alone_and_after_the_ones_before_it() {
    let home = keys();
    let home = home.path();
    two_roots(home);
    let acme = |manifest: &mut serde_json::Value| manifest["id"] = "acme/sample".into();
    let package = Package::new(Role::Executor, &guest(Role::Executor, "", &[]), acme);
    let folder = package.folder().display().to_string();
    let by = |verb: &str, roots: &[&str]| {
        let roots: Vec<String> = roots.iter().map(|root| format!(" --root {root}.dsse.json")).collect();
        format!("{verb} {folder}{}", roots.concat())
    };
    succeeds(home, &format!("run {folder} --key cert.key --quiet"));
    let (old, alone, both) = (&["root"][..], &["next"][..], &["root", "next"][..]);
    for (key, good, bad) in [("acme", &[old][..], &[alone, both][..]), ("acme2", &[alone, both], &[old])] {
        release(&package, &home.join(format!("{key}.key")));
        for roots in good {
            let said = succeeds(home, &by("verify", roots));
            assert!(said.contains("revocation   passed"), "{roots:?}: {said}");
            let said = succeeds(home, &by("recheck", roots));
            assert!(said.contains("would say the same today"), "{roots:?}: {said}");
        }
        for roots in bad {
            fails(home, &by("verify", roots), 3, "release-unknown-key");
            fails(home, &by("recheck", roots), 3, "release-unknown-key");
        }
    }
    for verb in ["verify", "recheck"] {
        // The wrong way round: of its signers only one is a root key of version 2.
        fails(home, &by(verb, &["next", "root"]), 2, "root-not-by-current");
        fails(home, &by(verb, &["root", "root"]), 2, "root-version");
        std::fs::write(home.join("none.dsse.json"), "{}").unwrap();
        let (exit, _, said) = run(home, &by(verb, &["none"]));
        assert!(exit == 2 && said.contains("none.dsse.json"), "a file by its own name: {said}");
        let (exit, _, said) = run(home, &format!("{verb} {folder}"));
        assert!(exit == 2 && said.contains("--root"), "{said}");
        // Enough of its own keys signed it, and too few of the version before.
        fails(home, &by(verb, &["root", "half"]), 2, "root-not-by-current");
        succeeds(home, &by(verb, &["half"]));
        assert_eq!(run(home, &format!("{} --trust cert.toml", by(verb, old))).0, 2);
        assert_eq!(
            run(home, &format!("{verb} {folder} --trust cert.toml --freshness freshness.dsse.json")).0,
            2
        );
    }
    // Lists lie beside the last root, unless they are named.
    std::fs::create_dir(home.join("later")).unwrap();
    std::fs::copy(home.join("next.dsse.json"), home.join("later/next.dsse.json")).unwrap();
    let apart = by("recheck", &["root", "later/next"]);
    fails(home, &apart, 2, "document-io");
    let named = "--freshness freshness.dsse.json --revocations revocations.dsse.json";
    succeeds(home, &format!("{apart} {named}"));
    // What was taken back is refused, though a certificate of today would say the same.
    let taken = "--certifier orch-certify --versions * --action recertify --reason unsound";
    succeeds(home, &format!("revoke --key r1.key --freshness-key f.key {taken}"));
    for verb in ["verify", "recheck"] {
        fails(home, &by(verb, alone), 3, "revoked-recertify");
    }
    let (_, said, _) = run(home, &by("recheck", alone));
    assert!(said.contains("would say the same today"), "{said}");
}
