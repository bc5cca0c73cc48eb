//! Grants: what one plugin may do in this run.
//!
//! In -> out: ask, namespace maximum, policy, approval, workspace -> [`Grant`], or the first permission refused.
//! Invariant: every element of a grant is in each input; there is no other constructor but a candidate's, which is
//! never run by the loop.
//! Not here: enforcing grants (`orch-host`'s `capability`).

use crate::approval::Approval;
use crate::name::PluginId;
use crate::permission::{Permissions, Side};
use crate::policy::{Policy, entry_for};
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
    /// What is asked for, if every bound contains it, less what the workspace takes away.
    ///
    /// `*` among the programs, variables and hosts of a manifest stands for those that the operator names, and becomes that
    /// list: it is in no grant.
    ///
    /// # Errors
    /// `ManifestPermission`, `PermissionAboveMaximum`, `PermissionNotAllowed`, `ApprovalMissing`, `ApprovalExceeded`,
    /// `NarrowMalformed`.
    pub fn intersect(id: &PluginId, ask: &Permissions, bounds: Bounds<'_>) -> Result<Self, Refusal> {
        ask.check_form(Side::Bounding).map_err(|source| Refusal::ManifestPermission { source })?;
        let (allowed, table) = bounds.policy.allowed(id);
        let mut granted = ask.named(allowed, bounds.maximum);
        if let Some(maximum) = bounds.maximum {
            granted
                .within(maximum)
                .map_err(|source| Refusal::PermissionAboveMaximum { id: id.clone(), source })?;
        }
        granted.within(allowed).map_err(|source| Refusal::PermissionNotAllowed {
            id: id.clone(),
            table,
            entry: entry_for(id, ask),
            source: Box::new(source),
        })?;
        let approval = bounds.approval.filter(|approval| approval.id == *id);
        let approval = approval.ok_or_else(|| Refusal::ApprovalMissing { id: id.clone() })?;
        ask.within(&approval.permissions).map_err(|source| Refusal::ApprovalExceeded {
            id: id.clone(),
            approved: approval.version.clone(),
            source: Box::new(source),
        })?;
        if let Some(narrow) = bounds.narrow {
            // A workspace is not trusted: a text with a second meaning, like `..`, must not get into a grant.
            narrow
                .check_form(Side::Bounding)
                .map_err(|source| Refusal::NarrowMalformed { id: id.clone(), source })?;
            granted = granted.narrowed(narrow);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::permission::{
        ANY, FilesPermission, KvPermission, LogPermission, ProcessPermission, TasksPermission,
    };
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
            prop::option::of((
                some(&["sh", "git", "*"]),
                some(&["HOME"]),
                some(&["*:443", "*.b.c:443", "a.b.c:443", "127.0.0.1:443", "*"]),
            )),
        )
            .prop_map(|(log, kv, tasks, files, process)| Permissions {
                log: log.then_some(LogPermission {}),
                kv: kv.map(|(labels, bytes)| KvPermission { labels, bytes }),
                tasks: tasks.map(|(read, add, kinds)| TasksPermission { read, add, kinds }),
                files: files.map(|(read, write)| FilesPermission { read, write }),
                process: process.map(|(programs, env, network)| ProcessPermission { programs, env, network }),
                ..Permissions::default()
            })
    }

    fn covered(program: &str, bound: &[String]) -> bool {
        bound.iter().any(|outer| outer == ANY || outer == program)
    }

    fn glob_within(glob: &str, bound: &[String]) -> bool {
        let only = |read: &[String]| Permissions {
            files: Some(FilesPermission { read: read.to_vec(), write: vec![] }),
            ..Permissions::default()
        };
        only(&[glob.to_owned()]).within(&only(bound)).is_ok()
    }

    proptest! {
        #[test]
        fn containing_carries_over(inner in permissions(), middle in permissions(), outer in permissions()) {
            prop_assert!(inner.within(&inner).is_ok());
            if inner.within(&middle).is_ok() && middle.within(&outer).is_ok() {
                prop_assert!(inner.within(&outer).is_ok());
            }
            let common = outer.narrowed(&middle);
            prop_assert!(common.within(&outer).is_ok(), "{common:?}");
        }

        #[test]
        fn a_grant_never_exceeds_any_of_its_bounds(
            ask in permissions(), maximum in permissions(), allowed in permissions(), approved in permissions(), narrow in permissions(),
        ) {
            let id = PluginId::parse("demo/x").unwrap();
            let policy = Policy { default: Allowance { allow: allowed.clone(), ..Allowance::default() }, ..Policy::default() };
            let approval = Approval { id: id.clone(), version: semver::Version::new(1, 0, 0), permissions: approved.clone(), at: UnixSeconds(0) };
            let bounds = Bounds { maximum: Some(&maximum), policy: &policy, approval: Some(&approval), narrow: Some(&narrow) };
            if let Ok(grant) = Grant::intersect(&id, &ask, bounds) {
                prop_assert!(grant.permissions().within(&maximum).is_ok());
                prop_assert!(grant.permissions().within(&allowed).is_ok());
                prop_assert!(ask.within(&approved).is_ok());
                let wildcard = ask.process.iter().any(|process| process.programs.contains(&"*".to_owned()));
                prop_assert!(wildcard || grant.permissions().within(&ask).is_ok());
                for found in grant.permissions().process.iter().flat_map(|process| &process.programs) {
                    prop_assert!(found != "*");
                    prop_assert!(narrow.process.iter().all(|bound| covered(found, &bound.programs)));
                }
                for found in grant.permissions().files.iter().flat_map(|files| &files.read) {
                    let inside = narrow.files.as_ref().is_none_or(|bound| glob_within(found, &bound.read));
                    prop_assert!(inside, "`{found}` is not within {:?}", narrow.files);
                }
            }
            let unapproved = Bounds { approval: None, ..bounds };
            prop_assert!(Grant::intersect(&id, &ask, unapproved).is_err());
        }
    }

    /// The grant, or the code of the refusal; approved is what is asked.
    fn granted(
        ask: &str,
        maximum: Option<&str>,
        allowed: &str,
        narrow: &str,
    ) -> Result<Permissions, &'static str> {
        let read = |json: &str| serde_json::from_str::<Permissions>(json).unwrap();
        let id = PluginId::parse("demo/x").unwrap();
        let policy = Policy {
            default: Allowance { allow: read(allowed), ..Allowance::default() },
            ..Policy::default()
        };
        let version = semver::Version::new(1, 0, 0);
        let approval = Approval { id: id.clone(), version, permissions: read(ask), at: UnixSeconds(0) };
        let (maximum, narrow) = (maximum.map(read), read(narrow));
        let bounds = Bounds {
            maximum: maximum.as_ref(),
            policy: &policy,
            approval: Some(&approval),
            narrow: Some(&narrow),
        };
        match Grant::intersect(&id, &read(ask), bounds) {
            Ok(grant) => Ok(grant.permissions().clone()),
            Err(refusal) => Err(refusal.code()),
        }
    }

    #[test]
    fn a_workspace_cannot_write_its_way_out_of_a_grant() {
        let read = |glob: &str| format!(r#"{{"files":{{"read":["{glob}"]}}}}"#);
        let narrowed = |glob: &str| granted(&read("src/**"), None, &read("**"), &read(glob));
        assert_eq!(narrowed("src/a/**"), Ok(serde_json::from_str(&read("src/a/**")).unwrap()));
        for out in ["src/../../etc/passwd", "src/../**", "/etc/**", "src//etc"] {
            assert_eq!(narrowed(out), Err("narrow-malformed"), "{out}");
        }
        assert_eq!(narrowed("**"), Ok(serde_json::from_str(&read("src/**")).unwrap()));
    }

    #[test]
    fn every_program_becomes_those_that_operator_and_maximum_name() {
        let process = |programs: &str| format!(r#"{{"process":{{"programs":[{programs}]}}}}"#);
        let programs = |maximum: Option<&str>, allowed: &str| {
            let maximum = maximum.map(process);
            granted(&process(r#""*""#), maximum.as_deref(), &process(allowed), "{}")
                .map(|permissions| permissions.process.unwrap().programs)
        };
        assert_eq!(programs(None, r#""sh","git""#), Ok(vec!["git".to_owned(), "sh".to_owned()]));
        assert_eq!(programs(Some(r#""git","rm""#), r#""sh","git""#), Ok(vec!["git".to_owned()]));
        assert_eq!(programs(Some(r#""*""#), r#""sh""#), Ok(vec!["sh".to_owned()]));
        assert_eq!(programs(None, r#""*""#), Ok(vec![]));
        assert_eq!(granted(&process(r#""*""#), None, "{}", "{}"), Err("permission-not-allowed"));
    }

    #[test]
    fn every_variable_becomes_those_that_operator_and_maximum_name() {
        let process = |env: &str| format!(r#"{{"process":{{"programs":["sh"],"env":[{env}]}}}}"#);
        let env = |ask: &str, maximum: Option<&str>, allowed: &str| {
            let maximum = maximum.map(process);
            granted(&process(ask), maximum.as_deref(), &process(allowed), "{}")
                .map(|permissions| permissions.process.unwrap().env)
        };
        let named = Ok(vec!["CI".to_owned(), "PATH@sh".to_owned()]);
        assert_eq!(env(r#""*""#, None, r#""PATH@sh","CI""#), named);
        assert_eq!(env(r#""*""#, Some(r#""*""#), r#""PATH@sh","CI""#), named);
        assert_eq!(env(r#""*""#, Some(r#""CI""#), r#""PATH@sh","CI""#), Ok(vec!["CI".to_owned()]));
        assert_eq!(env(r#""CI""#, None, r#""PATH@sh","CI""#), Ok(vec!["CI".to_owned()]));
        assert_eq!(env(r#""CI""#, None, r#""CI@sh""#), Err("permission-not-allowed"));
    }

    #[test]
    fn an_approval_is_for_its_plugin() {
        let (id, other) = (PluginId::parse("demo/x").unwrap(), PluginId::parse("demo/y").unwrap());
        let (policy, permissions) = (Policy::default(), Permissions::default());
        let approval =
            Approval { id: other, version: semver::Version::new(1, 0, 0), permissions, at: UnixSeconds(0) };
        let bounds = Bounds { maximum: None, policy: &policy, approval: Some(&approval), narrow: None };
        let refusal = Grant::intersect(&id, &Permissions::default(), bounds).unwrap_err();
        assert_eq!(refusal.code(), "approval-missing");
    }
}
