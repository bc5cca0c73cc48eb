//! A report as JUnit XML, which every CI shows.
//!
//! In -> out: [`Report`] -> one document: a suite for the package, a case for each check.
//! Invariant: text of the package is escaped twice, for people and for XML; characters that XML cannot hold are
//! written out.
//! Not here: what checks mean (`guide.rs`).

use std::io;

use orch_host::console::escape;
use orch_trust::certificate::{CheckResult, CheckStatus};
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::Report;

type Xml = Writer<Vec<u8>>;

/// The document.
pub fn render(report: &Report) -> io::Result<String> {
    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 2);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let with = |status| report.results.iter().filter(|result| result.status == status).count();
    let absent: Vec<&str> = report.absent().collect();
    let tests = (report.results.len() + absent.len()).to_string();
    let failures = (report.results.iter().filter(|result| is_failure(report, result)).count() + absent.len())
        .to_string();
    let (errors, skipped) = (with(CheckStatus::Error).to_string(), with(CheckStatus::Skipped).to_string());
    let time = seconds(report.results.iter().map(|result| result.duration_ms).sum());
    let counts = [
        ("tests", tests.as_str()),
        ("failures", &failures),
        ("errors", &errors),
        ("skipped", &skipped),
        ("time", &time),
    ];
    let name = legal(&report.plugin);
    let suites = xml.create_element("testsuites").with_attribute(("name", "orch-certify"));
    suites.with_attributes(counts).write_inner_content(|xml| {
        let suite = xml.create_element("testsuite").with_attribute(("name", name.as_str()));
        suite.with_attributes(counts).write_inner_content(|xml| {
            for result in &report.results {
                case(xml, report, result)?;
            }
            for check in &absent {
                let case = xml.create_element("testcase").with_attributes([
                    ("name", *check),
                    ("classname", report.level.as_str()),
                    ("time", "0.000"),
                ]);
                case.write_inner_content(|xml| said(xml, "failure", "absent", ""))?;
            }
            Ok(())
        })?;
        Ok(())
    })?;
    let mut text = String::from_utf8(xml.into_inner()).map_err(io::Error::other)?;
    text.push('\n');
    Ok(text)
}

/// A warning within its budget is none.
fn is_failure(report: &Report, result: &CheckResult) -> bool {
    match result.status {
        CheckStatus::Fail => true,
        CheckStatus::Pass | CheckStatus::Warn => report.unmet.iter().any(|unmet| unmet.check == result.id),
        CheckStatus::Error | CheckStatus::Skipped => false,
    }
}

fn case(xml: &mut Xml, report: &Report, result: &CheckResult) -> io::Result<()> {
    let (name, time) = (legal(&result.id), seconds(result.duration_ms));
    let case = xml.create_element("testcase").with_attributes([
        ("name", name.as_str()),
        ("classname", report.level.as_str()),
        ("time", &time),
    ]);
    let findings = result.findings.iter().map(|finding| legal(finding)).collect::<Vec<_>>().join("\n");
    let first = findings.lines().next().unwrap_or_default();
    case.write_inner_content(|xml| {
        xml.create_element("properties").write_inner_content(|xml| {
            let tool = legal(&format!("{} {}", result.tool.name, result.tool.version));
            let (looked_at, evidence) = (result.looked_at.to_string(), result.evidence_sha256.to_string());
            for property in [
                [("name", "tool"), ("value", tool.as_str())],
                [("name", "looked-at"), ("value", &looked_at)],
                [("name", "evidence-sha256"), ("value", &evidence)],
            ] {
                xml.create_element("property").with_attributes(property).write_empty()?;
            }
            Ok(())
        })?;
        match result.status {
            CheckStatus::Skipped => {
                xml.create_element("skipped").with_attribute(("message", first)).write_empty()?;
            }
            CheckStatus::Error => said(xml, "error", first, &findings)?,
            _ if is_failure(report, result) => said(xml, "failure", first, &findings)?,
            _ if findings.is_empty() => {}
            _ => {
                xml.create_element("system-out").write_text_content(BytesText::new(&findings))?;
            }
        }
        Ok(())
    })?;
    Ok(())
}

fn said(xml: &mut Xml, element: &str, message: &str, text: &str) -> io::Result<()> {
    let kind = message.split(':').next().unwrap_or_default();
    let attributes = [("message", message), ("type", kind)];
    xml.create_element(element).with_attributes(attributes).write_text_content(BytesText::new(text))?;
    Ok(())
}

fn seconds(milliseconds: u64) -> String {
    format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000)
}

/// Escaped for people; what XML 1.0 has no character for is written out too.
fn legal(text: &str) -> String {
    let mut out = String::new();
    for character in escape(text).chars() {
        match character {
            '\u{fffe}' | '\u{ffff}' => out.push_str(&format!("\\u{{{:x}}}", u32::from(character))),
            plain => out.push(plain),
        }
    }
    out
}
