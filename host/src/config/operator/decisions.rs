//! What an operator decides by a command: approvals, denials, keys, workspaces.
//!
//! In -> out: what was decided -> an event of the operator's stream, then the file that makes it count.
//! Invariant: what changes nothing is no decision; what is changed is read again under the folder's lock.
//! Not here: how it is recorded (`stream.rs`), trust roots (`intake.rs`), tokens (`../tokens.rs`).

use std::path::{Path, PathBuf};

use orch_journal::event::{DeniedSubject, OperatorDecision, TrustedRole};
use orch_trust::approval::Approval;
use orch_trust::denial::{Denial, Denials, Denied};
use orch_trust::evidence::Trust;
use orch_trust::key::KeyId;
use orch_trust::package::PackageBytes;

use super::stream::Change;
use super::{DENIALS, Operator, OperatorError, denials, read};
use crate::config::workspaces;

impl Operator {
    /// Keeps others from changing the folder meanwhile.
    pub(in crate::config) fn change(&self) -> Result<Change<'_>, OperatorError> {
        Change::begin(&self.home, &self.secret)
    }

    /// Keeps an approval of what is asked for in these bytes, for which certifiers vouched so far.
    pub fn approve(
        &self,
        approval: &Approval,
        seen: &PackageBytes,
        trust: Trust,
    ) -> Result<(), OperatorError> {
        let name = format!("{}.{}.json", approval.id.namespace(), approval.id.name());
        let what = OperatorDecision::PluginApproved {
            id: approval.id.to_string(),
            version: approval.version.to_string(),
            manifest: seen.manifest_digest().to_string(),
            component: seen.component_digest().to_string(),
            trust: trust.as_str().to_owned(),
        };
        self.change()?.decide(what, &self.home.join("approvals").join(name), approval.render().as_bytes())
    }

    /// Denies something on this host; false if it was denied before.
    pub fn deny(&self, denial: Denial) -> Result<bool, OperatorError> {
        let what = OperatorDecision::Denied { subject: subject(&denial.what), reason: denial.reason.clone() };
        self.change_denials(what, |denials| denials.add(denial))
    }

    /// Takes a denial back; false if there was none.
    pub fn take_denial_back(&self, denied: &Denied) -> Result<bool, OperatorError> {
        let what = OperatorDecision::DenialTakenBack { subject: subject(denied) };
        self.change_denials(what, |denials| denials.remove(denied))
    }

    /// From what the file says now; `change` says whether it changed something.
    fn change_denials(
        &self,
        what: OperatorDecision,
        change: impl FnOnce(&mut Denials) -> bool,
    ) -> Result<bool, OperatorError> {
        let begun = self.change()?;
        let mut denials = denials(&self.home)?;
        let changed = change(&mut denials);
        if changed {
            begun.decide(what, &self.home.join(DENIALS), denials.render().as_bytes())?;
        }
        Ok(changed)
    }

    /// Keeps the file of a publisher's or certifier's key; gives where.
    pub fn trust_key(
        &self,
        role: TrustedRole,
        key: &KeyId,
        owner: &str,
        file: &str,
    ) -> Result<PathBuf, OperatorError> {
        let folder = match role {
            TrustedRole::Publisher => "trust/publishers",
            TrustedRole::Certifier => "trust/certifiers",
        };
        let path = self.home.join(folder).join(format!("{}.toml", key.short()));
        let what = OperatorDecision::KeyTrusted { role, key: key.to_string(), owner: owner.to_owned() };
        self.change()?.decide(what, &path, file.as_bytes())?;
        Ok(path)
    }

    /// True if a run was started in that workspace before, or somebody said that it may be.
    pub fn knows_workspace(&self, workspace: &Path) -> Result<bool, OperatorError> {
        let known = read(&self.home.join("workspaces"))?.unwrap_or_default();
        Ok(workspaces::contains(&known, workspace))
    }

    /// Remembers a workspace. Others may do the same at the same time.
    pub fn trust_workspace(&self, workspace: &Path) -> Result<(), OperatorError> {
        if self.knows_workspace(workspace)? {
            return Ok(());
        }
        let line = workspaces::line(workspace)?;
        let begun = self.change()?;
        let path = self.home.join("workspaces");
        let known = read(&path)?.unwrap_or_default();
        if workspaces::contains(&known, workspace) {
            return Ok(());
        }
        let end = if known.is_empty() || known.ends_with('\n') { "" } else { "\n" };
        let what = OperatorDecision::WorkspaceKnown { path: workspace.display().to_string() };
        begun.decide(what, &path, format!("{known}{end}{line}").as_bytes())
    }
}

fn subject(denied: &Denied) -> DeniedSubject {
    match denied {
        Denied::Id(id) => DeniedSubject::Plugin(id.to_string()),
        Denied::Sha256(digest) => DeniedSubject::File(digest.to_string()),
        Denied::Key(key) => DeniedSubject::Key(key.to_string()),
    }
}
