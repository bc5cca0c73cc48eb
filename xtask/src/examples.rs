//! The projects of `examples/`: their sources and the tools of their maintainers' CI, from the registries.
//!
//! In -> out: what `examples/` pins -> `target/examples/`: `sources/`, `wheels/`, `crates/`.
//! Invariant: what is fetched has the digests of the pins; nothing of it goes into the repository, nor into the system.
//! Not here: the workspaces (`examples/`), what runs in them without a network (`tests/tests/examples.rs`).

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context;

use crate::step;

const OF_PYTHON: [&str; 2] = ["itsdangerous", "pyproject-hooks"];

/// Fetches what is not there yet, or is pinned otherwise than what is.
pub(crate) fn fetch(root: &Path) -> anyhow::Result<()> {
    let (examples, folder) = (root.join("examples"), root.join("target/examples"));
    let pins = pins(&examples)?;
    let fetched = folder.join("pins");
    if fs::read_to_string(&fetched).is_ok_and(|fetched| fetched == pins) {
        return Ok(());
    }
    step::timed("sources and tools of the examples, into target/examples", || {
        if folder.exists() {
            fs::remove_dir_all(&folder).context("cannot remove what was fetched before")?;
        }
        of_python(&examples, &folder)?;
        let mut vendor = step::cargo(root);
        vendor.args(["vendor", "--quiet", "--locked", "--manifest-path"]).stdout(Stdio::null());
        vendor.arg(examples.join("shlex/source/Cargo.toml")).arg(folder.join("crates"));
        step::run("cargo vendor", &mut vendor)?;
        fs::write(&fetched, pins).context("cannot write down what was fetched")
    })
}

/// All that says which bytes are meant.
fn pins(examples: &Path) -> anyhow::Result<String> {
    let files =
        OF_PYTHON.iter().flat_map(|name| [format!("{name}/source.txt"), format!("{name}/requirements.txt")]);
    let read = |name: String| {
        fs::read_to_string(examples.join(&name)).with_context(|| format!("cannot read `examples/{name}`"))
    };
    files.chain(["shlex/source/Cargo.lock".to_owned()]).map(read).collect()
}

/// Wheels first: pip asks the build backend among them for the name of what it downloads as sources.
fn of_python(examples: &Path, folder: &Path) -> anyhow::Result<()> {
    let environment = folder.join("python");
    let wheels = folder.join("wheels");
    step::run("the virtual environment", Command::new("python3").args(["-m", "venv"]).arg(&environment))
        .context("Debian's `python3-venv` makes one possible")?;
    let pip = |args: &[&str]| {
        let mut pip = Command::new(environment.join("bin/python"));
        pip.args(["-m", "pip", "--quiet", "--disable-pip-version-check"]).args(args);
        pip
    };
    let download = ["download", "--require-hashes", "--no-deps"];
    for name in OF_PYTHON {
        let mut tools = pip(&download);
        tools.args(["--only-binary", ":all:", "--dest"]).arg(&wheels);
        step::run("pip download", tools.arg("-r").arg(examples.join(name).join("requirements.txt")))?;
    }
    let mut backend = pip(&["install", "--no-index", "flit-core", "--find-links"]);
    step::run("pip install", backend.arg(&wheels))?;
    for name in OF_PYTHON {
        let mut sources = pip(&download);
        sources.args(["--no-binary", ":all:", "--no-build-isolation", "--dest"]).arg(folder.join("sources"));
        step::run("pip download", sources.arg("-r").arg(examples.join(name).join("source.txt")))?;
    }
    Ok(())
}
