//! The registries of pip, cargo and npm in a network namespace, under their own names, and commands among them.
//!
//! In -> out: a workspace, a folder of wheels -> a command that runs there; what the registries were asked for.
//! Invariant: nothing of it leaves the namespace.
//! Not here: the servers (`tests/tests/examples/registries.py`), names and addresses (`tests/tests/outgoing/internet.py`).

use std::path::{Path, PathBuf};
use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::Workspace;

const INTERNET: &str = include_str!("../tests/outgoing/internet.py");
const REGISTRIES: &str = include_str!("../tests/examples/registries.py");
const NAMES: [&str; 5] =
    ["pypi.org", "files.pythonhosted.org", "index.crates.io", "static.crates.io", "registry.npmjs.org"];

/// Registries that answer in the folder of a workspace.
pub struct World {
    folder: PathBuf,
    wheels: PathBuf,
}

impl World {
    /// `wheels`: what PyPI has.
    pub fn of_registries(workspace: &Workspace, wheels: &Path) -> Self {
        workspace.write("internet.py", INTERNET);
        workspace.write("registries.py", REGISTRIES);
        let (server, ca) = certified(&NAMES);
        workspace.write("server.pem", &server);
        workspace.write("ca.pem", &ca);
        Self { folder: workspace.path(), wheels: wheels.to_owned() }
    }

    /// Whom they are certified by.
    pub fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// The same command, among them.
    pub fn around(&self, command: &Command) -> Command {
        let mut world = Command::new("unshare");
        world.args(["--user", "--map-root-user", "--net", "--mount", "/usr/bin/python3", "registries.py"]);
        world.arg(&self.wheels).arg(command.get_program()).args(command.get_args()).current_dir(&self.folder);
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => world.env(name, value),
                None => world.env_remove(name),
            };
        }
        world
    }

    /// Hosts and paths that were asked for.
    pub fn seen(&self) -> Vec<(String, String)> {
        serde_json::from_str(&std::fs::read_to_string(self.folder.join("seen.json")).unwrap()).unwrap()
    }
}

/// A key and a certificate for whoever has these names, as one file, and the issuer's, as another.
pub fn certified(names: &[&str]) -> (String, String) {
    let mut issuer = CertificateParams::new(Vec::<String>::new()).unwrap();
    issuer.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(issuer, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params =
        CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, names[0]);
    let certificate = params.signed_by(&key, &issuer).unwrap();
    (key.serialize_pem() + &certificate.pem(), issuer.as_ref().pem())
}
