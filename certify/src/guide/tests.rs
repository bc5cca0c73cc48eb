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

/// Every text in these sources of the form `"some-code: `.
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
                let plain = word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
                if plain && word.contains('-') {
                    found.insert(word.to_owned());
                }
            }
        }
    }
}

#[test]
fn every_code_of_a_finding_is_explained() {
    let mut found = BTreeSet::new();
    codes_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.contains("import-shape") && found.contains("child-timeout"), "{found:?}");
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
