//! Notices that leave the machine: a webhook and Slack. Signatures are checked by the library of Standard Webhooks; what goes to
//! Slack is held beside what Slack's own client sends to the same receiver.
//!
//! Not here: where both come from (`tests/receivers/requirements.txt`, `xtask/src/python.rs`).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

mod slack;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use orch_journal::Event;
use orch_journal::event::Ending;
use orch_tests::{Workspace, out, root};
use serde_json::{Value, json};

const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const TOKEN: &str = "xoxb-the-token-of-the-bot";

/// With the packages of `tests/receivers/requirements.txt`.
fn python() -> Command {
    let program = root().join("target/receivers/bin/python");
    assert!(program.exists(), "`{}` is missing: run `cargo xtask test`", program.display());
    Command::new(program)
}

/// Takes what is sent, until it is dropped.
struct Receiver {
    child: Child,
    port: u16,
}

impl Receiver {
    fn start(folder: &Path, secret: &str, answers: &[&str]) -> Self {
        let pem = certified(folder);
        fs::write(folder.join("receiver.py"), include_str!("notified_out/receiver.py")).unwrap();
        let mut python = python();
        python.arg(folder.join("receiver.py")).arg(pem).arg(secret).args(answers);
        let mut child = python.stdout(Stdio::piped()).spawn().unwrap();
        // One byte at a time, so that what follows stays in the pipe.
        let mut line = String::new();
        let mut first = BufReader::with_capacity(1, child.stdout.as_mut().unwrap());
        first.read_line(&mut line).unwrap();
        Self { port: line.trim().parse().unwrap(), child }
    }

    /// Every request that came.
    fn requests(mut self) -> Vec<Value> {
        self.child.kill().unwrap();
        let lines = BufReader::new(self.child.stdout.take().unwrap()).lines();
        lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
    }
}

/// A key with a certificate for this machine, and `ca.pem` beside it.
fn certified(folder: &Path) -> PathBuf {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let pem = folder.join("receiver.pem");
    fs::write(folder.join("ca.pem"), made.cert.pem()).unwrap();
    fs::write(&pem, made.signing_key.serialize_pem() + &made.cert.pem()).unwrap();
    pem
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A workspace that notices go out of to that address, and the guest's packages. `named`: the host in the operator's policy that
/// the address takes the place of.
fn tells(
    provider: &str,
    (named, path): (&str, &str),
    settings: &Value,
    secret: &str,
    address: impl FnOnce(&Path) -> String,
) -> (Workspace, String) {
    let workspace = Workspace::new("- {id: tells, kind: send, description: ops all is well}\n");
    let guests = workspace.admit_hostile("sends-notices").to_str().unwrap().to_owned();
    let address = address(workspace.outside());
    let policy = workspace.operator().join("policy.toml");
    let ca_file = workspace.outside().join("ca.pem");
    let text = fs::read_to_string(&policy).unwrap().replace(named, &address);
    fs::write(&policy, format!("{text}\n[egress]\nca_file = {ca_file:?}\n")).unwrap();
    let private = |path: &Path, text: &str| {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    };
    let (name, encoding) = match secret.starts_with("whsec_") {
        true => ("webhook", "base64"),
        false => ("slack", "plain"),
    };
    let file = workspace.outside().join("secret");
    private(&file, secret);
    private(
        &workspace.operator().join("secrets.toml"),
        &format!("[secrets.{name}]\nfile = {file:?}\nencoding = \"{encoding}\"\n"),
    );
    let mut settings = settings.clone();
    let (key, path) = path.split_once('=').unwrap();
    settings[key] = json!(format!("https://{address}{path}"));
    let config =
        workspace.read("config.yaml").replace("executors: {", "executors: {send: demo/sends-notices, ");
    workspace.write(
        "config.yaml",
        &format!(
            "{config}providers: {{notify: demo/{provider}}}\nsettings: {{demo/{provider}: {settings}}}\n"
        ),
    );
    (workspace, guests)
}

/// A workspace that notices go out of.
struct Bench {
    workspace: Workspace,
    guests: String,
    receiver: Receiver,
}

impl Bench {
    fn new(
        provider: &str,
        at: (&str, &str),
        settings: &Value,
        secret: &str,
        answers: (&str, &[&str]),
    ) -> Self {
        let mut receiver = None;
        let start = |folder: &Path| {
            let started = receiver.insert(Receiver::start(folder, answers.0, answers.1));
            format!("127.0.0.1:{}", started.port)
        };
        let (workspace, guests) = tells(provider, at, settings, secret, start);
        let receiver = receiver.unwrap();
        Self { workspace, guests, receiver }
    }

    fn webhook(secret: &str, answers: &[&str]) -> Self {
        let at = ("hooks.example.com:443", "url=/orch?room=1");
        Self::new("provider-webhook-notify", at, &json!({}), secret, (KEY, answers))
    }

    fn slack(secret: &str, answers: &[&str]) -> Self {
        let settings = json!({ "channels": { "ops": "C0123" } });
        let at = ("slack.com:443", "api=/api");
        Self::new("provider-slack-notify", at, &settings, secret, (TOKEN, answers))
    }

    /// What the consumer says of it, what was warned, and what came.
    fn run(self) -> (String, Vec<String>, Vec<Value>) {
        let output = self.workspace.run(&["--plugins", &self.guests], 0);
        let events = self.workspace.events();
        let ending = events.iter().find_map(|event| match event {
            Event::AttemptFinished(finished) => Some(finished.ending.clone()),
            _ => None,
        });
        let said = match ending.unwrap() {
            Ending::Done { summary } => summary,
            other => format!("{other:?}"),
        };
        let warned = events.iter().filter_map(|event| match event {
            Event::Warned { code, text } if code == "provider-failed" => Some(text.clone()),
            _ => None,
        });
        let warned = warned.collect();
        // Nothing of what lets in is in what people see.
        assert!(!out(&output).contains(TOKEN) && !out(&output).contains(KEY));
        (said, warned, self.receiver.requests())
    }
}

#[test]
fn a_webhook_gets_each_notice_signed_and_the_same_one_again_when_it_was_busy() {
    let (said, warned, requests) = Bench::webhook(KEY, &["503", "204"]).run();
    assert_eq!(requests.len(), 2, "{said} {warned:?}");
    for request in &requests {
        assert_eq!((&request["good"], &request["path"]), (&json!(true), &json!("/orch?room=1")), "{request}");
        assert_eq!(request["body"]["data"]["title"], "all is well");
        assert_eq!(request["body"], requests[0]["body"]);
        assert_eq!(request["headers"]["webhook-id"], requests[0]["headers"]["webhook-id"]);
    }
    let id = requests[0]["headers"]["webhook-id"].as_str().unwrap();
    assert!(said.contains(id) && !id.contains('.'), "{said} {id}");
    assert_eq!(warned, [""; 0]);
}

#[test]
fn a_webhook_that_is_gone_or_checks_another_key_is_not_asked_again() {
    for (key, answer, status) in
        [(KEY, "410", "410"), ("whsec_YW5vdGhlci1rZXktYWx0b2dldGhlcg==", "204", "401")]
    {
        let (_, warned, requests) = Bench::webhook(key, &[answer]).run();
        assert_eq!(requests.len(), 1, "{warned:?}");
        assert_eq!(requests[0]["good"], json!(key == KEY));
        assert!(warned.iter().any(|text| text.contains(status)), "{warned:?}");
    }
}

#[test]
fn slack_gets_a_message_once_it_has_room_for_it() {
    let (said, warned, requests) = Bench::slack(TOKEN, &["ratelimited", "200"]).run();
    assert_eq!(requests.len(), 2, "{said} {warned:?}");
    assert!(said.contains("C0123:1503435956.000247"), "{said}");
    let body = &requests[1]["body"];
    assert_eq!((&body["channel"], &body["text"]), (&json!("C0123"), &json!("all is well")));
    assert_eq!(requests[1]["good"], true);
}

#[test]
fn what_slack_refuses_is_said_in_words() {
    for (token, answer, words) in
        [(TOKEN, "not_in_channel", "invite it"), ("xoxb-another", "200", "the token is none of Slack's")]
    {
        let (_, warned, requests) = Bench::slack(token, &[answer]).run();
        assert_eq!(requests.len(), 1, "{warned:?}");
        assert!(warned.iter().any(|text| text.contains(words)), "{warned:?}");
    }
}

#[test]
fn slack_s_own_client_posts_the_same_and_hears_the_same() {
    for (token, answers, hears) in [
        (TOKEN, &["ratelimited", "200"][..], "ok C0123:1503435956.000247"),
        (TOKEN, &["not_in_channel"], "not_in_channel"),
        ("xoxb-another", &["200"], "invalid_auth"),
    ] {
        let (said, warned, ours) = Bench::slack(token, answers).run();
        assert_eq!(ours.len(), answers.len(), "{said} {warned:?}");
        let folder = tempfile::tempdir().unwrap();
        let receiver = Receiver::start(folder.path(), TOKEN, answers);
        let mut client = python();
        client.arg("-c").arg(include_str!("notified_out/slack_client.py"));
        client.arg(format!("https://127.0.0.1:{}/api/", receiver.port)).arg(folder.path().join("ca.pem"));
        let heard = client.arg(token).arg(ours[0]["body"].to_string()).output().unwrap();
        let theirs = receiver.requests();
        let (heard, why) = (out(&heard), String::from_utf8_lossy(&heard.stderr).into_owned());
        assert_eq!(heard.trim(), hears, "{why}");
        assert_eq!(theirs.len(), ours.len(), "{theirs:?}");
        for (ours, theirs) in ours.iter().zip(&theirs) {
            for part in ["path", "body", "good"] {
                assert_eq!(ours[part], theirs[part], "{part}");
            }
            let header = |request: &Value, name: &str| {
                let headers = request["headers"].as_object().unwrap();
                let found = headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
                found.unwrap().1.as_str().unwrap().to_owned()
            };
            assert_eq!(header(ours, "authorization"), header(theirs, "authorization"));
            // Theirs names the letters too.
            assert!(header(theirs, "content-type").starts_with(&header(ours, "content-type")), "{theirs}");
        }
    }
}
