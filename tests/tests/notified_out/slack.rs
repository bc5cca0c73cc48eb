//! Notices to a stand-in of Slack that others wrote, read back by Slack's own client: all in a network namespace.

use std::fs;
use std::process::Command;

use orch_tests::{err, out, root};
use serde_json::{Value, json};

use super::{TOKEN, certified, tells};

/// Where the stand-in is over TLS.
const ADDRESS: &str = "127.0.0.1:4701";

#[test]
fn what_slack_s_stand_in_took_is_read_back_by_slack_s_own_client() {
    let stand_in = root().join("target/slack/node_modules/emulate/dist/index.js");
    if Command::new("npm").arg("--version").output().is_err() {
        // Without Node.js there is none.
        return;
    }
    assert!(stand_in.exists(), "`{}` is missing: run `cargo xtask test`", stand_in.display());
    let settings = json!({ "channels": { "ops": "general" } });
    let at = ("slack.com:443", "api=/api");
    let (workspace, guests) = tells("provider-slack-notify", at, &settings, TOKEN, |folder| {
        certified(folder);
        ADDRESS.to_owned()
    });
    let folder = workspace.outside();
    fs::write(folder.join("internet.py"), include_str!("../outgoing/internet.py")).unwrap();
    fs::write(folder.join("slack.py"), include_str!("slack.py")).unwrap();
    let host = workspace.command(&["run", "--trust-workspace", "--plugins", &guests]);
    let python = root().join("target/receivers/bin/python");
    let mut world = Command::new("unshare");
    world.args(["--user", "--map-root-user", "--net"]).arg(python).arg(folder.join("slack.py"));
    world.arg(folder.join("receiver.pem")).arg(folder.join("heard.json")).arg(stand_in);
    world.arg(host.get_program()).args(host.get_args()).current_dir(workspace.path());
    for (name, value) in host.get_envs() {
        match value {
            Some(value) => world.env(name, value),
            None => world.env_remove(name),
        };
    }
    let output = world.output().unwrap();
    assert!(output.status.success(), "{}{}", out(&output), err(&output));
    let heard: Value = serde_json::from_str(&fs::read_to_string(folder.join("heard.json")).unwrap()).unwrap();
    let [message] = heard.as_array().unwrap().as_slice() else { panic!("{heard}") };
    assert_eq!(message["text"], "all is well");
    assert_eq!(message["metadata"]["event_type"], "orch_notice");
    let said = out(&workspace.host(&["report", "--format", "json"], 0));
    assert!(said.contains(message["ts"].as_str().unwrap()), "{said} {heard}");
}
