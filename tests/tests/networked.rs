//! Commands that were granted a network: what usual tools reach through the host, and what nobody reaches.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use orch_journal::Event;
use orch_journal::event::{NetworkUse, NetworkUsed};
use orch_tests::hears::Hears;
use orch_tests::{Workspace, err, out, until};
use rustix::process::Signal;

/// Serves the folder over TLS, or without, and says its port.
const SERVER: &str = r#"
import functools, http.server, ssl, sys, threading
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
if len(sys.argv) > 2:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(sys.argv[2])
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print(server.server_address[1], flush=True)
server.serve_forever()
"#;

/// A wheel without a line of code, in an index of it.
const WHEEL: &str = r#"
import os, sys, zipfile
folder = os.path.join(sys.argv[1], "simple", "tinything")
os.makedirs(folder)
name = "tinything-1.0-py3-none-any.whl"
with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
    info = "tinything-1.0.dist-info/"
    wheel.writestr("tinything.py", "said = 'tiny'\n")
    wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: tinything\nVersion: 1.0\n")
    wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(info + "RECORD", f"tinything.py,,\n{info}METADATA,,\n{info}WHEEL,,\n{info}RECORD,,\n")
"#;

/// A sandbox around this script, with that network.
fn granted(script: &str, network: &[String]) -> Workspace {
    let script = serde_json::to_string(script).unwrap();
    let workspace = Workspace::new(&format!("- {{id: a, retries: 0, command: [sh, -c, {script}]}}\n"));
    let path = workspace.operator().join("policy.toml");
    let text = fs::read_to_string(&path).unwrap();
    let network = format!("\"PATH\"], network = {network:?} }}");
    let text = text.replace("[sandbox]\nmode = \"off\"\n", "").replacen("\"PATH\"] }", &network, 1);
    assert!(text.contains("network = ") && !text.contains("[sandbox]"), "{text}");
    fs::write(&path, text).unwrap();
    workspace
}

/// A key and a certificate for whoever is called so, as one file, and the issuer's, as another.
fn certified(workspace: &Workspace, name: &str) {
    let (server, ca) = orch_tests::world::certified(&[name]);
    workspace.write("server.pem", &server);
    workspace.write("ca.pem", &ca);
}

/// What the only command reached, but for times.
fn used(workspace: &Workspace) -> Vec<NetworkUse> {
    let mut found = workspace.events().into_iter().filter_map(|event| match event {
        Event::NetworkUsed(used) => Some(*used),
        _ => None,
    });
    let NetworkUsed { uses, others, .. } = found.next().unwrap();
    assert!(others == 0 && found.next().is_none());
    uses
}

fn log(workspace: &Workspace) -> String {
    out(&workspace.host(&["logs", "a"], 0))
}

/// A server of a folder, until it is dropped.
struct Served {
    server: Child,
    port: u16,
}

impl Served {
    fn new(folder: &std::path::Path, pem: Option<&std::path::Path>) -> Self {
        let mut server = Command::new("python3");
        server.args(["-c", SERVER]).arg(folder).args(pem).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut server = server.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { server, port: line.trim().parse().unwrap() }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn tools_reach_the_hosts_that_were_granted_by_name_and_no_others() {
    let script = "curl -sS --fail-with-body -m 60 --cacert ca.pem https://public.example/open/tls?q=private || exit 2; \
                  curl -sS --fail-with-body -m 60 http://public.example/open/plain -d hello || exit 3; \
                  python3 -c 'import urllib.request as u; u.urlopen(\"http://public.example/open/python\", timeout=60).read()' || exit 4; \
                  curl -sS -m 60 https://rebound.example/first -k; curl -sS -m 60 https://inside.example/; curl -sS -m 60 http://own.example/; \
                  curl -sS -m 60 -k https://public.example:8443/ ; curl -sS -m 60 http://elsewhere.example/; \
                  curl -sS -m 60 --noproxy '*' http://93.184.216.34/open/past && exit 5; \
                  curl -sS -m 60 --noproxy '' http://93.184.216.34/open/past; \
                  curl -sS -m 60 --noproxy '' http://127.0.0.1:8080/open/past; \
                  curl -sS -m 60 --connect-to public.example:443:inside.example:443 -k https://public.example/ ; \
                  curl -sS -m 60 -k --connect-to fronted.example:443:public.example:443 https://fronted.example/ && exit 6; \
                  exit 0";
    let network = [
        "public.example:443",
        "public.example:80",
        "inside.example:443",
        "rebound.example:443",
        "own.example:80",
    ];
    let workspace = granted(script, &network.map(str::to_owned));
    certified(&workspace, "public.example");
    workspace.write("world.py", include_str!("outgoing/world.py"));
    workspace.write("internet.py", include_str!("outgoing/internet.py"));
    let host = workspace.command(&["run", "--trust-workspace"]);
    let mut world = Command::new("unshare");
    world.args(["--user", "--map-root-user", "--net", "--mount", "python3", "world.py"]);
    world.arg(host.get_program()).args(host.get_args()).current_dir(workspace.path());
    for (name, value) in host.get_envs() {
        match value {
            Some(value) => world.env(name, value),
            None => world.env_remove(name),
        };
    }
    let output = world.output().unwrap();
    assert!(workspace.has_run(), "{}{}", out(&output), err(&output));
    let log = log(&workspace);
    assert_eq!(output.status.code(), Some(0), "{}{}{log}", out(&output), err(&output));
    let seen: serde_json::Value = serde_json::from_str(&workspace.read("seen.json")).unwrap();
    let places: Vec<String> = seen["seen"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| format!("{} {}", one["at"].as_str().unwrap(), one["path"].as_str().unwrap()))
        .collect();
    // Once that name led to somebody whom a name may lead to.
    let wanted = ["443 /open/tls?q=private", "80 /open/plain", "80 /open/python", "443 /first"];
    assert_eq!(places, wanted.map(|place| format!("93.184.216.34:{place}")), "{log}");
    let counts: Vec<_> =
        used(&workspace).into_iter().map(|one| (one.target, one.connections, one.refused)).collect();
    let target = |target: &str, connections, refused| (target.to_owned(), connections, refused);
    assert_eq!(
        counts,
        [
            target("elsewhere.example:80", 0, 1),
            target("inside.example:443", 0, 2),
            target("own.example:80", 0, 1),
            target("public.example:80", 2, 0),
            target("public.example:443", 1, 1),
            target("public.example:8443", 0, 1),
            target("rebound.example:443", 1, 0),
            target("93.184.216.34:80", 0, 1),
            target("127.0.0.1:8080", 0, 1),
        ],
        "{log}"
    );
    for line in [
        "[orch: `elsewhere.example:80` is not granted: `network = [\"elsewhere.example:80\"]` in the plugin's `process` of the",
        "`127.0.0.1:8080` is not granted",
        "169.254.169.254",
        "`own.example` leads to 93.184.216.35",
        "its TLS names `fronted.example`",
    ] {
        assert!(log.contains(line), "{line}\n{log}");
    }
}

#[test]
fn a_repository_is_cloned_over_tls_from_an_address_that_was_granted() {
    let origin = tempfile::tempdir().unwrap();
    let git = |args: &[&str]| {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@example", "-C"];
        let done = Command::new("git").args(identity).arg(origin.path()).args(args).output().unwrap();
        assert!(done.status.success(), "{}", err(&done));
    };
    git(&["init", "-q", "-b", "main", "work"]);
    git(&["-C", "work", "commit", "-q", "--allow-empty", "-m", "first of them"]);
    git(&["clone", "-q", "--bare", "work", "bare.git"]);
    git(&["-C", "bare.git", "update-server-info"]);
    let pem = Workspace::new("[]\n");
    certified(&pem, "127.0.0.1");
    let served = Served::new(origin.path(), Some(&pem.path().join("server.pem")));
    let target = format!("127.0.0.1:{}", served.port);
    // By the address itself, and by the proxy.
    let script = format!(
        "git -c http.sslCAInfo=$PWD/ca.pem clone -q https://{target}/bare.git one && \
         NO_PROXY= no_proxy= git -c http.sslCAInfo=$PWD/ca.pem clone -q https://{target}/bare.git two && \
         git -C one log --format=%s && git -C two log --format=%s"
    );
    let workspace = granted(&script, std::slice::from_ref(&target));
    workspace.write("ca.pem", &pem.read("ca.pem"));
    let output = workspace.command(&["run", "--trust-workspace"]).output().unwrap();
    let log = log(&workspace);
    assert_eq!(output.status.code(), Some(0), "{}{}{log}", out(&output), err(&output));
    assert_eq!(log.matches("first of them").count(), 2, "{log}");
    let used = used(&workspace);
    assert_eq!((used.len(), &used[0].target, used[0].refused), (1, &target, 0));
    assert!(used[0].connections >= 2 && used[0].received > 1000, "{used:?}");
}

#[test]
fn a_package_is_installed_from_an_index_that_was_granted() {
    let index = tempfile::tempdir().unwrap();
    assert!(Command::new("python3").args(["-c", WHEEL]).arg(index.path()).status().unwrap().success());
    let served = Served::new(index.path(), None);
    let target = format!("127.0.0.1:{}", served.port);
    let install = format!(
        "/usr/bin/python3 -m pip --isolated --no-cache-dir install -q --no-input --disable-pip-version-check --target there \
         --retries 0 --timeout 60 --index-url http://{target}/simple tinything"
    );
    let script = format!(
        "{install} && PYTHONPATH=there /usr/bin/python3 -c 'import tinything; print(tinything.said)'"
    );
    let workspace = granted(&script, std::slice::from_ref(&target));
    let output = workspace.command(&["run", "--trust-workspace"]).output().unwrap();
    let log = log(&workspace);
    assert_eq!(output.status.code(), Some(0), "{}{}{log}", out(&output), err(&output));
    assert!(log.contains("tiny\n"), "{log}");
    assert_eq!(used(&workspace)[0].target, target);
    // Nobody who was not granted it.
    let workspace = granted(&script, &["a.example:443".to_owned()]);
    assert_eq!(workspace.command(&["run", "--trust-workspace"]).output().unwrap().status.code(), Some(1));
}

#[test]
fn what_a_task_says_of_proxies_moves_nothing() {
    let script = "echo \"$HTTPS_PROXY $https_proxy $no_proxy\"";
    let network = ["127.0.0.1:61080".to_owned(), "a.example:443".to_owned()];
    let workspace = granted(script, &network);
    let path = workspace.operator().join("policy.toml");
    let text = fs::read_to_string(&path).unwrap();
    let text =
        text.replacen("\"PATH\"], network", "\"PATH\", \"HTTPS_PROXY@sh\", \"no_proxy@sh\"], network", 1);
    fs::write(&path, text).unwrap();
    let tasks = workspace.read("tasks.yml");
    let env = "env: {HTTPS_PROXY: \"http://else.example:1\", no_proxy: \"*\"}, command";
    workspace.write("tasks.yml", &tasks.replace("command", env));
    workspace.run(&[], 0);
    // Above the port that was granted.
    let own = "http://127.0.0.1:61081";
    let log = log(&workspace);
    assert!(log.contains(&format!("{own} {own} localhost,127.0.0.1,::1\n")), "{log}");
    assert!(!workspace.events().iter().any(|event| matches!(event, Event::NetworkUsed(_))));
}

#[test]
fn what_an_aborted_command_reached_is_recorded() {
    let script = "import socket\ns = socket.create_server((\"127.0.0.1\", 0))\nprint(s.getsockname()[1], flush=True)\n\
                  c = s.accept()[0]\nc.recv(5, socket.MSG_WAITALL)\nc.send(b\"abc\")\nc.recv(1)\n";
    let mut server = Command::new("python3");
    let mut server = server.args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let target = format!("127.0.0.1:{}", line.trim());
    let command = format!(
        "import socket, time\ns = socket.create_connection((\"127.0.0.1\", {}))\ns.send(b\"hello\")\ns.recv(3, socket.MSG_WAITALL)\n\
         open(\"answered\", \"w\")\ntime.sleep(600)\n",
        line.trim()
    );
    let script = format!("exec /usr/bin/python3 -c '{command}'");
    let workspace = granted(&script, std::slice::from_ref(&target));
    let mut host = workspace.command(&["run", "--trust-workspace"]);
    let mut host = host.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let hears = Hears::to(&mut host);
    until(|| workspace.path().join("answered").exists());
    hears.interrupt(Signal::INT);
    hears.interrupt_again(Signal::INT);
    let said = hears.end();
    assert_eq!(host.wait().unwrap().code(), Some(130), "{said}");
    let _ = server.kill();
    let _ = server.wait();
    let used = used(&workspace);
    assert_eq!((used.len(), used[0].connections, used[0].sent, used[0].received), (1, 1, 5, 3), "{used:?}");
    let events = workspace.events();
    let at = |is_it: fn(&Event) -> bool| events.iter().position(is_it).unwrap();
    assert!(
        at(|event| matches!(event, Event::NetworkUsed(_)))
            < at(|event| matches!(event, Event::AttemptFinished(_)))
    );
}

/// Takes every connection and never ends one.
const HOLDS: &str = r#"
import socket
server, kept = socket.create_server(("127.0.0.1", 0), backlog=1024), []
print(server.getsockname()[1], flush=True)
while True:
    kept.append(server.accept())
"#;

#[test]
fn commands_that_hold_all_their_connections_keep_nobody_from_what_it_needs() {
    let mut server = Command::new("python3");
    let mut server = server.args(["-c", HOLDS]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = format!("127.0.0.1:{}", line.trim());
    let workspace = granted("true", std::slice::from_ref(&address));
    // More than the host has files for; those that are not taken wait in the command's own kernel queue.
    let holds = format!(
        "import os, socket, time\nkept = []\nfor _ in range(64):\n s = socket.socket()\n s.setblocking(False)\n \
         s.connect_ex((\"127.0.0.1\", {}))\n kept.append(s)\nopen(\"held\", \"a\").write(\"x\")\n\
         while not os.path.exists(\"go\"): time.sleep(0.02)\n",
        line.trim()
    );
    workspace.write("holds.py", &holds);
    let mut tasks: String = (0..6)
        .map(|task| {
            format!("- {{id: h{task}, timeout: 60, command: [sh, -c, 'exec /usr/bin/python3 holds.py']}}\n")
        })
        .collect();
    for task in 0..20 {
        let last = if task == 19 { "; touch go" } else { "" };
        let wait = "until test \"$(cat held)\" = xxxxxx; do sleep 0.02; done";
        tasks +=
            &format!("- {{id: v{task}, priority: -1, timeout: 60, command: [sh, -c, '{wait}{last}']}}\n");
    }
    workspace.write("tasks.yml", &tasks);
    let host = workspace.command(&["run", "--trust-workspace", "--jobs", "7"]);
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 400; exec \"$0\" \"$@\""]).arg(host.get_program()).args(host.get_args());
    limited.current_dir(workspace.path());
    for (name, value) in host.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    let output = limited.output().unwrap();
    let _ = server.kill();
    let _ = server.wait();
    assert_eq!(output.status.code(), Some(0), "{}{}", out(&output), err(&output));
    assert!(workspace.statuses().values().all(|status| status == "done"));
}
