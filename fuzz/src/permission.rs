//! The permission grammar: its form, what contains what, and grants.

use globset::GlobBuilder;
use orch_trust::approval::Approval;
use orch_trust::grant::{Bounds, Grant};
use orch_trust::permission::{Permissions, Side};
use orch_trust::policy::{Allowance, Policy};
use orch_trust::strict_json;

use crate::package::{NOW, good};

/// Every field of the grammar.
pub(crate) const EVERYTHING: &str = r#"{"log":{},"settings":{},"findings":{},"metrics":{"read":["code.*","size"]},"kv":{"labels":["a-1","b"],"bytes":9},"tasks":{"read":true,"add":3,"kinds":["note"]},"files":{"read":["src/**","*.md"],"write":["out/a?.txt"]},"process":{"programs":["sh","/usr/bin/git"],"env":["HOME"],"network":["*:443","*.b.example:443","127.0.0.1:5432"]},"http":[{"hosts":["*.a.example:443","[::1]:80"],"methods":["GET"],"paths":["/v1/"]}],"secrets":{"use":[{"name":"key","host":"a.example:443"}]},"wasi":{"clocks":true,"random":true,"http_types":true}}"#;

/// Paths to try globs with.
const PATHS: [&str; 12] = [
    "a",
    "src/a.rs",
    "src/a/b.rs",
    "src",
    "srcs/x",
    "README.md",
    "src/.git/config",
    "../a",
    "/a",
    "a/../b",
    "out/a1.txt",
    "a\\b",
];

/// Two permissions on two lines. Well-formed ones contain themselves, are written and read as the same, and when one
/// contains the other, so do the globs that the host makes of them.
pub(crate) fn permissions(bytes: &[u8]) -> bool {
    let Some([inner, outer]) = read_lines(bytes) else { return false };
    if inner.check_form(Side::Bounding).is_err() || outer.check_form(Side::Bounding).is_err() {
        return false;
    }
    for one in [&inner, &outer] {
        let again: Permissions = strict_json::parse(&serde_json::to_vec(one).unwrap()).unwrap();
        assert_eq!(again, *one);
        one.within(one).expect("everything contains itself");
        one.within(&one.narrowed(one)).expect("nothing is lost when nothing is taken away");
        for line in one.lines() {
            assert!(!line.chars().any(char::is_control), "{line:?}");
        }
    }
    let common = outer.narrowed(&inner);
    common.within(&outer).expect("what is left lies within what was there");
    common
        .check_form(Side::Bounding)
        .unwrap_or_else(|error| assert_eq!(error.expected, "at most 64 entries"));
    if inner.within(&outer).is_ok() {
        assert!(inner.effect() <= outer.effect(), "an effect came from nowhere");
        let files = |all: &Permissions| all.files.clone().unwrap_or_default();
        assert_globs(&files(&inner).read, &files(&outer).read);
        assert_globs(&files(&inner).write, &files(&outer).write);
    }
    true
}

/// What the inner globs match, the outer ones match.
fn assert_globs(inner: &[String], outer: &[String]) {
    // As `host/src/capability/files.rs` reads them.
    let read = |text: &String| {
        let glob = GlobBuilder::new(text).literal_separator(true).backslash_escape(false).build();
        glob.expect("a well-formed glob is one").compile_matcher()
    };
    let (inner_read, outer_read): (Vec<_>, Vec<_>) =
        (inner.iter().map(read).collect(), outer.iter().map(read).collect());
    // The globs themselves are paths too, as far as they name one.
    let paths =
        PATHS.into_iter().chain(inner.iter().map(String::as_str)).chain(outer.iter().map(String::as_str));
    for path in paths.filter(|path| inner_read.iter().any(|glob| glob.is_match(path))) {
        assert!(
            outer_read.iter().any(|glob| glob.is_match(path)),
            "{inner:?} reaches `{path}`, {outer:?} does not"
        );
    }
}

fn read_lines<const N: usize>(bytes: &[u8]) -> Option<[Permissions; N]> {
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').take(N).collect();
    let read: Option<Vec<_>> = lines.into_iter().map(|line| strict_json::parse(line).ok()).collect();
    read?.try_into().ok()
}

/// Ask, maximum, policy, approval and workspace on five lines. A grant lies within every one of them.
pub(crate) fn grant(bytes: &[u8]) -> bool {
    let Some([ask, maximum, allow, approved, narrow]) = read_lines(bytes) else { return false };
    // What a manifest, a publisher's file and a policy may hold at all.
    if maximum.check_form(Side::Bounding).is_err()
        || allow.check_form(Side::Bounding).is_err()
        || approved.check_form(Side::Bounding).is_err()
    {
        return false;
    }
    let id = good().manifest.id.clone();
    let policy =
        Policy { default: Allowance { allow: allow.clone(), ..Allowance::default() }, ..Policy::default() };
    let version = semver::Version::new(1, 0, 0);
    let approval = Approval { id: id.clone(), version, permissions: approved.clone(), at: NOW };
    let bounds =
        Bounds { maximum: Some(&maximum), policy: &policy, approval: Some(&approval), narrow: Some(&narrow) };
    let Ok(grant) = Grant::intersect(&id, &ask, bounds) else { return false };
    let granted = grant.permissions();
    granted.within(&maximum).expect("within the namespace's maximum");
    granted.within(&allow).expect("within the policy");
    ask.within(&approved).expect("within the approval");
    let programs = |all: &Permissions| all.process.clone().unwrap_or_default().programs;
    if !programs(&ask).contains(&"*".to_owned()) {
        granted.within(&ask).expect("within what is asked");
    }
    assert!(!programs(granted).contains(&"*".to_owned()), "no grant is of every program");
    // What the workspace names is cut down to it; what it does not name stays.
    granted.narrowed(&narrow).within(granted).expect("taking away twice takes nothing more");
    granted.within(&granted.narrowed(&narrow)).expect("taking away twice takes nothing more");
    let unapproved = Bounds { approval: None, ..bounds };
    assert!(Grant::intersect(&id, &ask, unapproved).is_err());
    true
}

pub(crate) fn valid_permissions() -> Vec<(&'static str, Vec<u8>)> {
    let globs = |globs: &str| format!(r#"{{"files":{{"read":[{globs}],"write":[]}}}}"#);
    vec![
        ("valid-everything", format!("{EVERYTHING}\n{EVERYTHING}").into_bytes()),
        (
            "valid-globs",
            format!("{}\n{}", globs(r#""src/a/**","src/*.rs""#), globs(r#""src/**""#)).into_bytes(),
        ),
    ]
}

pub(crate) fn valid_grant() -> Vec<(&'static str, Vec<u8>)> {
    let process = |programs: &str| format!(r#"{{"process":{{"programs":[{programs}]}}}}"#);
    let any = process(r#""*""#);
    let named = process(r#""sh","git""#);
    vec![
        ("valid-everything", [EVERYTHING; 5].join("\n").into_bytes()),
        ("valid-programs", format!("{any}\n{named}\n{named}\n{any}\n{}", process(r#""git""#)).into_bytes()),
    ]
}
