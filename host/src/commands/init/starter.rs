//! `orch-host init DIR --starter`: the plugins that come with the program, shown, taken, certified, approved and bound.
//!
//! In -> out: the folder beside the program, one yes -> keys, policy, packages and approvals in the operator's folder, a
//! `config.yaml` that binds them.
//! Invariant: everything that is taken is shown before, and stands under one digest; what is there already stays as it is, so
//! whoever was interrupted says the same again.
//! Not here: what the folder must be (`starter.rs`), what a package must prove (`orch-trust`).

use std::fs;
use std::path::PathBuf;

use clap::ValueEnum;
use orch_journal::event::TrustedRole;
use orch_trust::authority::Certifier as CertifierFile;
use orch_trust::manifest::Manifest;
use orch_trust::package::PackageBytes;
use orch_trust::policy::{SandboxPreset, entry_naming};

use super::super::plugin;
use crate::config::operator::{Operator, OperatorError};
use crate::config::workspace::one_spelling;
use crate::console::{Console, escape};
use crate::exit::{Exit, Fault};
use crate::package;
use crate::place::{self, Place};
use crate::starter::{Certifier, Starter, found_tools};
use crate::whole_file;

#[derive(clap::Args)]
pub(super) struct StarterArgs {
    /// Take the plugins that come with this program: show them, ask once, certify and bind them
    #[arg(long)]
    pub starter: bool,
    /// Their folder; the one beside this program if absent
    #[arg(long, value_name = "DIR", requires = "starter")]
    packages: Option<PathBuf>,
    /// Say yes beforehand: the digest of the folder's `SHA256SUMS`
    #[arg(long, value_name = "SHA256", requires = "starter")]
    yes: Option<String>,
    /// Programs that plugins which run commands may start; usual tools of the search path if absent
    #[arg(long, value_name = "NAME", value_delimiter = ',', requires = "starter")]
    programs: Vec<String>,
    /// What a new policy says where the machine lacks a wall of the sandbox
    #[arg(long, value_enum, requires = "starter")]
    sandbox: Option<Sandbox>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Sandbox {
    Require,
    BestEffort,
}

/// What was shown, and the yes to it.
pub(super) struct Accepted {
    starter: Starter,
    programs: Vec<String>,
    certifier: Certifier,
}

impl StarterArgs {
    /// Shows what would be taken, and asks.
    ///
    /// # Errors
    /// Where nothing can be taken; `starter-not-accepted`.
    pub(super) fn ask(
        &self,
        operator: &Operator,
        place: &Place,
        console: Console,
    ) -> Result<Accepted, Fault> {
        if operator.anchor.is_some() {
            return Err(OperatorError::KeyBesideRoot { path: PathBuf::from("publisher.toml") }.into());
        }
        let config = one_spelling(place.workspace.join("config.yaml"))?;
        let bound = match config.symlink_metadata() {
            Ok(_) => Some(place.config()?.roles.ids().into_iter().collect()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(place::io(&config, "look at", error)),
        };
        let starter = Starter::read(&Starter::find(self.packages.as_deref())?, bound)?;
        let certifier = Certifier::beside(&operator.home, None)?;
        let programs = if self.programs.is_empty() { found_tools() } else { self.programs.clone() };
        let publisher = &starter.publisher;
        console.line(&format!(
            "packages of {} ({}), signed by key {}",
            escape(&publisher.owner),
            publisher.namespaces.join(", "),
            publisher.key.id()
        ));
        for (manifest, _) in &starter.plugins {
            plugin::show_ask(manifest, console);
            plugin::show_unconfined(manifest, operator, console);
        }
        console.line(&format!("programs that may be started: {}", programs.join(", ")));
        console.line(&format!("SHA256SUMS {}", starter.digest));
        let yes = match &self.yes {
            Some(said) => *said == starter.digest.to_string(),
            None => console.ask("trust this key, and allow all of this?").ok_or_else(|| {
                let hint = format!("look at what they ask for, then say `--yes {}`", starter.digest);
                let error = anyhow::anyhow!("nobody can be asked");
                Fault::new(Exit::NeedsDecision, "approval-missing", Some(hint), error)
            })?,
        };
        if !yes {
            let error = anyhow::anyhow!("the packages with `SHA256SUMS` {} were not allowed", starter.digest);
            return Err(Fault::new(Exit::NeedsDecision, "starter-not-accepted", None, error));
        }
        Ok(Accepted { starter, programs, certifier })
    }

    /// Writes a policy where there is none, and what it lacks into one that is there.
    fn write_policy(&self, operator: &Operator, accepted: &Accepted, console: Console) -> Result<(), Fault> {
        let path = operator.home.join("policy.toml");
        let unsaid = accepted.starter.plugins.iter().filter(|(manifest, _)| {
            let (allowed, _) = operator.policy.allowed(&manifest.id);
            allowed.lines().is_empty() && !manifest.permissions.lines().is_empty()
        });
        let entries: Vec<String> = unsaid
            .map(|(manifest, _)| entry_naming(&manifest.id, &manifest.permissions, &accepted.programs))
            .collect();
        let text = match fs::read_to_string(&path) {
            Ok(_) if entries.is_empty() => return Ok(()),
            Ok(before) => format!("{}\n\n{}", before.trim_end(), entries.join("\n")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                format!("{}\n{}", self.new_policy(&accepted.programs), entries.join("\n"))
            }
            Err(error) => return Err(place::io(&path, "read", error)),
        };
        whole_file::write(&path, text.as_bytes(), whole_file::PRIVATE)
            .map_err(|error| place::io(&path, "write", error))?;
        console.line(&format!("wrote `{}`: what plugins may do at most", path.display()));
        Ok(())
    }

    fn new_policy(&self, programs: &[String]) -> String {
        let mut text = "# What plugins may do at most. Made by `orch-host init --starter`, yours from now on.\n\n[sandbox]\n"
            .to_owned();
        if self.sandbox == Some(Sandbox::BestEffort) {
            text.push_str("mode = \"best-effort\"   # where the machine lacks a wall, each report says so\n");
        }
        let has = |preset: &SandboxPreset| programs.iter().any(|name| preset.is_of(name));
        let presets = SandboxPreset::ALL.iter().filter(|preset| has(preset));
        let presets: Vec<String> = presets.map(|preset| format!("\"{}\"", preset.as_str())).collect();
        format!("{text}presets = [{}]\n", presets.join(", "))
    }
}

impl Accepted {
    /// The text of `config.yaml` that binds them.
    pub(super) fn config(&self) -> &str {
        &self.starter.config
    }

    /// What the first task of a new workspace runs, as YAML.
    pub(super) fn first_command(&self) -> String {
        match self.programs.iter().find(|program| *program == "sh").or(self.programs.first()) {
            Some(shell) if shell == "sh" => "echo it works".to_owned(),
            Some(other) => format!("[{other}, --version]"),
            None => "[true]".to_owned(),
        }
    }

    /// Takes all of it: keys, policy, packages, approvals, pins.
    ///
    /// # Errors
    /// Of the files, of `orch-certify`, and refusals of packages.
    pub(super) fn take(
        &self,
        args: &StarterArgs,
        operator: &Operator,
        place: &Place,
        console: Console,
    ) -> Result<(), Fault> {
        let Self { starter, certifier, .. } = self;
        trust(operator, TrustedRole::Publisher, &starter.publisher_file, console)?;
        trust(operator, TrustedRole::Certifier, &certifier.public_file()?, console)?;
        args.write_policy(operator, self, console)?;
        // With the keys and the policy of now.
        let operator = Operator::open(&operator.home)?;
        for (manifest, bytes) in &starter.plugins {
            let folder = self.certified(&operator, manifest, bytes)?;
            let kept = package::read(&folder)?;
            let admitted = plugin::check_but_approval(&operator, &folder, &kept)?;
            plugin::pin::take(&operator, &kept, &admitted, place)?;
            console.line(&format!("{} {}  certified, approved", manifest.id, manifest.version));
        }
        Ok(())
    }

    /// The package in the operator's folder, with a certificate of this machine's.
    fn certified(
        &self,
        operator: &Operator,
        manifest: &Manifest,
        bytes: &PackageBytes,
    ) -> Result<PathBuf, Fault> {
        let target = plugin::kept_at(operator, manifest);
        if target.symlink_metadata().is_err() {
            plugin::keep::write(bytes, &target)?;
        } else if package::read(&target)?.manifest_digest() != bytes.manifest_digest() {
            let hint = Some("remove it first, if it shall be replaced".to_owned());
            let what = format!("`{}` is another package of the same version", target.display());
            return Err(place::input("package-exists", hint, what));
        }
        self.certifier.certify(&target)?;
        Ok(target)
    }
}

/// Keeps a key's file, unless it is there.
fn trust(operator: &Operator, role: TrustedRole, file: &str, console: Console) -> Result<(), Fault> {
    let malformed =
        |error: orch_trust::authority::AuthorityError| place::input("trust-file", None, error.to_string());
    let (id, owner, is_known) = match role {
        TrustedRole::Publisher => {
            let found = orch_trust::authority::Publisher::parse(file).map_err(malformed)?;
            let is_known = operator.publishers.iter().any(|known| known.key == found.key);
            (found.key.id(), found.owner, is_known)
        }
        TrustedRole::Certifier => {
            let found = CertifierFile::parse(file).map_err(malformed)?;
            let is_known = operator.certifiers.iter().any(|known| known.id() == found.id());
            (found.id(), found.owner, is_known)
        }
    };
    if !is_known {
        let path = operator.trust_key(role, &id, &owner, file)?;
        console.line(&format!("trusted: `{}`", path.display()));
    }
    Ok(())
}
