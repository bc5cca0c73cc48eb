//! The reference plugins as packages: built, packed, signed, certified, approved.
//!
//! In -> out: `plugins/` and the project's own binaries -> packages and an operator's folder that trusts them.
//! Invariant: nothing is used here that a third party does not have: `orch-plugin`, `orch-certify`, `orch-host`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::place::{PLUGINS, Place};
use crate::{native_code, step};

/// The development build of all binaries. Of the whole workspace, as the tests are: another choice of packages has other
/// features of what they depend on, and that would be compiled twice.
pub(crate) fn build_for_tests(mut cargo: Command) -> anyhow::Result<()> {
    step::run("build", cargo.args(["build", "--workspace", "--bins"]))
}

/// The packages that the tests use, by these binaries.
pub(crate) fn for_tests(root: &Path) -> anyhow::Result<()> {
    let target = target_folder(root);
    let place = Place {
        binaries: target.join("debug"),
        config: root.join("target/test-operator"),
        packages: root.join("target/test-packages"),
        programs: vec!["python3", "sh", "sleep", "true", "false", "cat", "setsid"],
        // Most tests are about what a command does, on any machine; `sandboxed` is about what it cannot.
        sandbox: "mode = \"off\"",
    };
    make(root, &place)?;
    step::timed("hostile guests, packed and signed", || {
        let publisher = place.config.join("keys/publisher.json");
        for folder in fs::read_dir(root.join("tests/guests")).context("cannot read `tests/guests`")? {
            let folder = folder?.path();
            if !folder.join("plugin.json").exists() {
                continue;
            }
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            pack_and_sign(
                &place,
                &folder,
                &place.packages.join("demo").join(&name).join("0.1.0"),
                &publisher,
            )?;
        }
        Ok(())
    })?;
    step::timed("native code of the plugins", || {
        native_code::keep(&place, &root.join("target/test-native-code"))
    })
}

/// Builds a plugin, makes its package, signs it as its publisher.
pub(crate) fn pack_and_sign(place: &Place, source: &Path, package: &Path, key: &Path) -> anyhow::Result<()> {
    let mut pack = place.program("orch-plugin");
    pack.arg("pack").arg(source).arg("--out").arg(&place.packages);
    step::run("pack", &mut pack)?;
    let mut sign = place.program("orch-plugin");
    sign.arg("sign").arg(package).arg("--key").arg(key);
    step::run("sign", &mut sign)
}

/// Where cargo builds to.
pub(crate) fn target_folder(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

/// Makes keys if there are none, and every package that is not current.
pub(crate) fn make(root: &Path, place: &Place) -> anyhow::Result<()> {
    let publisher = place.config.join("keys/publisher.json");
    let certifier = place.config.join("keys/certifier.json");
    step::timed("keys and policy", || {
        private_folder(&place.config)?;
        private_folder(&place.config.join("keys"))?;
        for folder in ["trust", "trust/publishers", "trust/certifiers"] {
            private_folder(&place.config.join(folder))?;
        }
        keygen(
            place,
            &publisher,
            &["--owner", "demo", "--publisher", "demo/"],
            "trust/publishers/demo.toml",
        )?;
        keygen(
            place,
            &certifier,
            &["--owner", "this machine", "--certifier", "local"],
            "trust/certifiers/local.toml",
        )?;
        write_private(&place.config.join("policy.toml"), &policy(place))
    })?;
    step::timed("packages: built, packed, signed, certified, approved", || {
        for plugin in PLUGINS {
            step::say(plugin);
            let package = place.packages.join("demo").join(plugin).join("0.1.0");
            pack_and_sign(place, &root.join("plugins").join(plugin), &package, &publisher)?;
            let mut certify = place.program("orch-certify");
            certify.arg("run").arg(&package).arg("--key").arg(&certifier).args(["--profile", "local"]);
            step::run(plugin, &mut certify)?;
            let mut approve = place.program("orch-host");
            approve.arg("plugin").arg("approve").arg(format!("demo/{plugin}"));
            approve.arg("--config-home").arg(&place.config);
            step::run(plugin, &mut approve)?;
        }
        Ok(())
    })
}

/// Makes a key if there is none, and puts its public file where the operator's folder has it.
fn keygen(place: &Place, secret: &Path, how: &[&str], trusted: &str) -> anyhow::Result<()> {
    let trusted = place.config.join(trusted);
    if secret.exists() && trusted.exists() {
        return Ok(());
    }
    let mut keygen = place.program("orch-certify");
    keygen.arg("keygen").arg("--out").arg(secret).args(how);
    step::run("keygen", &mut keygen)?;
    fs::rename(secret.with_extension("toml"), &trusted).context("cannot move the public file")?;
    fs::set_permissions(&trusted, fs::Permissions::from_mode(0o600)).context("cannot protect the public file")
}

/// What the operator of the demo allows: to each plugin what it asks for, and a list of programs.
fn policy(place: &Place) -> String {
    let programs: Vec<String> = place.programs.iter().map(|program| format!("\"{program}\"")).collect();
    let programs = programs.join(", ");
    let sandbox = place.sandbox;
    format!(
        r#"# What the plugins of this operator may do at most.
packages = ["{packages}"]

[sandbox]
{sandbox}

[namespaces.demo.allow]
log = {{}}
settings = {{}}
findings = {{}}
metrics = {{}}
files = {{ read = ["**"] }}
tasks = {{ read = true, add = 100, kinds = ["note"] }}
wasi = {{ clocks = true, random = true, http_types = true }}

[plugins."demo/executor-shell".allow]
log = {{}}
settings = {{}}
process = {{ programs = [{programs}], env = ["HOME", "LANG", "PATH"] }}

[plugins."demo/planner-wsjf".allow]
log = {{}}
kv = {{ labels = ["wsjf"], bytes = 131072 }}
tasks = {{ read = true }}

[plugins."demo/executor-agent".allow]
log = {{}}
settings = {{}}
findings = {{}}
artifacts = {{ types = ["text/plain"], count = 20, bytes = 1048576 }}
files = {{ read = ["**"], write = ["**"] }}
process = {{ programs = [{programs}] }}
llm = {{ models = ["agent", "agent-large", "agent-small"], tokens = 32768 }}
retrieve = {{ collections = ["code"] }}
wasi = {{ clocks = true }}

[plugins."demo/executor-index".allow]
log = {{}}
settings = {{}}
files = {{ read = ["**"] }}
embed = {{ models = ["vectors"], bytes = 1048576 }}
vectors = {{ write = ["code"], bytes = 1073741824 }}

[plugins."demo/reflector-plan".allow]
log = {{}}
settings = {{}}
files = {{ read = ["**"] }}
tasks = {{ read = true, add = 50, kinds = ["phase"] }}
llm = {{ models = ["plan"], tokens = 16384 }}
retrieve = {{ collections = ["code"] }}

[plugins."demo/executor-intent".allow]
log = {{}}
tasks = {{ add = 100, kinds = ["note", "remote", "shell"] }}

[plugins."demo/executor-remote".allow]
log = {{}}
settings = {{}}
artifacts = {{ types = ["application/octet-stream", "text/plain"], count = 2, bytes = 2097152 }}
files = {{ write = ["**"] }}
http = [
  {{ hosts = ["broker.example.com:443"], methods = ["DELETE", "GET", "POST"], paths = ["/"] }},
  {{ scheme = "http", hosts = ["127.0.0.1:8000"], methods = ["DELETE", "GET", "POST"], paths = ["/"] }},
]
secrets = {{ use = [{{ name = "broker", host = "broker.example.com:443" }}, {{ name = "broker", host = "127.0.0.1:8000" }}] }}
wasi = {{ clocks = true }}

[plugins."demo/guard-protect".allow]
log = {{}}
settings = {{}}

[plugins."demo/auditor-code-metrics".allow]
log = {{}}
settings = {{}}
files = {{ read = ["**"] }}
kv = {{ labels = ["history", "revisions"], bytes = 16777216 }}
git = {{ read = ["**"] }}
tasks = {{ read = true, add = 100, kinds = ["note"] }}

[plugins."demo/simulator-production".allow]
log = {{}}
metrics = {{}}
files = {{ read = ["**/*.json"] }}
kv = {{ labels = ["snapshots"], bytes = 4194304 }}

[plugins."demo/service-orchestrator-api".allow]
log = {{}}
control = {{ start = true, stop = true, read = true }}
wasi = {{ http_types = true }}

[plugins."demo/service-broker".allow]
log = {{}}
kv = {{ labels = ["queue"], bytes = 268435456 }}
wasi = {{ clocks = true, http_types = true }}

[plugins."demo/provider-log-notify".allow]
log = {{}}
[plugins."demo/provider-log-notify".provide]
notify = {{ channels = ["ops"] }}

[plugins."demo/provider-webhook-notify".allow]
log = {{}}
settings = {{}}
wasi = {{ clocks = true }}
http = [{{ hosts = ["hooks.example.com:443"], methods = ["POST"], paths = ["/"] }}]
secrets = {{ use = [{{ name = "webhook", host = "hooks.example.com:443" }}] }}
[plugins."demo/provider-webhook-notify".provide]
notify = {{ channels = ["ops"] }}

[plugins."demo/provider-slack-notify".allow]
log = {{}}
settings = {{}}
wasi = {{ clocks = true }}
http = [{{ hosts = ["slack.com:443"], methods = ["POST"], paths = ["/api/chat.postMessage"] }}]
secrets = {{ use = [{{ name = "slack", host = "slack.com:443" }}] }}
[plugins."demo/provider-slack-notify".provide]
notify = {{ channels = ["ops"] }}

[plugins."demo/provider-openai".allow]
log = {{}}
settings = {{}}
wasi = {{ clocks = true }}
http = [
  {{ hosts = ["api.openai.com:443"], methods = ["POST"], paths = ["/"] }},
  {{ scheme = "http", hosts = ["127.0.0.1:11434"], methods = ["POST"], paths = ["/"] }},
]
secrets = {{ use = [{{ name = "openai", host = "api.openai.com:443" }}] }}
[plugins."demo/provider-openai".provide]
llm = {{ models = ["*"], tokens = 16384 }}
embed = {{ models = ["*"], bytes = 8388608 }}

[plugins."demo/provider-retrieve".allow]
log = {{}}
embed = {{ models = ["vectors"], bytes = 65536 }}
vectors = {{ read = ["code", "documents"] }}
[plugins."demo/provider-retrieve".provide]
retrieve = {{ collections = ["*"] }}

[plugins."demo/provider-embed-hash".allow]
log = {{}}
[plugins."demo/provider-embed-hash".provide]
embed = {{ models = ["*"], bytes = 8388608 }}

[plugins."demo/provider-anthropic".allow]
log = {{}}
settings = {{}}
wasi = {{ clocks = true }}
http = [{{ hosts = ["api.anthropic.com:443"], methods = ["POST"], paths = ["/"] }}]
secrets = {{ use = [{{ name = "anthropic", host = "api.anthropic.com:443" }}] }}
[plugins."demo/provider-anthropic".provide]
llm = {{ models = ["*"], tokens = 16384 }}

[plugins."demo/verifier-command".allow]
log = {{}}
settings = {{}}
files = {{ read = ["**"] }}
process = {{ programs = [{programs}], env = ["HOME", "LANG", "PATH"] }}
"#,
        packages = place.packages.display(),
    )
}

/// A folder that only its owner can enter.
pub(crate) fn private_folder(path: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(path).with_context(|| format!("cannot make `{}`", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
        .with_context(|| format!("cannot protect `{}`", path.display()))
}

fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
        .with_context(|| format!("cannot protect `{}`", path.display()))
}
