//! Reports in each format, of results that a package wrote its text into.

use orch_trust::digest::Sha256Digest;
use orch_trust::dsse::SubjectDigest;
use orch_trust::inputs::Inputs;
use serde_json::Value;

use super::*;
use crate::check::{failed, passed, skipped, unfinished, warned};

const NASTY: &str = "x: \x1b[2K`passed`\r\n</failure><!-- & \"' ]]> \u{0}\u{ffff}\u{202e}";

fn report() -> Report {
    let results = vec![
        passed("manifest", 13, Vec::new()),
        passed("imports", 2, vec!["permission-unused: nothing imports what `log` opens".to_owned()]),
        failed("memory", 1, vec![NASTY.to_owned(), "memory-minimum: too much".to_owned()]),
        unfinished("component", "child-crashed: signal 11"),
        skipped("conformance/executor", "not run: `memory` is `fail`"),
        warned("secrets", 4, vec!["build-path: one".to_owned()]),
        failed("exports", 1, Vec::new()),
    ];
    let unmet = |check: &str, found: &str| Unmet { check: check.to_owned(), found: found.to_owned() };
    let file = |name: &str| Subject {
        name: name.to_owned(),
        digest: SubjectDigest { sha256: Sha256Digest::of(name.as_bytes()) },
    };
    Report {
        plugin: format!("demo/{NASTY} 1.0.0"),
        files: ["component.wasm", "manifest.json", "sbom.cdx.json"].map(file).into(),
        level: Level::Local,
        results,
        unmet: vec![unmet("memory", "fail"), unmet("names", "absent")],
        measured: Measured::default(),
        inputs: Inputs::default(),
        self_check: None,
        valid_until: None,
        reused: false,
    }
}

#[test]
fn text_of_a_package_cannot_move_the_cursor() {
    let shown = text(&report());
    assert!(!shown.contains('\x1b') && !shown.contains('\r') && !shown.contains('\0'), "{shown:?}");
    assert!(
        shown.contains("memory                fail     looked at 1, orch-certify 0.1.0, 0 ms, evidence ")
    );
    assert!(shown.contains("component             error    orch-certify 0.1.0, 0 ms\n"), "{shown}");
    assert!(shown.contains("conformance/executor  skipped\n"), "{shown}");
    assert!(shown.contains("names                 absent"), "{shown}");
}

#[test]
fn json_has_every_check_with_its_evidence() {
    let value: Value = serde_json::from_str(&json(&report())).unwrap();
    assert_eq!(value["passed"], false);
    assert_eq!(value["unmet"], serde_json::json!(["memory", "names"]));
    for check in value["checks"].as_array().unwrap() {
        assert_eq!(check["evidenceSha256"].as_str().unwrap().len(), 64);
        assert!(check["durationMs"].is_u64() && check["tool"]["version"].is_string());
    }
}

/// Only these properties, all of these required: what the schema of SARIF 2.1.0 says of the object.
#[track_caller]
fn object<'a>(value: &'a Value, required: &[&str], optional: &[&str]) -> &'a serde_json::Map<String, Value> {
    let fields = value.as_object().unwrap();
    for name in required {
        assert!(fields.contains_key(*name), "`{name}` is required in {value}");
    }
    for name in fields.keys() {
        assert!(
            required.contains(&name.as_str()) || optional.contains(&name.as_str()),
            "`{name}` in {value}"
        );
    }
    fields
}

#[track_caller]
fn message(value: &Value) -> &str {
    let text = object(value, &["text"], &["markdown", "id", "arguments"])["text"].as_str().unwrap();
    assert!(!text.is_empty() && text.chars().all(|character| !character.is_control()), "{text:?}");
    text
}

#[test]
fn sarif_keeps_the_rules_of_its_schema() {
    let report = report();
    let value: Value = serde_json::from_str(&sarif::render(&report)).unwrap();
    let log = object(&value, &["version", "runs", "$schema"], &["inlineExternalProperties", "properties"]);
    assert_eq!(log["version"], "2.1.0");
    let [run] = log["runs"].as_array().unwrap().as_slice() else { panic!("one run") };
    let more = ["automationDetails", "invocations", "originalUriBaseIds", "artifacts", "columnKind"];
    let run = object(run, &["tool", "results"], &more);
    assert!(["utf16CodeUnits", "unicodeCodePoints"].contains(&run["columnKind"].as_str().unwrap()));
    let driver = &object(&run["tool"], &["driver"], &["extensions"])["driver"];
    let driver = object(driver, &["name"], &["version", "semanticVersion", "rules", "informationUri"]);
    assert!(driver["semanticVersion"].as_str().unwrap().split('.').count() == 3);
    let rules = driver["rules"].as_array().unwrap();
    let mut ids = std::collections::BTreeSet::new();
    for rule in rules {
        let more = ["shortDescription", "fullDescription", "help", "defaultConfiguration"];
        let rule = object(rule, &["id"], &more);
        assert!(ids.insert(rule["id"].as_str().unwrap()), "rules are unique");
        for text in ["shortDescription", "fullDescription", "help"] {
            message(&rule[text]);
        }
        assert_eq!(rule["defaultConfiguration"]["level"], "error");
    }
    assert!(ids.contains("names"), "an absent check is a rule too");
    let [invocation] = run["invocations"].as_array().unwrap().as_slice() else { panic!("one invocation") };
    assert_eq!(object(invocation, &["executionSuccessful"], &[])["executionSuccessful"], false);
    let artifacts = run["artifacts"].as_array().unwrap();
    for artifact in artifacts {
        let artifact = object(artifact, &["location"], &["hashes", "length"]);
        assert_eq!(artifact["hashes"]["sha-256"].as_str().unwrap().len(), 64);
    }
    for id in run["automationDetails"].as_object().unwrap().values() {
        assert!(id.as_str().unwrap().starts_with("local/demo/"));
    }
    results_keep_the_rules(run["results"].as_array().unwrap(), rules, artifacts);
}

fn results_keep_the_rules(results: &[Value], rules: &[Value], artifacts: &[Value]) {
    let mut said = Vec::new();
    for result in results {
        let more = ["ruleId", "ruleIndex", "kind", "level", "locations", "partialFingerprints"];
        let result = object(result, &["message"], &more);
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        let (kind, level) = (result["kind"].as_str().unwrap(), result["level"].as_str().unwrap());
        assert!(["notApplicable", "pass", "fail", "review", "open", "informational"].contains(&kind));
        assert!(["none", "note", "warning", "error"].contains(&level));
        assert_eq!(kind == "fail", level != "none", "a level is of failures only");
        for print in result["partialFingerprints"].as_object().unwrap().values() {
            assert_eq!(print.as_str().unwrap().len(), 64);
        }
        let [place] = result["locations"].as_array().unwrap().as_slice() else { panic!("one location") };
        let place = &object(place, &["physicalLocation"], &["id"])["physicalLocation"];
        let place = &object(place, &["artifactLocation"], &["region"])["artifactLocation"];
        let place = object(place, &["uri", "uriBaseId"], &["index"]);
        let index = usize::try_from(place["index"].as_u64().unwrap()).unwrap();
        assert_eq!(artifacts[index]["location"]["uri"], place["uri"]);
        message(&result["message"]);
        said.push((result["ruleId"].as_str().unwrap(), level));
    }
    let expected = [
        ("imports", "note"),
        ("memory", "error"),
        ("memory", "error"),
        ("component", "error"),
        ("conformance/executor", "none"),
        ("secrets", "warning"),
        ("exports", "error"),
        ("names", "error"),
    ];
    assert_eq!(said, expected);
}

#[test]
fn a_finding_keeps_its_fingerprint_over_versions() {
    let prints = |version: &str| {
        let report = Report { plugin: format!("demo/x {version}"), ..report() };
        let value: Value = serde_json::from_str(&sarif::render(&report)).unwrap();
        let results = value["runs"][0]["results"].as_array().unwrap().clone();
        results.iter().map(|result| result["partialFingerprints"].to_string()).collect::<Vec<_>>()
    };
    let (first, second) = (prints("1.0.0"), prints("1.0.1"));
    assert_eq!(first, second);
    let distinct: std::collections::BTreeSet<_> = first.iter().collect();
    assert_eq!(distinct.len(), first.len());
}

#[test]
fn junit_is_xml_that_another_reader_reads_back() {
    let text = junit::render(&report()).unwrap();
    let document = roxmltree::Document::parse(&text).unwrap();
    let suites = document.root_element();
    assert_eq!(suites.tag_name().name(), "testsuites");
    let suite = suites.children().find(roxmltree::Node::is_element).unwrap();
    for (name, expected) in [("tests", "8"), ("failures", "3"), ("errors", "1"), ("skipped", "1")] {
        assert_eq!(suite.attribute(name), Some(expected), "{name}");
        assert_eq!(suites.attribute(name), Some(expected), "{name}");
    }
    let cases: Vec<_> = suite.children().filter(|node| node.has_tag_name("testcase")).collect();
    let ended = |case: &roxmltree::Node<'_, '_>| {
        let mut ends = case.children().filter(|node| node.is_element() && !node.has_tag_name("properties"));
        let end = ends.next().map(|node| node.tag_name().name().to_owned());
        assert!(ends.next().is_none(), "one ending");
        (case.attribute("name").unwrap().to_owned(), end)
    };
    let expected = [
        ("manifest", None),
        ("imports", Some("system-out")),
        ("memory", Some("failure")),
        ("component", Some("error")),
        ("conformance/executor", Some("skipped")),
        ("secrets", Some("system-out")),
        ("exports", Some("failure")),
        ("names", Some("failure")),
    ];
    let expected = expected.map(|(name, end)| (name.to_owned(), end.map(str::to_owned)));
    assert_eq!(cases.iter().map(ended).collect::<Vec<_>>(), expected);
    // What a package wrote is text, and can be read as what it was.
    let failure = cases[2].children().find(|node| node.has_tag_name("failure")).unwrap();
    let shown = r#"x: \x1b[2K`passed`\r\n</failure><!-- & "' ]]> \x00\u{ffff}\u{202e}"#;
    assert_eq!(failure.attribute("message"), Some(shown));
    assert_eq!(failure.attribute("type"), Some("x"));
    assert_eq!(failure.text().unwrap().lines().next(), Some(shown));
    let error = cases[3].children().find(|node| node.has_tag_name("error")).unwrap();
    assert_eq!(error.attribute("type"), Some("child-crashed"));
}
