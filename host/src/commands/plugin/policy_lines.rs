//! The lines that `policy.toml` lacks for what a plugin asks for, and the file with them.
//!
//! In -> out: the operator's policy, a manifest -> [`PolicyChange`], or nothing where a person must think first.
//! Invariant: nothing but the plugin's own `allow` table changes: the file is parsed before and after, and all else must be equal;
//! what stands for a name that only the operator knows (a program, a host) is never written.
//! Not here: what the lines are (`orch-trust`'s `policy.rs`), who says yes (`take_in.rs`).

use std::fs;
use std::io;
use std::path::Path;

use orch_trust::manifest::Manifest;
use orch_trust::policy::{Policy, entry_naming};

use crate::config::operator::Operator;
use crate::exit::Fault;
use crate::place;
use crate::regular_file::{self, Links};
use crate::whole_file;

const FILE_BYTES_MAX: u64 = 1 << 20;
/// What stands for names that only the operator knows.
const UNNAMED: [&str; 2] = ["\"PROGRAM\"", "host.invalid:443"];

/// A policy with the lines that it lacks.
pub(super) struct PolicyChange {
    before: Option<String>,
    after: String,
    /// Of the plugin's table.
    pub lines: Vec<String>,
    /// The table was there, and said something else.
    pub replaces: bool,
    /// What it means, with what this host denies by itself.
    pub policy: Policy,
}

/// The change that allows all that the plugin asks for; `programs` are those that it may start.
///
/// # Errors
/// The policy cannot be read.
pub(super) fn propose(
    operator: &Operator,
    manifest: &Manifest,
    programs: &[String],
) -> Result<Option<PolicyChange>, Fault> {
    let unnamed = ["PROGRAM".to_owned()];
    let entry = entry_naming(
        &manifest.id,
        &manifest.permissions,
        if programs.is_empty() { &unnamed } else { programs },
    );
    if UNNAMED.iter().any(|mark| entry.contains(mark)) {
        return Ok(None);
    }
    let before = read(&operator.home.join("policy.toml"))?;
    let head = entry.lines().next().unwrap_or_default();
    let text = before.as_deref().unwrap_or_default();
    let (after, replaces) = with_table(text, head, &entry);
    let (Ok(old), Ok(new)) = (text.parse::<toml::Table>(), after.parse::<toml::Table>()) else {
        return Ok(None);
    };
    let id = manifest.id.to_string();
    if without_table(old, &id) != without_table(new, &id) {
        return Ok(None);
    }
    let Ok(mut policy) = Policy::parse(&after) else { return Ok(None) };
    operator.denials.join(&mut policy.deny);
    let lines = entry.lines().map(str::to_owned).collect();
    Ok(Some(PolicyChange { before, after, lines, replaces, policy }))
}

impl PolicyChange {
    /// Writes the file, if it is still what it was.
    ///
    /// # Errors
    /// `policy-changed`; the system's.
    pub(super) fn write(&self, operator: &Operator) -> Result<(), Fault> {
        let path = operator.home.join("policy.toml");
        if read(&path)? != self.before {
            let hint = Some("say it again; it is read anew".to_owned());
            return Err(place::input(
                "policy-changed",
                hint,
                format!("`{}` was changed meanwhile", path.display()),
            ));
        }
        whole_file::write(&path, self.after.as_bytes(), whole_file::PRIVATE)
            .map_err(|error| place::io(&path, "write", error))
    }

    /// Puts the file back to what it was, unless somebody changed it since.
    ///
    /// # Errors
    /// The system's; the file has the lines, or is somebody else's by now.
    pub(super) fn take_back(&self, operator: &Operator) -> io::Result<()> {
        let path = operator.home.join("policy.toml");
        if fs::read_to_string(&path)? != self.after {
            return Err(io::Error::other("it was changed meanwhile"));
        }
        match &self.before {
            Some(before) => whole_file::write(&path, before.as_bytes(), whole_file::PRIVATE),
            None => fs::remove_file(&path),
        }
    }
}

fn read(path: &Path) -> Result<Option<String>, Fault> {
    match regular_file::read_text(path, Links::Followed, FILE_BYTES_MAX) {
        Ok((text, _)) => Ok(Some(text)),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(place::unreadable(path, error.into())),
    }
}

/// The text with that table, in the place of the one with the same head if there is one.
fn with_table(text: &str, head: &str, entry: &str) -> (String, bool) {
    let mut kept = String::new();
    let (mut inside, mut replaced) = (false, false);
    for line in text.split_inclusive('\n') {
        let is_head = line.trim_start().starts_with('[');
        if is_head && line.trim() == head {
            (inside, replaced) = (true, true);
            kept.push_str(entry);
            continue;
        }
        // What stands before the next table belongs to it: comments, and room.
        inside = inside && !is_head && !line.trim().is_empty() && !line.trim_start().starts_with('#');
        if !inside {
            kept.push_str(line);
        }
    }
    match replaced {
        true => (kept, true),
        false if kept.trim().is_empty() => (entry.to_owned(), false),
        false => (format!("{}\n\n{entry}", kept.trim_end()), false),
    }
}

/// All of a policy but what that plugin is allowed.
fn without_table(mut policy: toml::Table, id: &str) -> toml::Table {
    let Some(plugins) = policy.get_mut("plugins").and_then(toml::Value::as_table_mut) else { return policy };
    if let Some(plugin) = plugins.get_mut(id).and_then(toml::Value::as_table_mut) {
        plugin.remove("allow");
    }
    plugins.retain(|_, plugin| plugin.as_table().is_none_or(|plugin| !plugin.is_empty()));
    if plugins.is_empty() {
        policy.remove("plugins");
    }
    policy
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(permissions: serde_json::Value) -> Manifest {
        let text = serde_json::json!({
            "schema": "urn:orch:plugin-manifest:v1", "id": "acme/hello", "version": "1.0.0", "name": "Hello",
            "description": "Says hello", "license": "MIT", "roles": ["reflector"],
            "integrity": { "files": [
                { "path": "component.wasm", "role": "component", "size": 1, "sha256": "0".repeat(64) },
                { "path": "sbom.cdx.json", "role": "sbom", "size": 1, "sha256": "0".repeat(64) } ] },
            "host": { "api": ">=0.1.0, <0.2.0" }, "permissions": permissions,
            "limits": { "memoryMiB": 16, "busyMs": 500, "wallMs": 2000, "outputKiB": 64, "hostCalls": 1000, "logKiB": 64 } });
        Manifest::parse(text.to_string().as_bytes()).unwrap()
    }

    fn proposed(
        policy: Option<&str>,
        programs: &[&str],
        permissions: serde_json::Value,
    ) -> Option<(String, bool)> {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("orch");
        drop(Operator::open(&home).unwrap());
        if let Some(policy) = policy {
            std::fs::write(home.join("policy.toml"), policy).unwrap();
        }
        let operator = Operator::open(&home).unwrap();
        let programs: Vec<String> = programs.iter().map(|name| (*name).to_owned()).collect();
        let change = propose(&operator, &manifest(permissions), &programs).unwrap()?;
        change.write(&operator).unwrap();
        let written = std::fs::read_to_string(home.join("policy.toml")).unwrap();
        assert_eq!(change.write(&operator).unwrap_err().code, "policy-changed");
        change.take_back(&operator).unwrap();
        assert_eq!(std::fs::read_to_string(home.join("policy.toml")).ok().as_deref(), policy);
        assert!(change.take_back(&operator).is_err(), "what somebody else wrote stays");
        Some((written, change.replaces))
    }

    #[test]
    fn only_the_table_of_the_plugin_changes() {
        let log = || serde_json::json!({ "log": {} });
        let entry = "[plugins.\"acme/hello\".allow]\nlog = {}\n";
        assert_eq!(proposed(None, &[], log()), Some((entry.to_owned(), false)));
        let other = "# mine\n[plugins.\"acme/other\".allow]\nkv = { labels = [\"x\"], bytes = 1 }\n\n# the walls\n[sandbox]\nmode = \"off\"\n";
        assert_eq!(proposed(Some(other), &[], log()), Some((format!("{other}\n{entry}"), false)));
        let before = format!("[plugins.\"acme/hello\".allow]\nmetrics = {{}}\n\n{other}");
        assert_eq!(proposed(Some(&before), &[], log()), Some((format!("{entry}\n{other}"), true)));
        // A table that is written otherwise is left to its writer.
        for written in [
            "plugins = { \"acme/hello\" = { allow = { metrics = {} } } }\n",
            "[plugins.\"acme/hello\"]\nallow = { metrics = {} }\n",
            "[plugins.'acme/hello'.allow]\nmetrics = {}\n",
            "[plugins.\"acme/hello\".allow]\nkv = { labels = [\n\n\"x\"], bytes = 1 }\n",
        ] {
            assert_eq!(proposed(Some(written), &[], log()), None, "{written}");
        }
    }

    #[test]
    fn what_only_the_operator_knows_is_never_written() {
        let process = || serde_json::json!({ "process": { "programs": ["*"] } });
        assert_eq!(proposed(None, &[], process()), None);
        let (written, _) = proposed(None, &["sh", "make"], process()).unwrap();
        assert!(written.contains("programs = [\"make\", \"sh\"]"), "{written}");
    }
}
