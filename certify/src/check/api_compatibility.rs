//! Check `api-compatibility`: works with every host it says it works with, and wherever the last release worked.
//!
//! In -> out: manifest and component, the previous release if there is one -> result. Looks at each version of the
//! interfaces, and at each role of the previous release.
//! Invariant: a release that keeps its first number (its second before 1.0.0) exports what the one before exported, in
//! the same form. New imports are a warning: they ask every operator again.
//! Off-spec: versions of interfaces are left out of the comparison, as `semver_check` does.
//! Not here: the form of today's interfaces (`exports.rs`, `imports.rs`); a release counter (`orch-trust`).

use std::collections::BTreeSet;

use orch_trust::certificate::CheckResult;
use orch_trust::facts::Facts;
use orch_trust::manifest::Manifest;
use orch_trust::versions::{HOST_VERSIONS, Ours};

use super::{Subject, failed, passed, skipped, warned};
use crate::wit;

pub(super) const ID: &str = "api-compatibility";

pub(super) fn check(subject: &Subject<'_>) -> CheckResult {
    let (manifest, facts) = match subject.both_valid(ID) {
        Ok(both) => both,
        Err(skipped) => return *skipped,
    };
    let component = subject.package.component();
    let (looked_at, refused) = hosts(manifest, facts, &component);
    if !refused.is_empty() {
        return failed(ID, looked_at, refused);
    }
    let Some(previous) = subject.previous() else {
        return passed(ID, looked_at, vec!["api-first-release: no previous release was named".to_owned()]);
    };
    let before = match previous {
        Ok(before) => before,
        Err(error) => return skipped(ID, &format!("no previous release: {}", error.code())),
    };
    let read = before
        .parse_manifest()
        .and_then(|manifest| before.check_integrity(manifest).map(|()| manifest))
        .and_then(|manifest| Ok((manifest, Facts::derive(&before.component())?)));
    let (old, old_facts) = match read {
        Ok(read) => read,
        Err(refusal) => return skipped(ID, &format!("previous release does not hold: {}", refusal.code())),
    };
    let looked_at = looked_at + old.roles.len() as u64;
    let mut refused = succession(manifest, old);
    if !refused.is_empty() {
        return failed(ID, looked_at, refused);
    }
    if !is_compatible_upgrade(&old.version, &manifest.version) {
        return passed(
            ID,
            looked_at,
            vec!["api-new-series: its version promises nothing to users of the last".into()],
        );
    }
    refused.extend(lost(manifest, old));
    if let Err(error) = wit::check_upgrade(&before.component(), &component) {
        refused.push(format!("api-changed: {error}"));
    }
    let asked: BTreeSet<&str> = old_facts.imports.iter().map(|name| unversioned(name)).collect();
    let more = facts.imports.iter().filter(|name| !asked.contains(unversioned(name)));
    let said: Vec<String> =
        more.map(|name| format!("api-imports-more: `{}` is new", name.escape_default())).collect();
    match (refused.is_empty(), said.is_empty()) {
        (false, _) => failed(ID, looked_at, [refused, said].concat()),
        (true, false) => warned(ID, looked_at, said),
        (true, true) => passed(ID, looked_at, Vec::new()),
    }
}

/// How many versions of the interfaces it says it works with, and with which it does not. Never none: a manifest
/// that allows no host that there is does not parse.
fn hosts(manifest: &Manifest, facts: &Facts, component: &[u8]) -> (u64, Vec<String>) {
    let (mut versions, mut refused) = (0, Vec::new());
    for version in HOST_VERSIONS.iter().filter(|version| manifest.host.api.matches(version)) {
        versions += 1;
        let names = facts.imports.iter().chain(&facts.exports);
        let newer = names.filter_map(|name| Some((name, Ours::of(name)?.since())));
        for (name, since) in newer.filter(|(_, since)| since > version) {
            refused
                .push(format!("api-host: `host.api` allows {version}, and `{name}` is there since {since}"));
        }
        for role in &manifest.roles {
            if let Err(error) = wit::check_role(component, *role, facts) {
                refused.push(format!("api-host: as `{}` with {version}: {error}", role.as_str()));
            }
        }
    }
    (versions, refused)
}

/// It is a later release of the same plugin.
fn succession(manifest: &Manifest, old: &Manifest) -> Vec<String> {
    let mut refused = Vec::new();
    if manifest.id != old.id {
        refused.push(format!("api-other-plugin: the previous release is one of `{}`", old.id));
    }
    if manifest.version <= old.version {
        refused.push(format!("api-version: {} does not come after {}", manifest.version, old.version));
    }
    refused
}

fn is_compatible_upgrade(old: &semver::Version, new: &semver::Version) -> bool {
    match old.major {
        0 => (old.major, old.minor) == (new.major, new.minor),
        major => major == new.major,
    }
}

/// Roles, kinds and keys of tasks that users of the last release lose.
fn lost(manifest: &Manifest, old: &Manifest) -> Vec<String> {
    let roles = old.roles.iter().filter(|role| !manifest.roles.contains(role));
    let kinds = old.kinds.iter().filter(|kind| !manifest.kinds.contains(kind));
    let roles =
        roles.map(|role| format!("api-role-lost: `{}` was a role of the last release", role.as_str()));
    let kinds = kinds.map(|kind| format!("api-kind-lost: `{kind}` was a kind of the last release"));
    let keys = old.task_keys.iter().filter(|key| !manifest.task_keys.contains(key));
    let keys = keys.map(|key| format!("api-task-key-lost: `{key}` was a key of tasks of the last release"));
    roles.chain(kinds).chain(keys).collect()
}

fn unversioned(name: &str) -> &str {
    name.split_once('@').map_or(name, |(plain, _)| plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_ends_with_its_first_number_that_is_not_zero() {
        for (old, new, same) in [
            ("0.1.0", "0.1.1", true),
            ("0.1.0", "0.2.0", false),
            ("0.9.0", "1.0.0", false),
            ("1.0.0", "1.1.0", true),
            ("1.9.0", "2.0.0", false),
        ] {
            let parse = |text| semver::Version::parse(text).unwrap();
            assert_eq!(is_compatible_upgrade(&parse(old), &parse(new)), same, "{old} {new}");
        }
    }
}
