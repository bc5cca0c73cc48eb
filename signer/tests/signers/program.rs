//! Programs as signers: shell scripts that answer well and badly.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Instant;

use orch_signer::address::SignerAddress;
use orch_signer::key_file::Purpose;
use orch_signer::passphrase::Passphrases;
use orch_signer::signer::{self, SignerError};
use orch_trust::key::{SecretKey, Signer, base64_encode};

struct Program {
    folder: tempfile::TempDir,
    path: PathBuf,
}

fn key() -> SecretKey {
    SecretKey::from_seed(&[7; 32])
}

impl Program {
    /// A script of `sh` with a file `signature` beside it, over `message`.
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("signature"), key().sign(b"message")).unwrap();
        let path = folder.path().join("program");
        let here = folder.path().display();
        fs::write(&path, format!("#!/bin/sh\nhere={here}\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        Self { folder, path }
    }

    fn open(&self, more: &str) -> Result<Box<dyn Signer>, SignerError> {
        let key = key().public().to_base64();
        let address: SignerAddress = format!("exec:{}?key={key}{more}", self.path.display()).parse().unwrap();
        signer::open(&address, Purpose::Publisher, &Passphrases::Terminal)
    }

    #[track_caller]
    fn fails(&self, more: &str, says: &str) {
        let error = self.open(more).unwrap().sign(b"message").unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains(says), "{cause}");
    }

    fn wrote(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }
}

#[test]
fn a_program_signs_what_it_reads_raw_or_in_base64() {
    let raw = Program::new("cat >$here/got; cat $here/signature");
    let signer = raw.open("").unwrap();
    let signature = signer.sign(b"message").unwrap();
    assert_eq!(signer.public().verify(b"message", &signature), Ok(()));
    assert_eq!(raw.wrote("got"), "message");
    let text = base64_encode(&key().sign(b"message"));
    for end in ["", "\\n"] {
        let base64 = Program::new(&format!("printf '{text}{end}'"));
        assert_eq!(base64.open("").unwrap().sign(b"message").unwrap(), signature);
    }
}

#[test]
fn it_gets_its_arguments_and_no_variable_that_is_not_named() {
    let program = Program::new(
        "printf '%s|' \"$@\" >$here/arguments; env >$here/env; pwd >$here/pwd; cat $here/signature",
    );
    program.open("&arg=--key&arg=a%20b;$HOME&env=PATH&env=NOT_SET").unwrap().sign(b"message").unwrap();
    assert_eq!(program.wrote("arguments"), "--key|a b;$HOME|");
    assert_eq!(program.wrote("pwd"), "/\n");
    let environment = program.wrote("env");
    let names: Vec<&str> = environment.lines().filter_map(|line| line.split('=').next()).collect();
    // Those that `sh` makes itself are not ours.
    assert!(names.iter().all(|name| ["PATH", "PWD", "OLDPWD", "SHLVL", "_"].contains(name)), "{names:?}");
    assert!(names.contains(&"PATH"));
}

#[test]
fn what_is_no_signature_is_refused() {
    Program::new("true").fails("", "gave nothing, expected 64 bytes");
    Program::new("printf x").fails("", "gave 1 bytes");
    Program::new("head -c 63 $here/signature").fails("&env=PATH", "gave 63 bytes");
    Program::new("cat $here/signature; printf x").fails("&env=PATH", "gave 65 bytes");
    Program::new("head -c 5000 /dev/zero").fails("&env=PATH", "gave more than 4096 bytes");
    Program::new("printf 'AAAA\\n\\n'").fails("", "gave 6 bytes");
    Program::new("printf 'no \\033[31mkey\\n' >&2; exit 3")
        .fails("", "exit status: 3, it said `no \\u{1b}[31mkey`");
    Program::new("kill -9 $$").fails("", "signal: 9");
}

#[test]
fn a_program_that_hangs_is_ended_with_its_children() {
    let program = Program::new("sleep 600 & echo $! >$here/child; wait");
    let before = Instant::now();
    program.fails("&timeout=1&env=PATH", "did not answer within 1 s");
    assert!(before.elapsed().as_secs() < 60);
    let child = program.wrote("child");
    let state = || fs::read_to_string(format!("/proc/{}/stat", child.trim()));
    let dead = |stat: &str| stat.rsplit(')').next().unwrap().trim_start().starts_with(['Z', 'X']);
    while state().is_ok_and(|stat| !dead(&stat)) {
        assert!(before.elapsed().as_secs() < 60, "the child lives on");
        std::thread::yield_now();
    }
}

#[test]
fn a_child_that_keeps_the_output_open_does_not_hold_it_up() {
    let program = Program::new("sleep 600 & cat $here/signature");
    assert!(program.open("&timeout=30&env=PATH").unwrap().sign(b"message").is_ok());
}

#[test]
fn a_program_that_others_can_change_is_not_run() {
    let program = Program::new("cat $here/signature; touch $here/ran");
    fs::set_permissions(&program.path, fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(program.open("").err().unwrap().code(), "signer-code-changeable");
    fs::set_permissions(&program.path, fs::Permissions::from_mode(0o600)).unwrap();
    let error = program.open("").unwrap().sign(b"message").unwrap_err();
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("cannot be run"));
    assert!(!program.folder.path().join("ran").exists());
}

#[test]
fn a_signature_of_another_key_gets_into_no_envelope() {
    use orch_trust::dsse::{self, Predicate, Statement};
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Said(String);
    impl Predicate for Said {
        const TYPE: &'static str = "urn:test:said";
    }
    // Right bytes, but over another message than the statement.
    let program = Program::new("cat $here/signature");
    let signer = program.open("").unwrap();
    let error = dsse::sign(&Statement::new(Vec::new(), Said("yes".to_owned())), &[&*signer]).unwrap_err();
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "signature does not match");
}
