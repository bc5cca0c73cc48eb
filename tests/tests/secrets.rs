//! Secrets through the whole program: what a workspace's plugins see of them, who reads where they come from, what is refused.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail loudly")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use orch_journal::Event;
use orch_journal::event::Ending;
use orch_tests::{Workspace, err, out};

const TOKEN: &str = "t0ken-of-the/api+\"x\"";
const HOOK: &[u8] = b"\x00\x01key-of-the-hook\xff";

/// A workspace with one guest bound to a kind, its packages, and `secrets.toml`.
struct Bench {
    workspace: Workspace,
    packages: String,
}

impl Bench {
    fn new(guest: &str, kind: &str, tasks: &str) -> Self {
        let workspace = Workspace::new(tasks);
        let packages = workspace.admit_hostile(guest).to_str().unwrap().to_owned();
        let config = workspace
            .read("config.yaml")
            .replace("executors: {", &format!("executors: {{{kind}: demo/{guest}, "));
        workspace.write("config.yaml", &config);
        let bench = Self { workspace, packages };
        bench.private("token", format!("{TOKEN}\n").as_bytes());
        bench.private("hook", format!("whsec_{}\n", STANDARD.encode(HOOK)).as_bytes());
        bench.define(&format!(
            "[secrets.token]\nfile = {:?}\n\n[secrets.hook]\nfile = {:?}\nencoding = \"base64\"\n",
            bench.outside("token"),
            bench.outside("hook")
        ));
        bench
    }

    fn outside(&self, name: &str) -> PathBuf {
        self.workspace.outside().join(name)
    }

    fn private(&self, name: &str, bytes: &[u8]) {
        fs::write(self.outside(name), bytes).unwrap();
        self.mode(name, 0o600);
    }

    fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.outside(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn define(&self, text: &str) {
        let path = self.workspace.operator().join("secrets.toml");
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn run(&self, exit: i32) -> String {
        let output = self.workspace.run(&["--plugins", &self.packages], exit);
        out(&output) + &err(&output)
    }

    fn check(&self, args: &[&str], exit: i32) -> String {
        let output = self.workspace.host(&[&["secret", "check"], args].concat(), exit);
        out(&output) + &err(&output)
    }
}

fn ending(events: &[Event], task: u32) -> Ending {
    let finished = events.iter().find_map(|event| match event {
        Event::AttemptFinished(finished) if finished.task == task => Some(finished.ending.clone()),
        _ => None,
    });
    finished.unwrap()
}

/// Everything that lies below a folder.
fn everything(folder: &std::path::Path, found: &mut Vec<u8>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => everything(&entry.path(), found),
            kind if kind.is_file() => found.extend(fs::read(entry.path()).unwrap()),
            _ => {}
        }
    }
}

#[test]
fn what_a_plugin_learns_says_and_keeps_has_no_value_in_any_form() {
    let tasks = "- {id: says, kind: secret}\n- {id: fails, kind: secret}\n- {id: traps, kind: secret}\n";
    let bench = Bench::new("uses-secrets", "secret", tasks);
    let shown = bench.run(1);
    let events = bench.workspace.events();
    let Ending::Done { summary } = ending(&events, 0) else { panic!("{:?}", ending(&events, 0)) };
    assert_eq!(summary.matches("orch-secret-").count(), 4, "{summary}");
    assert!(!summary.contains("Err"), "{summary}");
    for task in [1, 2] {
        assert!(!matches!(ending(&events, task), Ending::Done { .. }), "{:?}", ending(&events, task));
    }
    let mut written = shown.into_bytes();
    everything(&bench.workspace.path(), &mut written);
    let report = bench.workspace.host(&["report", "--format", "json"], 0);
    written.extend(report.stdout);
    let words = String::from_utf8_lossy(&written).matches("orch-secret-").count();
    assert!(words >= 8, "the words themselves are no secret: {words}");
    for value in [TOKEN.as_bytes(), HOOK] {
        for form in [value.to_vec(), hex::encode(value).into_bytes(), STANDARD.encode(value).into_bytes()] {
            let stands = written.windows(form.len()).any(|window| window == form);
            assert!(!stands, "{}", form.escape_ascii());
        }
    }
    // The host's own scan agrees, and it would find one.
    let clean = bench.check(&[], 0);
    assert!(
        clean.contains("ok   token") && clean.contains("ok   hook") && !clean.contains("LEAK"),
        "{clean}"
    );
    bench.workspace.write("logs/mine.log", &format!("- {}\n", hex::encode(HOOK)));
    let leak = bench.check(&[], 1);
    assert!(leak.contains("LEAK hook stands in `logs/mine.log`, from byte 2 on"), "{leak}");
    assert!(!bench.check(&["token"], 0).contains("LEAK"));
}

#[test]
fn whoever_asks_for_more_is_told_no() {
    let bench = Bench::new("misuses-secrets", "misuse", "- {id: asks, kind: misuse}\n");
    bench.run(0);
    let events = bench.workspace.events();
    let Ending::Done { summary } = ending(&events, 0) else { panic!("{:?}", ending(&events, 0)) };
    let lines: Vec<&str> = summary.lines().collect();
    assert_eq!(lines[0].matches("Denied").count(), 6, "{summary}");
    assert_eq!(lines[1].matches("Invalid").count(), 2, "{summary}");
    assert!(lines[2].contains("Invalid"), "{summary}");
    assert!(lines[3].starts_with("64 words, then Some(Limit(\"secrets.words\"))"), "{summary}");
    let denied = events.iter().filter(|event| matches!(event, Event::Denied { .. })).count();
    assert_eq!(denied, 6, "the operator hears of each");
    assert!(!summary.contains(TOKEN));
}

#[test]
fn a_secret_that_nobody_defines_is_named_before_a_task_begins() {
    let bench = Bench::new("uses-secrets", "secret", "- {id: says, kind: secret}\n");
    bench.define(&format!("[secrets.token]\nfile = {:?}\n", bench.outside("token")));
    let said = bench.run(2);
    assert!(said.contains("`demo/uses-secrets` may use secret `hook`"), "{said}");
    assert!(said.contains("code: secret-undefined") && said.contains("`[secrets.hook]`"), "{said}");
    assert!(!bench.workspace.path().join(".orch").exists());
    let narrow =
        "narrow:\n  demo/uses-secrets: {secrets: {use: [{name: token, host: 'api.example.com:443'}]}}\n";
    bench.workspace.write("config.yaml", &(bench.workspace.read("config.yaml") + narrow));
    bench.run(0);
    let events = bench.workspace.events();
    let Ending::Done { summary } = ending(&events, 0) else { panic!("{:?}", ending(&events, 0)) };
    assert_eq!(summary.matches("Denied").count(), 2, "what was narrowed away is denied: {summary}");
}

#[test]
fn a_source_that_fails_is_the_operators_to_know() {
    let bench = Bench::new("uses-secrets", "secret", "- {id: says, kind: secret}\n");
    bench.mode("token", 0o640);
    let said = bench.check(&[], 1);
    assert!(said.contains("its mode is 640, expected 600 or 400") && said.contains("ok   hook"), "{said}");
    bench.run(0);
    let events = bench.workspace.events();
    let Ending::Done { summary } = ending(&events, 0) else { panic!("{:?}", ending(&events, 0)) };
    assert_eq!(summary.matches("Unavailable").count(), 2, "{summary}");
    // No digits alone: a word that was drawn may have them.
    let told = ["its mode", "expected 600"].iter().any(|why| summary.contains(why));
    assert!(!told, "the plugin is not told why: {summary}");
    let warned: Vec<&String> = events
        .iter()
        .filter_map(|event| match event {
            Event::Warned { code, text } if code == "secret-unavailable" => Some(text),
            _ => None,
        })
        .collect();
    assert!(warned.len() == 1 && warned[0].contains("its mode is 640"), "{warned:?}");
}

#[test]
fn sources_are_read_when_somebody_needs_them_and_not_before() {
    let bench = Bench::new("uses-secrets", "secret", "- {id: other, kind: note}\n");
    // A program that tells when it is started.
    let (program, told) = (bench.outside("give"), bench.outside("told"));
    fs::write(
        &program,
        format!("#!/bin/sh\necho started >> {}\necho {}\n", told.display(), "value-of-program"),
    )
    .unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
    let of = |name: &str| format!("[secrets.{name}]\nprogram = [{program:?}]\n");
    bench.define(&(of("token") + &of("hook")));
    bench.run(0);
    assert!(!told.exists(), "nobody asked for a word");
    bench.workspace.write("tasks.yml", "- {id: one, kind: secret}\n- {id: two, kind: secret}\n");
    bench.run(0);
    let started = fs::read_to_string(&told).unwrap().lines().count();
    assert_eq!(started, 2, "once for each secret, not for each word or call");
}

#[test]
fn what_a_program_says_on_its_errors_is_shown_by_check_alone() {
    let bench = Bench::new("uses-secrets", "secret", "- {id: says, kind: secret}\n");
    let program = bench.outside("give");
    fs::write(&program, "#!/bin/sh\necho \"no such entry: $1 \u{1b}[31m\" >&2\nexit 4\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
    let of = |name: &str| format!("[secrets.{name}]\nprogram = [{program:?}, \"the-entry\"]\n");
    bench.define(&(of("token") + &of("hook")));
    let said = bench.check(&["hook"], 1);
    assert!(said.contains("failed with exit status: 4"), "{said}");
    assert!(said.contains("it said: no such entry: the-entry") && !said.contains('\u{1b}'), "{said}");
    bench.run(0);
    let mut written = Vec::new();
    everything(&bench.workspace.path(), &mut written);
    let written = String::from_utf8_lossy(&written).into_owned();
    assert!(written.contains("exit status: 4") && !written.contains("the-entry"), "it may have said a value");
}

#[test]
fn what_others_can_change_and_what_is_malformed_is_refused() {
    let bench = Bench::new("uses-secrets", "secret", "- {id: says, kind: secret}\n");
    let path = bench.workspace.operator().join("secrets.toml");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o620)).unwrap();
    assert!(bench.run(2).contains("code: operator-writable"));
    for (text, expected) in [
        ("[secrets.token]\nfiel = \"/x\"\n", "the nearest is `file`"),
        ("[secrets.token]\nkeyring = { service = \"a\", account = \"b\" }\n", "/usr/bin/secret-tool"),
        ("[secrets.token]\nvalue = \"hunter22\"\n", "which nobody reads"),
        ("token = hunter22\n", "line 1 is no TOML"),
    ] {
        bench.define(text);
        let said = bench.run(2);
        assert!(said.contains(expected) && said.contains("secrets.toml"), "{text}: {said}");
        assert!(!said.contains("hunter22"), "{said}");
    }
}

#[test]
fn a_workspace_says_nothing_about_where_secrets_come_from() {
    let bench = Bench::new("uses-secrets", "secret", "- {id: says, kind: secret}\n");
    // A file of that name in a workspace is nobody's.
    bench.workspace.write("secrets.toml", "[secrets.token]\nenv = \"HOME\"\n");
    bench.workspace.write(".orch-secrets.toml", "[secrets.token]\nenv = \"HOME\"\n");
    bench.define("");
    assert!(bench.run(2).contains("code: secret-undefined"));
    let config = bench.workspace.read("config.yaml");
    bench.workspace.write("config.yaml", &format!("{config}secrets: {{token: {{env: HOME}}}}\n"));
    assert!(bench.run(2).contains("`secrets`"));
}

#[test]
fn doctor_and_list_say_who_may_use_what_and_what_programs_see() {
    let bench = Bench::new("uses-secrets", "secret", "- {id: says, kind: secret}\n");
    // Where the commands find what a certifier vouched for, before what nobody did.
    let policy = bench.workspace.operator().join("policy.toml");
    let text = fs::read_to_string(&policy).unwrap();
    let vouched = format!("packages = [{:?}, ", bench.packages);
    fs::write(policy, text.replacen("packages = [", &vouched, 1)).unwrap();
    bench.define("[secrets.home]\nenv = \"HOME\"\n\n[secrets.token]\nenv = \"NOT_SET_ANYWHERE\"\n");
    let listed = out(&bench.workspace.host(&["secret", "list"], 0));
    assert!(
        listed.contains("token  env NOT_SET_ANYWHERE\n  demo/uses-secrets 0.1.0 for api.example.com:443"),
        "{listed}"
    );
    assert!(listed.contains("hook  `secrets.toml` does not define it\n"), "{listed}");
    let document = out(&bench.workspace.host(&["secret", "list", "--format", "json"], 0));
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    // Also what others may use stands there.
    let of = |name: &str| {
        let all = document.as_array().unwrap();
        all.iter().find(|one| one["name"] == name).cloned().unwrap()
    };
    assert_eq!((&of("home")["source"], &of("hook")["source"]), (&"env".into(), &serde_json::Value::Null));
    assert_eq!(of("token")["uses"][0]["host"], "api.example.com:443");
    let doctor = bench.workspace.host(&["doctor", "--workspace", "."], 1);
    let (doctor, hints) = (out(&doctor), err(&doctor));
    assert!(doctor.contains("`demo/uses-secrets` may use secret `hook`"), "{doctor}");
    assert!(hints.contains("`[secrets.hook]`"), "{hints}");
    let sees = "demo/executor-shell: PROCESS SEES secret `home`: its programs get the variable `HOME`";
    assert!(doctor.contains(sees), "{doctor}");
    assert!(!doctor.contains("PROCESS SEES secret `token`"), "{doctor}");
    let shell = orch_tests::packages().join("demo/executor-shell/0.1.0");
    let inspected = out(&bench.workspace.host(&["plugin", "inspect", shell.to_str().unwrap()], 0));
    assert!(inspected.contains("PROCESS SEES secret `home`"), "{inspected}");
}
