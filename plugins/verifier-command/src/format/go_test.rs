//! `go test -json`: one event a line.
//!
//! In -> out: a run -> one [`Parsed`] for each failed test, package and error of the compiler; how many tests ran.
//! Invariant: a test failed only if it had begun and its package failed: a program can print lines that Go takes for a
//! test's end.
//! A test whose subtests failed is not said again, unless it said something itself.
//! Not here: where the module lies in the workspace (`places.rs`).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::path_line_col;
use crate::parsed::{Parsed, Place, Reading, Severity};
use crate::places::is_foreign;
use crate::ran::{Ending, Ran};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    action: String,
    /// None in events of the build.
    package: Option<String>,
    test: Option<String>,
    output: Option<String>,
}

#[derive(Default)]
struct Package {
    tests: BTreeMap<String, Test>,
    failed: bool,
    /// `[build failed]` or the like.
    unbuilt: bool,
    /// It said `PASS`, which a test program says at its end.
    passed: bool,
}

#[derive(Default)]
struct Test {
    begun: bool,
    failed: bool,
    skipped: bool,
    /// File and line of the first line that says one, and that line's text.
    said: Option<(String, u32, String)>,
    panic: Option<String>,
    /// The innermost line of the panic that is none of Go's own.
    panicked: Option<Place>,
}

/// Adds everything that failed; whether there was an event.
pub fn read(ran: &Ran, reading: &mut Reading) -> bool {
    let mut packages: BTreeMap<String, Package> = BTreeMap::new();
    let ended_well = ran.ending == Ending::Code(0);
    let mut any = false;
    for line in ran.texts().flat_map(str::lines) {
        match serde_json::from_str::<Event>(line) {
            Ok(event) => {
                any = true;
                take(event, &mut packages, reading);
            }
            Err(_) if ended_well => {}
            Err(_) => outside(line, &mut packages, reading),
        }
    }
    if any || !packages.is_empty() {
        let tests = || packages.values().flat_map(|package| package.tests.values()).filter(|test| test.begun);
        let count = |skipped| {
            u64::try_from(tests().filter(|test| test.skipped == skipped).count()).unwrap_or(u64::MAX)
        };
        reading.count_tests(count(false), count(true));
    }
    let is_cut = |package: &Package| !package.passed && package.tests.values().any(|test| test.begun);
    for (name, _) in
        packages.iter().filter(|(_, package)| ended_well && ran.missed_bytes == 0 && is_cut(package))
    {
        reading
            .broke
            .push(format!("the tests of package `{name}` did not say `PASS`: their program ended before"));
    }
    for (name, package) in packages.iter().filter(|(_, package)| package.failed) {
        package.add(name, reading);
    }
    any
}

fn take(event: Event, packages: &mut BTreeMap<String, Package>, reading: &mut Reading) {
    let Event { action, package, test, output } = event;
    let Some(package) = package else {
        output.iter().for_each(|line| compiler_error(line, reading));
        return;
    };
    let package = packages.entry(package).or_default();
    package.passed |= output.as_deref().is_some_and(|line| line.trim_end().ends_with("PASS"));
    let Some(test) = test else {
        package.failed |= action == "fail";
        package.unbuilt |= output.as_deref().is_some_and(|line| line.starts_with("FAIL") && is_unbuilt(line));
        return;
    };
    let test = package.tests.entry(test).or_default();
    match action.as_str() {
        "run" => test.begun = true,
        "fail" => test.failed = true,
        "skip" => test.skipped = true,
        "output" => test.hear(output.as_deref().unwrap_or("")),
        _ => {}
    }
}

/// Lines that are no events: what the compiler says, and which packages it could not make.
fn outside(line: &str, packages: &mut BTreeMap<String, Package>, reading: &mut Reading) {
    match line
        .strip_prefix("FAIL\t")
        .filter(|_| is_unbuilt(line))
        .and_then(|rest| rest.split_whitespace().next())
    {
        Some(name) => {
            let package = packages.entry(name.to_owned()).or_default();
            (package.failed, package.unbuilt) = (true, true);
        }
        None => compiler_error(line, reading),
    }
}

fn is_unbuilt(line: &str) -> bool {
    line.contains("[build failed]") || line.contains("[setup failed]")
}

fn compiler_error(line: &str, reading: &mut Reading) {
    let is_source = |place: &Place| place.path.ends_with(".go") || place.path.ends_with(".s");
    if let Some(parsed) = path_line_col::parse_line(line.trim_end())
        && parsed.place.as_ref().is_some_and(is_source)
    {
        reading.push(Parsed { severity: Some(Severity::Major), ..parsed });
    }
}

impl Test {
    fn hear(&mut self, line: &str) {
        let line = line.trim();
        if self.panic.is_none() && line.starts_with("panic: ") {
            self.panic = Some(line.to_owned());
        }
        if self.panic.is_some() && self.panicked.is_none() {
            self.panicked = frame(line);
        }
        let parts = line.split_once(".go:").and_then(|(file, rest)| {
            let (number, text) = rest.split_once(": ")?;
            let is_name = !file.is_empty() && !file.contains(['/', ' ', ':']);
            is_name.then_some((format!("{file}.go"), number.parse().ok()?, text.to_owned()))
        });
        if self.said.is_none() {
            self.said = parts;
        }
    }
}

/// `/p/calc/calc_test.go:19 +0x2e`, outside of Go itself.
fn frame(line: &str) -> Option<Place> {
    let (path, rest) = line.split_once(".go:")?;
    let number = rest.split_once(" +0x")?.0.parse().ok()?;
    let is_gos =
        is_foreign(path) || ["/src/runtime/", "/src/testing/"].iter().any(|part| path.contains(part));
    (path.starts_with('/') && !is_gos).then(|| Place::new(&format!("{path}.go"), number, None))
}

impl Package {
    fn add(&self, name: &str, reading: &mut Reading) {
        let failed_test = |(_, test): &(&String, &Test)| test.begun && test.failed;
        let failed: Vec<(&String, &Test)> = self.tests.iter().filter(failed_test).collect();
        let has_failed_part = |outer: &str| {
            let start = format!("{outer}/");
            let parts = self.tests.range(start.clone()..).take_while(|(name, _)| name.starts_with(&start));
            parts.into_iter().any(|part| failed_test(&part))
        };
        for (test, state) in &failed {
            if state.said.is_some() || state.panic.is_some() || !has_failed_part(test) {
                reading.push(state.parsed(name, test));
            }
        }
        if self.unbuilt {
            reading.broke.push(format!("package `{name}` could not be built"));
        } else if failed.is_empty() {
            reading.push_message(Severity::Major, format!("FAIL {name}, though no test of it failed"));
        }
    }
}

impl Test {
    /// Files are named without their folder, which is the end of the package's name.
    fn parsed(&self, package: &str, name: &str) -> Parsed {
        let (reason, place) = match &self.said {
            Some((file, line, text)) => {
                (Some(text.as_str()), Some(Place::new(&format!("/{package}/{file}"), *line, None)))
            }
            None => (None, None),
        };
        let place = self.panicked.clone().or(place);
        let reason =
            self.panic.as_deref().or(reason).map_or_else(String::new, |reason| format!(": {reason}"));
        Parsed { severity: Some(Severity::Major), message: format!("FAIL {package} {name}{reason}"), place }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_with_a_file_is_the_place() {
        let mut test = Test::default();
        for line in ["=== RUN   TestAdd\n", "    a_test.go:8: got 1: want 2\n", "    a_test.go:9: more\n"] {
            test.hear(line);
        }
        assert_eq!(test.said, Some(("a_test.go".to_owned(), 8, "got 1: want 2".to_owned())));
        test.hear("panic: index out of range [recovered]\n");
        test.hear("\t/usr/local/go/src/testing/testing.go:1396 +0x24e\n");
        let parsed = test.parsed("example.com/m/calc", "TestAdd");
        assert_eq!(parsed.message, "FAIL example.com/m/calc TestAdd: panic: index out of range [recovered]");
        assert_eq!(parsed.place, Some(Place::new("/example.com/m/calc/a_test.go", 8, None)));
    }
    #[test]
    fn newer_versions_say_in_events_what_the_compiler_says() {
        let lines = [
            r#"{"ImportPath":"m/bad","Action":"build-output","Output":"bad/bad.go:3:23: undefined: missing\n"}"#,
            r#"{"ImportPath":"m/bad","Action":"build-fail"}"#,
            r#"{"Action":"start","Package":"m/bad"}"#,
            r#"{"Action":"output","Package":"m/bad","Output":"FAIL\tm/bad [build failed]\n"}"#,
            r#"{"Action":"fail","Package":"m/bad","Elapsed":0,"FailedBuild":"m/bad"}"#,
        ];
        let (mut packages, mut reading) = (BTreeMap::new(), Reading::default());
        lines
            .into_iter()
            .for_each(|line| take(serde_json::from_str(line).unwrap(), &mut packages, &mut reading));
        packages["m/bad"].add("m/bad", &mut reading);
        let place = Some(Place::new("bad/bad.go", 3, Some(23)));
        let message = "undefined: missing".to_owned();
        assert_eq!(reading.parsed, [Parsed { severity: Some(Severity::Major), message, place }]);
        assert_eq!(reading.broke, ["package `m/bad` could not be built"]);
    }
}
