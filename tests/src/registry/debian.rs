//! Debian's `docker-registry` on this machine, and `skopeo`, which copies from one to another.
//!
//! In -> out: nothing -> a registry with a folder of its own, until it is dropped.
//! Invariant: it is the program of `tests/registry/debian.txt`, which `cargo xtask test` unpacked; none on a machine where that
//! cannot be had, and then the test is left out, but with `cargo xtask test --full`.
//! Not here: a registry that fails and lies (`registry.rs`).

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::{err, left_out, out, root};

fn unpacked() -> Option<PathBuf> {
    let folder = root().join("target/registry");
    let is_there = folder.join("made").exists();
    let must_be = std::env::var_os("ORCH_TEST_FULL").is_some();
    assert!(is_there || !must_be, "`{}` is missing: run `cargo xtask test --full`", folder.display());
    if !is_there {
        left_out::say("a registry of Debian, which cannot be had on this machine");
    }
    is_there.then_some(folder)
}

/// One that runs. It has no API for referrers.
pub struct DebianRegistry {
    child: Child,
    address: String,
    _folder: tempfile::TempDir,
}

impl DebianRegistry {
    /// `None` where the program is not there.
    pub fn start() -> Option<Self> {
        let program = unpacked()?.join("usr/bin/docker-registry");
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config.yml");
        let blobs = folder.path().join("blobs");
        let text = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: \"127.0.0.1:0\"}}\n",
            blobs.display()
        );
        fs::write(&config, text).unwrap();
        let mut serve = Command::new(program);
        serve.arg("serve").arg(config).env_clear().stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = serve.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let listens = |line: String| {
            let (_, rest) = line.split_once("listening on ")?;
            Some(
                rest.chars().take_while(|letter| letter.is_ascii_digit() || ".:".contains(*letter)).collect(),
            )
        };
        let address = lines.by_ref().find_map(listens).expect("it says where it listens");
        // It writes a line for each request.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { child, address, _folder: folder })
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for DebianRegistry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `skopeo copy`, by plain HTTP; both as `docker://HOST/NAME:TAG`.
pub fn skopeo_copies(from: &str, to: &str) {
    skopeo(&["copy", "--all", "--src-tls-verify=false", "--dest-tls-verify=false", from, to]);
}

/// `skopeo list-tags` of a `docker://HOST/NAME`.
pub fn skopeo_tags(of: &str) -> Vec<String> {
    let said = skopeo(&["list-tags", "--tls-verify=false", of]);
    let said: Value = serde_json::from_str(&said).unwrap();
    said["Tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap().to_owned()).collect()
}

fn skopeo(arguments: &[&str]) -> String {
    let folder = unpacked().expect("whoever has the registry has it");
    let mut skopeo = Command::new(folder.join("usr/bin/skopeo"));
    let libraries =
        ["usr/lib", "lib"].map(|at| folder.join(at).join("x86_64-linux-gnu").display().to_string());
    skopeo.arg("--insecure-policy").args(arguments).env("LD_LIBRARY_PATH", libraries.join(":"));
    let done = skopeo.output().unwrap();
    assert!(done.status.success(), "{arguments:?}\n{}{}", out(&done), err(&done));
    out(&done)
}
