//! A tool whose check no longer refuses anything certifies nothing.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use orch_certify::examine::examine;
use orch_certify::issue::assemble;
use orch_certify::sandbox::Sandbox;
use orch_certify::{group, self_check};
use orch_host::package;
use orch_trust::authority::Level;
use orch_trust::certificate::{CheckStatus, Measured};
use orch_trust::manifest::Role;
use orch_trust::time::UnixSeconds;

use crate::guest::guest;
use crate::package::Package;

const NOW: UnixSeconds = UnixSeconds(1_700_000_000);

/// A tool like this one, but for a check `memory` that always passes.
fn tool_without_memory(home: &std::path::Path) -> PathBuf {
    let workspace = tempfile::tempdir().unwrap();
    let (result, counted) = self_check::run(workspace.path(), &|of, package, beside, folder, last| {
        let mut report = group::run_until(of, package, beside, folder, last);
        for result in report.results.iter_mut().filter(|result| result.id == "memory") {
            result.status = CheckStatus::Pass;
            result.findings.clear();
        }
        report
    });
    let report = orch_certify::check::GroupReport {
        results: vec![result],
        measured: Measured::default(),
        inputs: orch_trust::inputs::Inputs::default(),
        self_check: counted,
    };
    std::fs::write(home.join("report"), serde_json::to_vec(&report).unwrap()).unwrap();
    let script = format!(
        "#!/bin/sh\nif [ \"$2\" = self-check ]; then cat >/dev/null; cat {}/report; else exec {} \"$@\"; fi\n",
        home.display(),
        env!("CARGO_BIN_EXE_orch-certify")
    );
    let program = home.join("tool");
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    program
}

#[test]
fn a_check_that_always_passes_turns_certification_off() {
    let package = Package::new(Role::Executor, &guest(Role::Executor, "", &[]), |_| {});
    let read = package::read(&package.folder()).unwrap();
    let sandbox = Sandbox::new(tool_without_memory(package.home.path()));
    let examination = examine(&package.folder(), &read, Level::Local, &sandbox).unwrap();
    let unmet: Vec<&str> = examination.unmet.iter().map(|unmet| unmet.check.as_str()).collect();
    assert_eq!(unmet, ["self-check"], "{:?}", examination.results);
    let last = examination.results.last().unwrap();
    assert!(last.findings[0].starts_with("self-check-missed: `memory` is `pass`"), "{:?}", last.findings);
    assert_eq!(assemble(&read, examination.clone(), NOW, NOW).unwrap_err().code(), "statement-check");
    // Nor does a good verdict help whose count is short, or missing.
    for self_check in [examination.self_check, None] {
        let lied =
            orch_certify::examine::Examination { unmet: Vec::new(), self_check, ..examination.clone() };
        assert_eq!(assemble(&read, lied, NOW, NOW).unwrap_err().code(), "statement-check");
    }
}

#[test]
fn the_certificate_counts_what_was_refused() {
    let package = Package::new(Role::Executor, &guest(Role::Executor, "", &[]), |_| {});
    let read = package::read(&package.folder()).unwrap();
    let sandbox = Sandbox::new(PathBuf::from(env!("CARGO_BIN_EXE_orch-certify")));
    let examination = examine(&package.folder(), &read, Level::Local, &sandbox).unwrap();
    let certificate = assemble(&read, examination, NOW, NOW).unwrap();
    assert!(certificate.self_check.is_complete() && certificate.self_check.of >= 14);
    let own = certificate.checks.last().unwrap();
    assert_eq!((own.id.as_str(), own.looked_at), ("self-check", certificate.self_check.of));
}
