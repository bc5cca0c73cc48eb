//! JUnit's XML, as pytest and most test runners write it.
//!
//! In -> out: one document -> one [`Parsed`] for each failure and error; how many tests ran; what follows it.
//! Units: of each failure's text the first 64 KiB are looked at.
//! Invariant: a document type is refused, so no entity but XML's own five is known.
//! Invariant: what tests printed (`system-out`, `system-err`) is not looked at.

use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::traceback;
use crate::parsed::{Parsed, Place, Reading, Severity};
use crate::text::first_line;

const TEXT_BYTES_MAX: usize = 64 * 1024;

/// Adds every failure and error; returns what follows the document.
///
/// # Errors
/// The document is malformed, cut, has a document type, or is no JUnit XML.
pub fn read<'a>(text: &'a str, reading: &mut Reading) -> Result<&'a str, String> {
    let mut reader = Reader::from_str(text);
    let mut state = State::default();
    loop {
        let at = reader.buffer_position();
        let event = reader.read_event().map_err(|error| format!("XML at byte {at}: {error}"))?;
        match event {
            Event::Start(element) => state.start(&element)?,
            Event::Empty(element) => {
                state.start(&element)?;
                state.end(element.name().as_ref(), reading);
            }
            Event::End(element) => {
                state.end(element.name().as_ref(), reading);
                if state.depth == 0 {
                    break;
                }
            }
            Event::Text(text) => state.text(&text),
            Event::CData(text) => state.text(&text),
            Event::GeneralRef(reference) => state.text(&resolved(&reference)?),
            Event::DocType(_) => return Err("a document type is not read".to_owned()),
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
    state.finish(reading)?;
    let end = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
    Ok(text.get(end..).unwrap_or(""))
}

/// `&lt;` and `&#10;`.
fn resolved(reference: &BytesRef) -> Result<String, String> {
    if let Some(char) = reference.resolve_char_ref().map_err(|error| error.to_string())? {
        return Ok(char.to_string());
    }
    resolve_xml_entity(reference)
        .map(str::to_owned)
        .ok_or_else(|| format!("entity `{}` is not known", &**reference))
}

#[derive(Default)]
struct State {
    depth: usize,
    /// Test cases that ran.
    cases: u64,
    skipped: u64,
    /// What the suites say of themselves.
    said: Said,
    case: Option<Case>,
    open: Option<Failure>,
    /// Failures and errors that were there.
    failures: u64,
}

#[derive(Default)]
struct Said {
    failed: u64,
    tests: u64,
    is_junit: bool,
    /// pytest counts lines from 0 here.
    lines_before: u32,
}

struct Case {
    name: String,
    place: Option<Place>,
    skipped: bool,
}

/// A failure whose end has not come.
struct Failure {
    is_error: bool,
    message: String,
    text: String,
    place: Option<Place>,
}

impl State {
    fn start(&mut self, element: &BytesStart) -> Result<(), String> {
        self.depth += 1;
        let of = |name: &str| attribute(element, name);
        match element.name().as_ref() {
            kind @ ("testsuites" | "testsuite") => {
                let number =
                    |name: &str| Ok::<u64, String>(of(name)?.and_then(|text| text.parse().ok()).unwrap_or(0));
                let failed = number("failures")?.saturating_add(number("errors")?);
                self.said.is_junit = true;
                if kind == "testsuite" {
                    self.said.lines_before = u32::from(of("name")?.as_deref() == Some("pytest"));
                }
                self.said.failed = self.said.failed.max(failed);
                self.said.tests = self.said.tests.max(number("tests")?);
            }
            "testcase" => {
                let class = of("classname")?.filter(|class| !class.is_empty());
                let name = of("name")?.unwrap_or_default();
                self.case = Some(Case {
                    name: class.map_or(name.clone(), |class| format!("{class}.{name}")),
                    place: place(element, self.said.lines_before)?,
                    // GoogleTest says it so.
                    skipped: of("status")?.as_deref() == Some("notrun"),
                });
            }
            // What pytest expects to fail did run.
            "skipped" if of("type")?.as_deref() != Some("pytest.xfail") => {
                self.case.iter_mut().for_each(|case| case.skipped = true);
            }
            // One inside of another is its text.
            kind @ ("failure" | "error") if self.open.is_none() => {
                let message = match of("message")?.filter(|message| !message.trim().is_empty()) {
                    Some(message) => message,
                    None => of("type")?.unwrap_or_default(),
                };
                self.open = Some(Failure {
                    is_error: kind == "error",
                    message,
                    text: String::new(),
                    place: place(element, 0)?,
                });
            }
            _ => {}
        }
        Ok(())
    }

    fn text(&mut self, text: &str) {
        if let Some(open) = &mut self.open
            && open.text.len() < TEXT_BYTES_MAX
        {
            open.text.push_str(text);
        }
    }

    fn end(&mut self, name: &str, reading: &mut Reading) {
        self.depth = self.depth.saturating_sub(1);
        match name {
            "testcase" => {
                let skipped = self.case.take().is_some_and(|case| case.skipped);
                *if skipped { &mut self.skipped } else { &mut self.cases } += 1;
            }
            "failure" | "error" => {
                if let Some(open) = self.open.take() {
                    self.failures += 1;
                    reading.push(open.parsed(self.case.as_ref()));
                }
            }
            _ => {}
        }
    }

    fn finish(self, reading: &mut Reading) -> Result<(), String> {
        if !self.said.is_junit {
            return Err("there is no test suite in it".to_owned());
        }
        if self.depth > 0 {
            return Err("it is cut".to_owned());
        }
        reading.count_tests(self.cases, self.skipped);
        if self.failures == 0 && self.said.failed > 0 {
            let message = format!("{} tests failed that the report does not name", self.said.failed);
            reading.push_message(Severity::Major, message);
        } else if self.cases + self.skipped == 0 && self.said.tests > 0 {
            let message = format!("the report says {} tests and has none of them", self.said.tests);
            reading.push_message(Severity::Major, message);
        }
        Ok(())
    }
}

impl Failure {
    fn parsed(self, case: Option<&Case>) -> Parsed {
        let word = if self.is_error { "ERROR" } else { "FAILED" };
        let name = case.map_or("outside of a test", |case| case.name.as_str());
        let of_traceback = traceback::reason(self.text.lines());
        let said = match of_traceback {
            // All that pytest says of a file that it could not import.
            Some(reason) if self.message == "collection failure" => reason,
            _ => first_line(&self.message),
        };
        let reason = if said.is_empty() { first_line(&self.text) } else { said };
        let message = match reason {
            "" => format!("{word} {name}"),
            reason => format!("{word} {name}: {reason}"),
        };
        let place = traceback::place(self.text.lines())
            .or(self.place)
            .or_else(|| self.text.lines().find_map(panic_place))
            .or_else(|| case.and_then(|case| case.place.clone()));
        Parsed { severity: Some(Severity::Major), message, place }
    }
}

/// `thread 'x' panicked at src/lib.rs:9:5:` of Rust.
pub(super) fn panic_place(line: &str) -> Option<Place> {
    let (_, place) = line.split_once("panicked at ")?;
    let mut parts = place.trim_end().trim_end_matches(':').rsplitn(3, ':');
    let (column, row, path) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?);
    Some(Place::new(path, row, Some(column)))
}

/// `file` and `line`, which some runners say.
fn place(element: &BytesStart, lines_before: u32) -> Result<Option<Place>, String> {
    let Some(file) = attribute(element, "file")?.filter(|file| !file.is_empty()) else { return Ok(None) };
    let line: Option<u32> = attribute(element, "line")?.and_then(|line| line.parse().ok());
    let line = line.map_or(1, |line| line.saturating_add(lines_before).max(1));
    Ok(Some(Place::new(&file, line, None)))
}

fn attribute(element: &BytesStart, name: &str) -> Result<Option<String>, String> {
    let attribute = element.try_get_attribute(name).map_err(|error| error.to_string())?;
    let value = attribute
        .map(|attribute| attribute.normalized_value(XmlVersion::Implicit1_0).map(|value| value.into_owned()));
    value.transpose().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(document: &str) -> Result<Reading, String> {
        let mut reading = Reading::default();
        read(document, &mut reading).map(|_| reading)
    }

    fn messages(document: &str) -> Vec<String> {
        reading(document).unwrap().parsed.into_iter().map(|parsed| parsed.message).collect()
    }

    #[test]
    fn what_failed_is_named_with_reason_and_place() {
        let document = r#"<testsuites><testsuite name="s" tests="3"><testcase classname="a.B" name="x" file="a.py" line="7">
            <failure message="1 &lt; 2&#10;more" type="E"/></testcase>
            <testcase name="y"><error type="Timeout">thread 'y' panicked at src/lib.rs:9:5:<![CDATA[
<x>]]></error></testcase>
            <testcase name="z"><system-out>FAILED</system-out></testcase></testsuite></testsuites>"#;
        let reading = reading(document).unwrap();
        assert_eq!(reading.tests, Some(3));
        let found: Vec<_> =
            reading.parsed.iter().map(|parsed| (parsed.message.as_str(), parsed.place.clone())).collect();
        assert_eq!(
            found,
            [
                ("FAILED a.B.x: 1 < 2", Some(Place::new("a.py", 7, None))),
                ("ERROR y: Timeout", Some(Place::new("src/lib.rs", 9, Some(5))))
            ]
        );
    }

    #[test]
    fn reruns_that_passed_in_the_end_are_no_failures() {
        let document = r#"<testsuite tests="1"><testcase name="x"><flakyFailure message="once"><stackTrace>E</stackTrace></flakyFailure></testcase></testsuite>"#;
        assert_eq!(messages(document), [""; 0]);
    }

    #[test]
    fn counts_without_names_are_not_lost() {
        assert_eq!(
            messages(r#"<testsuite tests="5" failures="1" errors="1"/>"#),
            ["2 tests failed that the report does not name"]
        );
        assert_eq!(
            messages(
                r#"<testsuites failures="3"><testsuite tests="1"><testcase name="x"/></testsuite></testsuites>"#
            ),
            ["3 tests failed that the report does not name"]
        );
        assert_eq!(reading(r#"<testsuites><testsuite tests="0"/></testsuites>"#).unwrap().tests, Some(0));
        assert_eq!(reading(r#"<testsuites><testsuite tests="5"/></testsuites>"#).unwrap().tests, Some(0));
        assert_eq!(reading("<testsuites/>").unwrap().tests, Some(0));
    }

    #[test]
    fn what_was_skipped_did_not_run() {
        let document = r#"<testsuite tests="4"><testcase name="a"><skipped/></testcase><testcase name="b" status="notrun"/>
            <testcase name="c"><skipped type="pytest.xfail" message=""/></testcase><testcase name="d" status="run"/></testsuite> more"#;
        let mut reading = Reading::default();
        assert_eq!(read(document, &mut reading), Ok(" more"));
        assert_eq!((reading.tests, reading.skipped), (Some(2), 2));
    }

    #[test]
    fn entities_of_the_document_are_refused() {
        let bomb = r#"<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><testsuite><testcase name="&b;"/></testsuite>"#;
        assert!(reading(bomb).unwrap_err().contains("document type"));
        let unknown = r#"<testsuite><testcase name="x"><failure>&b;</failure></testcase></testsuite>"#;
        assert!(reading(unknown).unwrap_err().contains("entity `b`"));
        assert!(reading(r#"<testsuite><testcase name="&b;"/></testsuite>"#).is_err());
    }

    #[test]
    fn what_is_no_report_is_an_error() {
        for document in
            ["", "<html></html>", "<testsuite><testcase>", "<testsuite></testcase>", "<testsuite>&#xfffffff;"]
        {
            assert!(reading(document).is_err(), "{document}");
        }
    }
}
