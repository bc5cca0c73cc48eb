//! Variables, and files in and above the working folder: none of them makes a stranger's package run.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use orch_tests::defect::{GOOD, Place, Recipe, make};
use orch_tests::{Workspace, binary, copy, err, root};
use orch_trust::authority::Publisher;
use orch_trust::key::SecretKey;

const RECIPE: &str = "about = 'x'\ncode = 'release-unknown-key'\n[release]\nkeys = ['stranger']\n";
const UNKNOWN: &str = "release-unknown-key";

/// A workspace whose plugin is a stranger's, and the folder of an operator who trusts that stranger.
struct Bench {
    workspace: Workspace,
    packages: PathBuf,
    /// `orch/` in it is that operator's folder.
    evil: PathBuf,
    key: String,
}

impl Bench {
    fn new() -> Self {
        let workspace = Workspace::new("- {id: a, kind: note}\n");
        let packages = workspace.outside().join("packages");
        let place =
            Place { root: packages.clone(), operator: workspace.operator(), workspace: workspace.path() };
        make(&Recipe::parse("stranger", RECIPE).unwrap(), &place);
        assert!(packages.join(GOOD).exists());
        let evil = workspace.outside().join("evil");
        copy(&workspace.operator(), &evil.join("orch"));
        let key = SecretKey::from_seed(&[9; 32]).public();
        let publisher = Publisher::new(key, "stranger".into(), vec!["demo/".into()]);
        fs::write(evil.join("orch/trust/publishers/stranger.toml"), publisher.render()).unwrap();
        Self { workspace, packages, evil, key: key.to_base64() }
    }

    /// `orch-host run` in the workspace.
    fn run(&self) -> Command {
        let mut host = Command::new(binary("orch-host"));
        host.current_dir(self.workspace.path()).env("NO_COLOR", "1").env_remove("PLUGIN_SIGNING_KEY");
        host.args(["run", "--trust-workspace", "--plugins"]).arg(&self.packages);
        host
    }

    /// The same with the operator's folder said.
    fn run_said(&self) -> Command {
        let mut host = self.run();
        host.arg("--config-home").arg(self.workspace.operator());
        host
    }
}

#[track_caller]
fn refuses(host: &mut Command, code: &str, what: &str) {
    let output = host.output().unwrap();
    let said = err(&output);
    let found = said.lines().find_map(|line| line.strip_prefix("code: "));
    assert_eq!((found, output.status.success()), (Some(code), false), "{what}: {said}");
}

#[test]
fn nothing_around_a_workspace_makes_a_stranger_trusted() {
    let bench = Bench::new();
    let workspace = bench.workspace.path();
    refuses(&mut bench.run_said(), UNKNOWN, "nothing");
    // The other operator would run it, so that what follows is refused for where it stands.
    let mut fooled = bench.run();
    let output = fooled.arg("--config-home").arg(bench.evil.join("orch")).output().unwrap();
    assert!(output.status.success(), "{}", err(&output));
    fs::remove_dir_all(workspace.join(".orch")).unwrap();
    bench.workspace.write("tasks.yml", "- {id: a, kind: note}\n");

    // Variables, with the operator's folder said and with that of the home.
    let home = bench.workspace.outside().join("home");
    copy(&bench.workspace.operator(), &home.join(".config/orch"));
    let evil = bench.evil.to_str().unwrap();
    let orch = bench.evil.join("orch");
    let orch = orch.to_str().unwrap();
    let mut variables = vec![("XDG_CONFIG_DIRS", evil), ("XDG_DATA_HOME", evil), ("XDG_STATE_HOME", evil)];
    for name in [
        "ORCH_HOME",
        "ORCH_CONFIG_HOME",
        "ORCH_CONFIG",
        "ORCH_CONFIG_DIR",
        "ORCH_OPERATOR",
        "ORCH_TRUST",
        "ORCH_POLICY",
        "CONFIG_HOME",
    ] {
        variables.push((name, orch));
    }
    for name in [
        "ORCH_ALLOW_UNSIGNED",
        "ORCH_DANGEROUS_ALLOW_UNSIGNED",
        "ORCH_INSECURE",
        "ORCH_SKIP_VERIFY",
        "ORCH_DEV",
        "ORCH_DEBUG",
        "ORCH_TRUST_ALL",
        "ORCH_UNSIGNED",
    ] {
        variables.push((name, "1"));
    }
    for (name, value) in &variables {
        refuses(bench.run_said().env(name, value), UNKNOWN, name);
    }
    refuses(
        bench.run().envs(variables).env("HOME", &home).env_remove("XDG_CONFIG_HOME"),
        UNKNOWN,
        "all, home",
    );
    refuses(
        bench.run_said().env("HOME", evil).env("XDG_CONFIG_HOME", evil),
        UNKNOWN,
        "said before variables",
    );
    // The stranger's key as the one for `local/`: it publishes for nobody else.
    let other = "release-other-namespace";
    refuses(bench.run_said().env("PLUGIN_SIGNING_KEY", &bench.key), other, "PLUGIN_SIGNING_KEY");
    let file = bench.evil.join("orch/trust/publishers/stranger.toml");
    refuses(bench.run_said().env("PLUGIN_SIGNING_KEY", file), other, "PLUGIN_SIGNING_KEY as a file");
    let no_text = OsStr::from_bytes(b"\xff");
    refuses(bench.run_said().env("PLUGIN_SIGNING_KEY", no_text), "signing-key", "one that is no text");

    // Files of the workspace, everywhere that somebody might look.
    let places =
        ["", "orch", "config", "config/orch", ".config/orch", ".orch-config", "trust", "etc/orch", ".orch"];
    for place in places {
        let folder = workspace.join(place);
        copy(&bench.evil.join("orch"), &folder);
        refuses(&mut bench.run_said(), UNKNOWN, place);
        let mut by_home = bench.run();
        refuses(by_home.env("HOME", &home).env_remove("XDG_CONFIG_HOME"), UNKNOWN, place);
        // A variable with a relative path would mean a folder of the workspace: it counts as not set.
        let above = Path::new(place).parent().unwrap_or(Path::new("."));
        for relative in [Path::new(place), above, Path::new(".")] {
            refuses(by_home.env("XDG_CONFIG_HOME", relative), UNKNOWN, place);
        }
    }
    let lines =
        format!("XDG_CONFIG_HOME={evil}\nPLUGIN_SIGNING_KEY={}\nORCH_CONFIG_HOME={orch}\n", bench.key);
    for name in [".env", ".envrc", ".env.local", "orch.env"] {
        bench.workspace.write(name, &lines);
    }
    let toml = format!(
        "config_home = \"{orch}\"\n[[publishers]]\nkey = \"{}\"\nnamespaces = [\"demo/\"]\n",
        bench.key
    );
    for name in ["orch.toml", ".orch.toml", "root.dsse.json", ".orchrc", "Orch.toml"] {
        bench.workspace.write(name, &toml);
    }
    refuses(&mut bench.run_said(), UNKNOWN, "files beside the workspace's own");

    // Keys of `config.yaml` that would say who is trusted, or by whom.
    let config = bench.workspace.read("config.yaml");
    for key in [
        "trust",
        "publishers",
        "certifiers",
        "policy",
        "config_home",
        "config-home",
        "operator",
        "packages",
        "grants",
        "allow",
        "allow_unsigned",
        "minimum_level",
        "verify",
        "keys",
        "approvals",
    ] {
        bench.workspace.write("config.yaml", &format!("{config}{key}: {orch}\n"));
        let output = bench.run_said().output().unwrap();
        let said = err(&output);
        assert!(output.status.code() == Some(2) && said.contains(&format!("`{key}`")), "{key}: {said}");
    }
}

#[test]
fn the_host_reads_no_other_variables_than_these() {
    let mut found = BTreeMap::new();
    for folder in ["trust/src", "task/src", "journal/src", "supervisor/src", "host/src", "certify/src"] {
        super::developers::each_source(&root().join(folder), &mut |path, text| {
            let path = path.strip_prefix(root()).unwrap().display().to_string();
            let code = text.split("mod tests {").next().unwrap();
            let reads = code.matches("env::var").count();
            if reads > 0 && !path.contains("/tests") {
                found.insert(path, reads);
            }
        });
    }
    let known = [
        // `XDG_STATE_HOME` and `HOME`: where the certifier remembers a database.
        ("certify/src/commands.rs", 1),
        // `PATH`, `CARGO_HOME`, `XDG_CACHE_HOME` and `HOME`: programs for checks from outside.
        ("certify/src/outside.rs", 2),
        // The whole environment, handed on where a grant names a variable; and `PATH`.
        ("host/src/capability/environment.rs", 2),
        // `PATH`: which usual tools are there, to be shown and granted.
        ("host/src/starter/tools.rs", 1),
        // `XDG_CONFIG_HOME`, `XDG_STATE_HOME` and `HOME` in one place, `PLUGIN_SIGNING_KEY`.
        ("host/src/config/operator.rs", 2),
        // `XDG_RUNTIME_DIR`: where the host at work is found.
        ("host/src/control/place.rs", 1),
        // Those that a grant names, sealed, for a host at work to compare with its own.
        ("host/src/control/variables.rs", 1),
        // Four of what keyrings need, handed to a program that `secrets.toml` names.
        ("host/src/secrets/program.rs", 1),
        // The one that `secrets.toml` names.
        ("host/src/secrets/source.rs", 1),
        // `NO_COLOR`, `FORCE_COLOR`, `CLICOLOR_FORCE`, `CLICOLOR` and `TERM`.
        ("host/src/console.rs", 1),
        // Those that set one key each (`VARIABLES`), and names alone, to tell of one that is misspelt.
        ("host/src/config/workspace/layers.rs", 1),
        ("host/src/commands/run.rs", 1),
        // `ORCH_BROKER_TOKEN`.
        ("host/src/commands/worker.rs", 1),
        // `ORCH_FAILPOINT`, in builds with debug assertions only.
        ("journal/src/failpoint.rs", 1),
        // The child's own environment, which its parent gave it.
        ("supervisor/src/bin/supervise.rs", 1),
    ];
    let known: BTreeMap<String, usize> = known.map(|(path, reads)| (path.to_owned(), reads)).into();
    assert_eq!(found, known);
}
