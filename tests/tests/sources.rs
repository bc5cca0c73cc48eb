//! What the reflector of complexity measures: sources as their language reads them, and nobody's that were only installed.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use orch_tests::Workspace;

/// A function that is above the threshold.
fn complex(ends: &str) -> String {
    let branches: String =
        (0..30).map(|nth| format!("    if a == {nth}:{ends}        a += 1{ends}")).collect();
    format!("def f(a):{ends}    # caf\u{e9}{ends}{branches}    return a{ends}")
}

#[test]
fn old_encodings_and_line_ends_are_measured_and_virtual_environments_are_not() {
    let workspace = Workspace::new("[]\n");
    let config = workspace.read("config.yaml");
    workspace.write("config.yaml", &format!("{config}  reflectors: [demo/reflector-complexity]\n"));
    let latin = |text: String| text.chars().map(|char| u8::try_from(char).unwrap()).collect::<Vec<u8>>();
    let lines = "# one\n# two\n";
    std::fs::write(
        workspace.path().join("latin.py"),
        latin(format!("# -*- coding: latin-1 -*-\n{lines}{}", complex("\n"))),
    )
    .unwrap();
    workspace.write("mac.py", &format!("{}{}", lines.replace('\n', "\r"), complex("\r")));
    workspace.write("my-env/pyvenv.cfg", "home = /usr/bin\n");
    workspace.write("my-env/lib/pip.py", &complex("\n"));
    workspace.write("vendored/site-packages/pip.py", &complex("\n"));
    workspace.run(&[], 0);
    let tasks = workspace.read("tasks.yml");
    assert!(tasks.contains("latin.py:4") && tasks.contains("mac.py:3"), "{tasks}");
    assert!(!tasks.contains("pip"), "{tasks}");
    let logs = std::fs::read_dir(workspace.path().join("logs")).unwrap().map(|entry| entry.unwrap().path());
    let run = logs.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("run-"));
    let log: String = run.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    assert!(log.contains("2 files are left out"), "{log}");
}
