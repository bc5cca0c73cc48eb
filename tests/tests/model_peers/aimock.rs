//! Both providers and a server that others wrote, `@copilotkit/aimock`, which fails in a way of its own for each question.
//!
//! Not here: where it comes from (`tests/aimock/package-lock.json`, `xtask/src/node.rs`), what it fails with (`aimock.mjs`).

use orch_tests::left_out;

use super::*;

/// The server behind TLS, until it is dropped.
struct Aimock {
    child: Child,
    port: u16,
}

impl Aimock {
    /// None where there is no Node.js.
    fn start(folder: &Path, certificate: &Certificate) -> Option<Self> {
        let package = root().join("target/aimock/node_modules/@copilotkit/aimock");
        if !package.is_dir() {
            let npm = Command::new("npm").arg("--version").output();
            assert!(npm.is_err(), "`{}` is missing: run `cargo xtask test`", package.display());
            left_out::say("all of it: there is no Node.js");
            return None;
        }
        let script = folder.join("aimock.mjs");
        fs::write(&script, include_str!("aimock.mjs")).unwrap();
        let mut node = Command::new("node");
        node.arg(script).arg(&certificate.cert).arg(&certificate.key).arg(package);
        let mut child = node.stdout(Stdio::piped()).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Some(Self { child, port: port.trim().parse().unwrap() })
    }
}

impl Drop for Aimock {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn each_way_in_which_a_server_of_others_fails_has_its_own_end_with_both_providers() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = certificate(folder.path());
    let Some(server) = Aimock::start(folder.path(), &certificate) else { return };
    // What is asked, what the plugin hears, what the journal has.
    let ways = [
        ("whole", "Ok(\"Three, and that is all of them. Three", None),
        ("pause", "Err(Busy(Some(7000)))", Some("busy")),
        ("limited", "Err(Busy(Some(1000)))", Some("busy")),
        ("full", "Err(Busy(None))", Some("busy")),
        ("broken", "Err(Unavailable)", Some("unavailable")),
        ("no sense", "Err(Unavailable)", Some("unavailable")),
        ("reset", "Err(Unavailable)", Some("unavailable")),
        ("half", "Err(Unavailable)", Some("unavailable")),
        ("key", "Err(Denied(\"the provider was denied by who runs the model\"))", Some("denied")),
        ("words", "Err(Invalid(", Some("invalid")),
    ];
    let tasks: Vec<String> = ["small", "large"]
        .iter()
        .flat_map(|model| ways.iter().map(move |(asked, ..)| format!("{model} {asked}")))
        .collect();
    let tasks: Vec<&str> = tasks.iter().map(String::as_str).collect();
    let bench = Bench::new(&tasks, server.port, ["/v1", ""], &certificate.cert);
    let (said, answered) = bench.run();
    assert_eq!((said.len(), answered.len()), (2 * ways.len(), 2 * ways.len()), "nobody asks twice: {said:?}");
    for (number, (said, answered)) in said.iter().zip(&answered).enumerate() {
        let (asked, heard, fault) = ways[number % ways.len()];
        let model = answered.model.as_str();
        assert!(said.starts_with(heard), "{model} {asked}: {said}");
        assert_eq!(answered.fault.as_deref(), fault, "{model} {asked}");
        assert_eq!(answered.answer.is_some() && answered.cost.is_some(), fault.is_none(), "{model} {asked}");
    }
}
