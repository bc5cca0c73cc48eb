//! A host of development: what it takes from the ordinary host of the same author, and the plugin that is being written.
//!
//! In -> out: two operators' folders, a workspace, a package of level `development` -> a folder under which that workspace runs.
//! Invariant: what flows from the ordinary folder is copied, and nothing flows back; every other plugin that the workspace binds is
//! one that the ordinary host admits, by its own rules. The plugin that is written gets what the ordinary policy allows it; where
//! that says nothing, what its manifest asks for, less what is its operator's alone: secrets and paid models.
//! Not here: what makes a folder one of development (`config/operator/development.rs`), building, signing and the workspace's
//! copy (`orch-plugin`).

use std::fs;
use std::path::{Path, PathBuf};

use orch_trust::admission::{Rules, explain};
use orch_trust::approval::Approval;
use orch_trust::authority::{Certifier, Publisher};
use orch_trust::evidence::{Compilable, Trust};
use orch_trust::manifest::Manifest;
use orch_trust::name::PluginId;
use orch_trust::package::PackageBytes;
use orch_trust::permission::Permissions;
use orch_trust::policy::entry_naming;

use crate::config::operator::Operator;
use crate::exit::Fault;
use crate::package::{self, PackageError};
use crate::place::{self, Place};
use crate::plugins::{self, PluginsError};
use crate::starter::found_tools;
use crate::whole_file;

/// Files of the operator's that are taken as they are.
const TAKEN: [&str; 2] = ["secrets.toml", "models.toml"];
const POLICY: &str = "policy.toml";

/// The two folders.
pub struct Development {
    home: PathBuf,
    ordinary: Operator,
}

/// Who vouches for what is being written.
pub struct Author {
    pub publisher: Publisher,
    pub certifier: Certifier,
}

impl Development {
    /// Both folders, that of development made if need be, with whom the ordinary one trusts and with its author.
    ///
    /// # Errors
    /// `development-under-root`: whom the ordinary host trusts stands in a trust root. Those of both folders.
    pub fn open(home: &Path, ordinary: &Path, author: &Author) -> Result<Self, Fault> {
        let ordinary = Operator::look(ordinary)?;
        if ordinary.anchor.is_some() {
            let what = format!(
                "`{}` trusts by a root, which counts on no host of development",
                ordinary.home.display()
            );
            let hint =
                "say `--config-home DIR` of an ordinary host without one, made by `orch-host init --starter`";
            return Err(place::input("development-under-root", Some(hint.to_owned()), what));
        }
        let operator = Operator::develop(home)?;
        let publishers = ordinary.publishers.iter().chain([&author.publisher]);
        let publishers = publishers.map(|one| (one.key.id().short(), one.render()));
        trust_only(&operator.home.join("trust/publishers"), publishers)?;
        let certifiers = ordinary.certifiers.iter().chain([&author.certifier]);
        trust_only(
            &operator.home.join("trust/certifiers"),
            certifiers.map(|one| (one.id().short(), one.render())),
        )?;
        for file in TAKEN {
            take(&ordinary.home.join(file), &operator.home.join(file))?;
        }
        Ok(Self { home: operator.home, ordinary })
    }

    /// The folder of development.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Where plugins that the ordinary host keeps lie, those folders that are there.
    pub fn folders(&self) -> Vec<PathBuf> {
        self.ordinary.package_folders(&[]).into_iter().filter(|folder| folder.is_dir()).collect()
    }

    /// Lets the package in that folder run in that workspace, and what else the workspace binds.
    ///
    /// # Errors
    /// `development-unbound`: the workspace does not bind it. `plugin-not-found` and refusals of the others, as the ordinary host says
    /// them. Those of the files.
    pub fn let_in(&self, place: &Place, folder: &Path) -> Result<(), Fault> {
        let bytes = package::read(folder)?;
        let manifest = bytes.parse_manifest().map_err(PackageError::from)?.clone();
        let config = place.config()?;
        let bound = config.roles.ids();
        if !bound.iter().any(|id| id == manifest.id.as_str()) {
            let what = format!("`config.yaml` binds `{}` nowhere", manifest.id);
            let hint = format!("bind it, for example `roles: {{{}}}`", binding(&manifest));
            return Err(place::input("development-unbound", Some(hint), what));
        }
        self.write_policy(&manifest)?;
        let operator = Operator::open(&self.home)?;
        let mut lock = place.lock()?;
        let rules = self.ordinary.rules(&config, lock.clone());
        for text in bound.iter().filter(|id| *id != manifest.id.as_str()) {
            let id = PluginId::parse(text).map_err(|_| PluginsError::NotAnId { found: text.clone() })?;
            self.let_in_other(&operator, &id, &rules)?;
        }
        let approval = approval(&manifest.id, &manifest.version, &manifest.permissions);
        approve(&operator, approval, &bytes, Trust::Development)?;
        // The one that was pinned is the one that is being edited.
        lock.plugins.remove(&manifest.id);
        lock.pin(&manifest, &bytes);
        write(&place.workspace.join("orch.lock"), lock.render().as_bytes(), whole_file::PUBLIC)
    }

    /// A plugin that the ordinary host admits.
    fn let_in_other(&self, operator: &Operator, id: &PluginId, rules: &Rules) -> Result<(), Fault> {
        let folders = self.folders();
        let found = plugins::versions(&folders, id);
        let package = plugins::choose(&found, id, rules)
            .ok_or_else(|| PluginsError::NotFound { id: id.to_string(), searched: folders.clone() })?;
        let refused = |source: PackageError| PluginsError::Refused {
            id: id.to_string(),
            folder: package.folder.clone(),
            source: Box::new(source),
        };
        let bytes = plugins::read(package).map_err(refused)?;
        let admitted = explain(&bytes, rules, place::now()).outcome;
        let admitted = admitted.map_err(|(_, refusal)| refused(refusal.into()))?;
        let manifest = admitted.manifest();
        approve(operator, approval(id, &manifest.version, &manifest.permissions), &bytes, admitted.trust())
    }

    /// The ordinary policy, with an entry for the plugin that is written where it says nothing of it.
    fn write_policy(&self, manifest: &Manifest) -> Result<(), Fault> {
        let path = self.ordinary.home.join(POLICY);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(place::io(&path, "read", error)),
        };
        let (allowed, _) = self.ordinary.policy.allowed(&manifest.id);
        let asked = Permissions { secrets: None, llm: None, embed: None, ..manifest.permissions.clone() };
        let entry = match allowed.lines().is_empty() && !asked.lines().is_empty() {
            true => entry_naming(&manifest.id, &asked, &found_tools()),
            false => String::new(),
        };
        write(&self.home.join(POLICY), format!("{text}\n{entry}").as_bytes(), whole_file::PRIVATE)
    }
}

/// Keeps an approval that says more than the one that is there.
fn approve(operator: &Operator, approval: Approval, bytes: &PackageBytes, trust: Trust) -> Result<(), Fault> {
    let same = |before: &Approval| {
        (&before.version, &before.permissions) == (&approval.version, &approval.permissions)
    };
    if operator.approvals.get(&approval.id).is_some_and(same) {
        return Ok(());
    }
    Ok(operator.approve(&approval, bytes, trust)?)
}

fn approval(id: &PluginId, version: &semver::Version, permissions: &Permissions) -> Approval {
    let (id, version, permissions) = (id.clone(), version.clone(), permissions.clone());
    Approval { id, version, permissions, at: place::now() }
}

/// How a workspace binds that plugin, for a person to copy.
fn binding(manifest: &Manifest) -> String {
    let id = &manifest.id;
    match (manifest.kinds.first(), manifest.roles.first()) {
        (Some(kind), _) => format!("executors: {{{kind}: {id}}}"),
        (None, Some(role)) => format!("{}: {id}", role.as_str()),
        (None, None) => format!("planner: {id}"),
    }
}

/// Those files and no others.
fn trust_only(folder: &Path, files: impl Iterator<Item = (String, String)>) -> Result<(), Fault> {
    let entries = fs::read_dir(folder).map_err(|error| place::io(folder, "read", error))?;
    for entry in entries {
        let path = entry.map_err(|error| place::io(folder, "read", error))?.path();
        fs::remove_file(&path).map_err(|error| place::io(&path, "remove", error))?;
    }
    for (name, text) in files {
        write(&folder.join(format!("{name}.toml")), text.as_bytes(), whole_file::PRIVATE)?;
    }
    Ok(())
}

/// The file as it is there, or none where there is none.
fn take(from: &Path, to: &Path) -> Result<(), Fault> {
    match fs::read(from) {
        Ok(bytes) => write(to, &bytes, whole_file::PRIVATE),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => match fs::remove_file(to) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(place::io(to, "remove", error)),
            _ => Ok(()),
        },
        Err(error) => Err(place::io(from, "read", error)),
    }
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Fault> {
    whole_file::write(path, bytes, mode).map_err(|error| place::io(path, "write", error))
}
