//! Outputs of tools (`../fixtures/README.md`) give exactly these findings.

// A test file as a whole is a test, but clippy allows these only inside `#[test]` functions.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod go;
mod green;
mod limits;
mod python;
mod rust;
mod tap;
mod unworked;
mod web;
mod xml;

use verifier_command::check::Settings;
use verifier_command::findings::{Finding, Findings};
use verifier_command::judge::judge;
use verifier_command::parsed::Severity;
use verifier_command::places::{Places, Tree};
use verifier_command::ran::{Ending, Ran};
use verifier_command::text::without_escapes;

/// (severity, location, message)
type Row<'a> = (Severity, Option<&'a str>, &'a str);

/// A workspace with these files.
struct Files(&'static [&'static str]);

impl Tree for Files {
    fn holds(&self, path: &str) -> Option<bool> {
        Some(self.0.contains(&path))
    }
}

/// One run of a tool.
#[derive(Clone, Copy)]
struct Run<'a> {
    format: &'a str,
    category: &'a str,
    ending: Ending,
    stdout: &'a str,
    stderr: &'a str,
    report: Option<&'a str>,
    files: &'static [&'static str],
}

impl<'a> Run<'a> {
    fn new(format: &'a str, category: &'a str, code: i32, stdout: &'a str) -> Self {
        let ending = Ending::Code(code);
        Self { format, category, ending, stdout, stderr: "", report: None, files: &[] }
    }

    fn findings(&self) -> Vec<Finding> {
        let report = if self.report.is_some() { r#", "report": "r""# } else { "" };
        let json = format!(
            r#"{{"checks": [{{"name": "check", "category": "{}", "command": ["x"], "format": "{}"{report}}}]}}"#,
            self.category, self.format
        );
        let settings = Settings::parse(&json).unwrap();
        let (stdout, stderr) = (without_escapes(self.stdout), without_escapes(self.stderr));
        let files = Files(self.files);
        let places = Places::new(settings.checks[0].path_prefix(), &files);
        let reports: Option<Vec<String>> = self.report.map(|report| vec![report.to_owned()]);
        let ran = Ran {
            ending: self.ending,
            stdout: &stdout,
            stderr: &stderr,
            reports: reports.as_deref(),
            report_faults: &[],
            missed_bytes: 0,
            duration_ms: 1,
            places: &places,
        };
        let mut findings = Findings::default();
        judge(&settings.checks[0], &ran, &mut findings);
        findings.within_limit()
    }

    #[track_caller]
    fn gives(&self, expected: &[Row]) {
        let findings = self.findings();
        let found: Vec<Row> = findings
            .iter()
            .map(|finding| {
                let message = finding.message.strip_prefix("check: ").unwrap();
                (finding.severity, finding.location.as_deref(), message)
            })
            .collect();
        assert_eq!(found, expected, "{found:#?}");
    }
}
