//! Grants: what one plugin may do in this run.
//!
//! In -> out: ask, namespace maximum, policy, approval, workspace -> [`Grant`], or the first permission refused.
//! Invariant: every element of a grant is in each input; there is no other constructor but a candidate's, which is
//! never run by the loop.
//! Not here: enforcing grants (`orch-host`'s `capability`).

use crate::approval::Approval;
use crate::name::PluginId;
use crate::permission::{ANY, Permissions, ProcessPermission};
use crate::policy::Policy;
use crate::refusal::Refusal;

/// What one plugin may do. Immutable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    permissions: Permissions,
}

/// Everything that bounds a grant.
#[derive(Clone, Copy, Debug)]
pub struct Bounds<'a> {
    pub maximum: Option<&'a Permissions>,
    pub policy: &'a Policy,
    /// The operator's yes; `None` refuses.
    pub approval: Option<&'a Approval>,
    /// What the workspace takes away.
    pub narrow: Option<&'a Permissions>,
}

impl Grant {
    /// What is asked for, if every bound contains it. `process.programs = ["*"]` in a manifest stands for the
    /// programs that the operator names, and becomes that list.
    pub fn intersect(id: &PluginId, ask: &Permissions, bounds: Bounds<'_>) -> Result<Self, Refusal> {
        let (allowed, table) = bounds.policy.allowed(id);
        let mut granted = ask.clone();
        if let (Some(process), Some(operators)) = (&mut granted.process, &allowed.process) {
            name_programs(process, operators);
        }
        if let Some(maximum) = bounds.maximum {
            granted
                .within(maximum)
                .map_err(|source| Refusal::PermissionAboveMaximum { id: id.clone(), source })?;
        }
        granted.within(allowed).map_err(|source| Refusal::PermissionNotAllowed {
            id: id.clone(),
            table,
            source,
        })?;
        let approval = bounds.approval.ok_or_else(|| Refusal::ApprovalMissing { id: id.clone() })?;
        ask.within(&approval.permissions).map_err(|source| Refusal::ApprovalExceeded {
            id: id.clone(),
            approved: approval.version.clone(),
            source,
        })?;
        if let Some(narrow) = bounds.narrow {
            granted = narrowed(&granted, narrow);
        }
        Ok(Self { permissions: granted })
    }

    /// Everything a candidate asks for: its calls meet fake capabilities only.
    pub(crate) fn of_candidate(ask: &Permissions) -> Self {
        Self { permissions: ask.clone() }
    }

    pub fn permissions(&self) -> &Permissions {
        &self.permissions
    }
}

fn name_programs(process: &mut ProcessPermission, operators: &ProcessPermission) {
    if process.programs.iter().any(|program| program == ANY) {
        process.programs.retain(|program| program != ANY);
        for program in &operators.programs {
            if !process.programs.contains(program) {
                process.programs.push(program.clone());
            }
        }
    }
}

/// A grant with only what `narrow` names kept; what `narrow` does not name stays as it is.
fn narrowed(granted: &Permissions, narrow: &Permissions) -> Permissions {
    let mut kept = granted.clone();
    let keep = |list: &mut Vec<String>, bound: &Vec<String>| list.retain(|entry| bound.contains(entry));
    if let (Some(process), Some(bound)) = (&mut kept.process, &narrow.process) {
        keep(&mut process.programs, &bound.programs);
        keep(&mut process.env, &bound.env);
        process.network &= bound.network;
    }
    if let (Some(files), Some(bound)) = (&mut kept.files, &narrow.files) {
        // A glob that lies inside a granted one may stand in its place.
        files.read = inside(&files.read, &bound.read);
        files.write = inside(&files.write, &bound.write);
    }
    if let (Some(tasks), Some(bound)) = (&mut kept.tasks, &narrow.tasks) {
        tasks.read &= bound.read;
        tasks.add = tasks.add.min(bound.add);
        keep(&mut tasks.kinds, &bound.kinds);
    }
    if let (Some(kv), Some(bound)) = (&mut kept.kv, &narrow.kv) {
        keep(&mut kv.labels, &bound.labels);
        kv.bytes = kv.bytes.min(bound.bytes);
    }
    kept
}

fn inside(granted: &[String], wanted: &[String]) -> Vec<String> {
    let alone =
        |glob: &String| crate::permission::FilesPermission { read: vec![glob.clone()], write: vec![] };
    let lies = |inner: &String, outer: &String| {
        let inner = Permissions { files: Some(alone(inner)), ..Permissions::default() };
        let outer = Permissions { files: Some(alone(outer)), ..Permissions::default() };
        inner.within(&outer).is_ok()
    };
    wanted.iter().filter(|glob| granted.iter().any(|outer| lies(glob, outer))).cloned().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::permission::{FilesPermission, KvPermission, Plain, TasksPermission};
    use crate::policy::Allowance;
    use crate::time::UnixSeconds;

    fn permissions() -> impl Strategy<Value = Permissions> {
        let some = |words: &'static [&'static str]| {
            prop::collection::vec(prop::sample::select(words), 0..3)
                .prop_map(|found| found.into_iter().map(str::to_owned).collect::<Vec<_>>())
        };
        let globs = || some(&["**", "src/**", "src/a.py", "docs/**"]);
        (
            any::<bool>(),
            prop::option::of((some(&["a", "b"]), 0..4u64)),
            prop::option::of((any::<bool>(), 0..4u32, some(&["note", "shell"]))),
            prop::option::of((globs(), globs())),
            prop::option::of((some(&["sh", "git", "*"]), some(&["HOME"]), any::<bool>())),
        )
            .prop_map(|(log, kv, tasks, files, process)| Permissions {
                log: log.then_some(Plain {}),
                kv: kv.map(|(labels, bytes)| KvPermission { labels, bytes }),
                tasks: tasks.map(|(read, add, kinds)| TasksPermission { read, add, kinds }),
                files: files.map(|(read, write)| FilesPermission { read, write }),
                process: process.map(|(programs, env, network)| ProcessPermission { programs, env, network }),
                ..Permissions::default()
            })
    }

    proptest! {
        #[test]
        fn a_grant_never_exceeds_any_of_its_bounds(
            ask in permissions(), maximum in permissions(), allowed in permissions(), approved in permissions(), narrow in permissions(),
        ) {
            let id = PluginId::parse("demo/x").unwrap();
            let policy = Policy { default: Allowance { allow: allowed.clone() }, ..Policy::default() };
            let approval = Approval { id: id.clone(), version: semver::Version::new(1, 0, 0), permissions: approved.clone(), at: UnixSeconds(0) };
            let bounds = Bounds { maximum: Some(&maximum), policy: &policy, approval: Some(&approval), narrow: Some(&narrow) };
            if let Ok(grant) = Grant::intersect(&id, &ask, bounds) {
                prop_assert!(grant.permissions().within(&maximum).is_ok());
                prop_assert!(grant.permissions().within(&allowed).is_ok());
                prop_assert!(ask.within(&approved).is_ok());
                let wildcard = ask.process.iter().any(|process| process.programs.contains(&"*".to_owned()));
                prop_assert!(wildcard || grant.permissions().within(&ask).is_ok());
                if let Some(bound) = &narrow.process {
                    let programs = grant.permissions().process.iter().flat_map(|process| &process.programs);
                    prop_assert!(programs.clone().all(|program| bound.programs.contains(program)));
                }
            }
            let unapproved = Bounds { approval: None, ..bounds };
            prop_assert!(Grant::intersect(&id, &ask, unapproved).is_err());
        }
    }
}
