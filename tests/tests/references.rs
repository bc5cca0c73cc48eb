//! The pages of reference are what the programs go by now. `BLESS=1` writes them.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use std::fs;

use orch_tests::reference::pages;
use orch_tests::root;

#[test]
fn the_pages_of_reference_are_what_the_programs_go_by() {
    let folder = root().join("docs/reference");
    for (name, text) in pages() {
        let path = folder.join(name);
        if std::env::var_os("BLESS").is_some() {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&path, &text).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        let differs = found.lines().zip(text.lines()).find(|(found, text)| found != text);
        assert!(
            found == text,
            "`docs/reference/{name}` is old: `BLESS=1` writes it; the first line that differs: {differs:?}"
        );
    }
}

#[test]
fn each_page_has_what_people_look_for() {
    let pages = pages();
    for (name, words) in [
        ("manifest.md", ["| `wallMs` |", "## FilesPermission"]),
        ("cases.md", ["`expect.answer`", "## task"]),
        ("interfaces.md", ["`orch:kv@0.1.0`", "resource bucket"]),
        ("codes.md", ["| `certificate-expired` |", "| `case-key` |"]),
    ] {
        for word in words {
            assert!(pages[name].contains(word), "{name}: {word}");
        }
    }
    assert!(pages["codes.md"].lines().count() > 400);
}
