//! The guide is whole: every required check, every code of a finding, and the book's table.

use std::collections::BTreeSet;
use std::path::Path;

use orch_trust::refusal::Refusal;

use super::*;

fn required() -> BTreeSet<String> {
    let levels = [Level::Local, Level::Certified].into_iter();
    levels.flat_map(|level| required_checks(level, &Role::ALL)).map(|required| required.id).collect()
}

#[test]
fn every_required_check_is_explained_and_nothing_else() {
    for id in required() {
        assert!(check(&id).is_some(), "`{id}` is not in the guide");
    }
    let mut seen = BTreeSet::new();
    for guide in all() {
        assert!(seen.insert(guide.id), "`{}` is there twice", guide.id);
        assert!(required().iter().any(|id| check(id) == Some(guide)), "nothing requires `{}`", guide.id);
        assert!(FILES.contains(&guide.file), "{}", guide.id);
        for words in [guide.looks_at, guide.why, guide.helps] {
            assert!(
                words.len() > 20 && !words.contains('|') && !words.ends_with('.'),
                "{}: {words}",
                guide.id
            );
        }
    }
    assert_eq!(level(check("manifest").unwrap()), Level::Local);
    assert_eq!(level(check("conformance/service").unwrap()), Level::Local);
    assert_eq!(level(check("vulnerabilities").unwrap()), Level::Certified);
}

/// True of a text that can be a code.
fn is_code(word: &str) -> bool {
    word.contains('-') && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

/// Every code that a `fn code` in these sources gives.
fn codes_given(text: &str, found: &mut BTreeSet<String>) {
    for body in text.split("fn code(&self)").skip(1) {
        let body = body.split("\n    }\n").next().unwrap();
        // What a match looks at is no code.
        let given = body.split("=> ").skip(1).filter_map(|arm| arm.strip_prefix('"')?.split('"').next());
        found.extend(given.filter(|word| is_code(word)).map(str::to_owned));
    }
}

/// Every text in these sources of the form `"some-code: `, and every code that a fault in a finding has.
fn codes_in(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !["commands", "guide", "report"].contains(&name.as_str()) {
                codes_in(&path, found);
            }
        } else if name != "tests.rs" {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("mod tests {").next().unwrap();
            for piece in code.split('"').skip(1) {
                let Some((word, _)) = piece.split_once(": ") else { continue };
                if is_code(word) {
                    found.insert(word.to_owned());
                }
            }
            // Those of these are faults of commands, and in no finding.
            if !["error.rs", "document.rs", "entry.rs"].contains(&name.as_str()) {
                codes_given(code, found);
            }
        }
    }
}

#[test]
fn every_code_of_a_finding_is_explained() {
    let mut found = BTreeSet::new();
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    codes_in(&own.join("src"), &mut found);
    // What the engine says of a component or a call is a finding, too.
    for name in ["call_error.rs", "compile.rs"] {
        let engine = std::fs::read_to_string(own.join("../host/src/engine").join(name)).unwrap();
        codes_given(&engine, &mut found);
    }
    for word in ["import-shape", "child-timeout", "list-bomb", "plugin-trap", "limit-fuel", "advisory-db-io"]
    {
        assert!(found.contains(word), "`{word}` is not in {found:?}");
    }
    for word in &found {
        let known = code(word).is_some()
            || code_of_every_check(word).is_some()
            || Refusal::CODES.contains(&word.as_str());
        assert!(known, "`{word}` is not in the guide");
    }
    let mut seen = BTreeSet::new();
    for (word, means) in all().flat_map(|guide| guide.codes).chain(OF_EVERY_CHECK) {
        assert!(seen.insert(word), "`{word}` is there twice");
        assert!(means.len() > 15, "{word}");
    }
}

/// Every code that these sources give to a fault, by `fn code` or in its place.
fn faults_in(path: &Path, found: &mut BTreeSet<String>) {
    if path.is_dir() {
        std::fs::read_dir(path).unwrap().for_each(|entry| faults_in(&entry.unwrap().path(), found));
    } else if path.file_name().is_some_and(|name| name != "tests.rs") {
        let text = std::fs::read_to_string(path).unwrap();
        let code = text.split("mod tests {").next().unwrap();
        codes_given(code, found);
        for rest in code.split("Fault::new(").skip(1) {
            let given =
                rest.split(',').nth(1).and_then(|word| word.trim().strip_prefix('"')?.strip_suffix('"'));
            found.extend(given.map(str::to_owned));
        }
    }
}

#[test]
fn every_code_of_a_fault_is_explained() {
    let mut found = BTreeSet::new();
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    for place in [
        "src",
        "../signer/src",
        "../host/src/config/operator",
        "../host/src/package.rs",
        "../host/src/machine.rs",
    ] {
        faults_in(&own.join(place), &mut found);
    }
    for word in ["document-edit", "revoke-key", "namespace", "token-pin-wrong", "trust-state-missing"] {
        assert!(found.contains(word), "`{word}` is not in {found:?}");
    }
    for word in &found {
        assert!(explain(word).is_some(), "`{word}` is not explained");
    }
    let mut seen = BTreeSet::new();
    for (word, means) in FAULTS.iter().flat_map(|faults| faults.codes) {
        assert!(seen.insert(word), "`{word}` is there twice");
        assert!(found.contains(*word), "nothing says `{word}`");
        assert!(means.len() > 15 && !means.ends_with('.'), "{word}");
        assert!(!Refusal::CODES.contains(word) && code(word).is_none(), "`{word}` is explained elsewhere");
    }
}

#[test]
fn the_books_table_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/certifying.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (begin, end) =
        ("<!-- checks: made from certify/src/guide.rs, BLESS=1 writes it -->\n", "<!-- end -->");
    let (head, rest) = text.split_once(begin).unwrap();
    let (table, tail) = rest.split_once(end).unwrap();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, format!("{head}{begin}{}{end}{tail}", markdown())).unwrap();
    } else {
        assert_eq!(table, markdown(), "`docs/certifying.md` is not current; BLESS=1 writes it");
    }
}

#[test]
fn every_explanation_reads_as_a_person_would_write_it() {
    let faults = FAULTS.iter().flat_map(|faults| faults.codes).map(|(code, _)| *code);
    let checks =
        all().flat_map(|guide| [guide.id].into_iter().chain(guide.codes.iter().map(|(code, _)| *code)));
    let of_every_check = OF_EVERY_CHECK.iter().map(|(code, _)| *code);
    let names: Vec<&str> =
        checks.chain(of_every_check).chain(Refusal::CODES.iter().copied()).chain(faults).collect();
    assert!(names.len() > 350, "only {} names", names.len());
    for name in names {
        let lines = explain(name).unwrap_or_else(|| panic!("`{name}` is not explained"));
        assert!(lines.len() >= 2 && lines.iter().all(|line| !line.trim().is_empty()), "{name}: {lines:?}");
        assert!(!lines.concat().contains(['{', '}']), "{name}: {lines:?}");
    }
    let said = explain("release-not-yet").unwrap();
    assert_eq!(said[0], "release-not-yet: release is from the future: ISSUED-AT");
    assert_eq!(explain("release-not-yet\n"), None);
}
