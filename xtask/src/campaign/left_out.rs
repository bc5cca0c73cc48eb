//! What is left out of a capability or a role does not compile: every piece, in turn.
//!
//! In -> out: a copy of the checkout -> the same with one piece less, each of which `cargo check` must refuse.
//! Invariant: the copy itself compiles, so that a refusal is the missing piece's; a piece that is not there any more is
//! an error, not a success.
//! Not here: what the pieces are for (`ARCHITECTURE.md`, "Where to add").

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

use crate::{packages, step};

/// What is left out of a file.
enum Piece {
    /// The whole file.
    File,
    /// This text.
    Text(&'static str),
    /// The method of that name, with its body.
    Method(&'static str),
}

use Piece::{File, Method, Text};

const DOMAIN: &str = "trust/src/permission/artifacts.rs";
const CAPABILITY: &str = "host/src/capability/artifacts.rs";
const ROLE: &str = "host/src/role/guard.rs";

/// File and piece, each with the crate that must refuse.
const LEFT_OUT: [(&str, Piece, &str); 34] = [
    (DOMAIN, File, "orch-trust"),
    (DOMAIN, Text("    own_interface!(\"artifacts\");\n"), "orch-trust"),
    (DOMAIN, Method("is_for"), "orch-trust"),
    (DOMAIN, Method("effect"), "orch-trust"),
    (DOMAIN, Method("beyond_nothing"), "orch-trust"),
    (DOMAIN, Method("lines"), "orch-trust"),
    (DOMAIN, Text("types: \"artifacts.types\" => TYPES,"), "orch-trust"),
    (DOMAIN, Text("count: \"artifacts.count\" => AtMost,"), "orch-trust"),
    ("trust/src/permission.rs", Text("    artifacts: Artifacts(ArtifactsPermission),\n"), "orch-host"),
    (CAPABILITY, File, "orch-host"),
    (CAPABILITY, Method("grant"), "orch-host"),
    (CAPABILITY, Method("open"), "orch-host"),
    (CAPABILITY, Method("link<S: Holds<Self>>"), "orch-host"),
    (CAPABILITY, Method("keep"), "orch-host"),
    (CAPABILITY, Method("beyond"), "orch-host"),
    ("host/src/capability.rs", Text("    artifacts: Artifacts(artifacts::Artifacts),\n"), "orch-host"),
    ("wit/deps/artifacts@0.1.0/artifacts.wit", File, "orch-host"),
    ("journal/src/event.rs", Text("    pub artifacts: Vec<Artifact>,\n"), "orch-journal"),
    ("sdk/src/artifacts.rs", File, "orch-sdk"),
    ("trust/src/role.rs", Text("    Guard,\n"), "orch-trust"),
    (ROLE, File, "orch-host"),
    (ROLE, Text("    const ROLE: Role = Role::Guard;\n"), "orch-host"),
    (ROLE, Text("    const NAME: &'static str = \"judge\";\n"), "orch-host"),
    (ROLE, Method("check"), "orch-host"),
    (ROLE, Method("keep"), "orch-host"),
    (ROLE, Method("asked"), "orch-host"),
    ("host/src/role.rs", Text("    Guard: guard::GuardExport,\n"), "orch-host"),
    ("wit/deps/guard@0.1.0/guard.wit", File, "orch-host"),
    ("certify/src/conformance/guard.rs", File, "orch-certify"),
    ("certify/src/conformance.rs", Text("        Role::Guard => guard::QUESTIONS,\n"), "orch-certify"),
    ("sdk/plugin/src/case/guard.rs", File, "orch-plugin"),
    ("sdk/plugin/src/case/call.rs", Text("    Guard: JudgeTask(guard::JudgeTask);\n"), "orch-plugin"),
    ("sdk/src/role/guard.rs", File, "orch-sdk"),
    ("sdk/templates/guard/src/lib.rs", File, "orch-plugin"),
];

/// Leaves out every piece.
pub(super) fn run(root: &Path) -> anyhow::Result<()> {
    let target = packages::target_folder(root);
    let copy = target.join("left-out/checkout");
    step::timed("a copy of the checkout, which compiles", || {
        let mut listed = std::process::Command::new("git");
        let listed = listed.current_dir(root).args(["ls-files", "-z"]).output().context("cannot ask git")?;
        for name in listed.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
            let name = PathBuf::from(String::from_utf8_lossy(name).into_owned());
            let to = copy.join(&name);
            fs::create_dir_all(to.parent().context("a file lies in a folder")?)?;
            fs::copy(root.join(&name), &to).with_context(|| format!("cannot copy `{}`", name.display()))?;
        }
        ensure!(check(&copy, &["orch-certify", "orch-plugin", "orch-sdk"])?, "the copy does not compile");
        Ok(())
    })?;
    let mut compiled = Vec::new();
    for (name, piece, package) in &LEFT_OUT {
        let path = copy.join(name);
        let whole = fs::read_to_string(&path).with_context(|| format!("cannot read `{name}`"))?;
        let what = match piece {
            File => {
                fs::remove_file(&path)?;
                format!("`{name}`")
            }
            Text(text) => {
                ensure!(whole.contains(text), "`{name}` has no `{}`", text.trim());
                fs::write(&path, whole.replacen(text, "", 1))?;
                format!("`{}` of `{name}`", text.trim())
            }
            Method(method) => {
                fs::write(
                    &path,
                    without(&whole, method).with_context(|| format!("`{name}` has no `{method}`"))?,
                )?;
                format!("`fn {method}` of `{name}`")
            }
        };
        let passes = check(&copy, &[package])?;
        fs::write(&path, whole)?;
        println!("   {}  {what}", if passes { "COMPILES" } else { "refused " });
        if passes {
            compiled.push(what);
        }
    }
    match compiled.is_empty() {
        true => Ok(()),
        false => bail!("compiles all the same without {}", compiled.join(", ")),
    }
}

/// True if these packages compile, into a folder of the copy's: what is compiled by the names of the checkout's packages would
/// be taken for the checkout's own by whoever compiles that next.
fn check(copy: &Path, packages: &[&str]) -> anyhow::Result<bool> {
    let mut cargo = step::cargo(copy);
    cargo.env("CARGO_TARGET_DIR", copy.with_file_name("compiled")).args(["check", "--quiet"]);
    cargo.stderr(std::process::Stdio::null());
    for package in packages {
        cargo.args(["-p", package]);
    }
    Ok(step::status("check", &mut cargo)? == 0)
}

/// The text without the method's last definition in an `impl`, up to the brace at the beginning of its own column.
fn without(text: &str, method: &str) -> Option<String> {
    let begin = text.find(&format!("    fn {method}("))?;
    let end = begin + text.get(begin..)?.find("\n    }\n").map(|end| end + "\n    }\n".len())?;
    // A method on one line ends there.
    let line = begin + text.get(begin..)?.find('\n')? + 1;
    let end = if text.get(begin..line)?.trim_end().ends_with("{}") { line } else { end };
    Some([text.get(..begin)?, text.get(end..)?].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_goes_with_its_body_and_nothing_else() {
        let text = "impl X {\n    fn a() {}\n\n    fn b() {\n        1\n    }\n\n    fn c() {}\n}\n";
        assert_eq!(
            without(text, "a").unwrap(),
            "impl X {\n\n    fn b() {\n        1\n    }\n\n    fn c() {}\n}\n"
        );
        assert_eq!(without(text, "b").unwrap(), "impl X {\n    fn a() {}\n\n\n    fn c() {}\n}\n");
        assert_eq!(without(text, "d"), None);
    }
}
