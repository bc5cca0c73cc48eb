//! Which import needs which permission, and which export makes which role.
//!
//! In -> out: name of an import or export -> [`ImportRule`], the export of a [`Role`].
//! Invariant: `orch:*` names are exactly those of `versions.rs`, because an engine's linker falls back to compatible versions; `wasi:*` is any
//! 0.2.x up to the engine's; a name that is no domain's is refused.
//! Not here: whose interface it is (each domain's file under `permission/`), the interfaces themselves (`wit/`).

use crate::import::wasi_interface;
pub use crate::import::{Import, WASI_PATCH_MAX};
use crate::permission::{DomainName, Permissions, is_inert};
use crate::role::Role;
use crate::versions::{Ours, newest, offered};

/// What an import needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportRule {
    /// Types only: always there.
    Free,
    /// Linked for everybody, and opens nothing: what is behind it is empty, closed or denied.
    Inert,
    /// A permission.
    Needs(Need),
    /// For those only who provide what that domain's interface asks for; it belongs to what lets them.
    Providing(DomainName),
    /// No domain's.
    Unknown,
}

/// A permission, by its place in the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// Whose interface the import is.
    pub domain: DomainName,
    /// As a manifest writes it: `kv`, `wasi.clocks`.
    pub permission: &'static str,
}

/// What the import of that name needs.
pub fn import_rule(name: &str) -> ImportRule {
    match DomainName::of_import(Import(name)) {
        Some((domain, permission)) => ImportRule::Needs(Need { domain, permission }),
        None if is_shapes(name) => ImportRule::Free,
        None if is_inert(Import(name)) => ImportRule::Inert,
        None if let Some(domain) = for_providers(name) => ImportRule::Providing(domain),
        None => ImportRule::Unknown,
    }
}

/// The versions that there are of an interface, where that of the name is none; the newest first, at least one.
pub fn offered_instead(name: &str) -> Option<Vec<String>> {
    let (interface, _) = name.split_once('@')?;
    let package = interface.strip_prefix("orch:").and_then(|rest| Some(rest.split_once('/')?.0));
    let mut versions: Vec<String> = match package {
        Some(package) => offered(package).map(|version| version.to_string()).collect(),
        None => vec![format!("0.2.{WASI_PATCH_MAX}")],
    };
    versions.reverse();
    let is_known = |name: &String| {
        import_rule(name) != ImportRule::Unknown || Role::ALL.into_iter().any(|role| is_export_of(role, name))
    };
    let names = versions.into_iter().map(|version| format!("{interface}@{version}"));
    let found: Vec<String> = names.filter(|offered| offered != name && is_known(offered)).collect();
    (!found.is_empty()).then_some(found)
}

/// The exports that make a plugin one of that role, the newest first.
pub fn exports_of(role: Role) -> Vec<String> {
    let names = |package: &str, interface: &str| -> Vec<String> {
        let versions: Vec<_> = offered(package).collect();
        versions.iter().rev().map(|version| format!("orch:{package}/{interface}@{version}")).collect()
    };
    match role {
        Role::Service => vec![newest_export(role, "")],
        Role::Provider => {
            let provided = DomainName::ALL.iter().filter(|domain| domain.is_provided());
            provided.flat_map(|domain| names(domain.as_str(), "provide")).collect()
        }
        other => names(other.as_str(), other.as_str()),
    }
}

/// The newest interface that a role exports, and of providers that of `package`.
pub fn newest_export(role: Role, package: &str) -> String {
    let (package, interface) = match role {
        Role::Provider => (package, "provide"),
        Role::Service => return format!("wasi:http/incoming-handler@0.2.{WASI_PATCH_MAX}"),
        other => (other.as_str(), other.as_str()),
    };
    format!("orch:{package}/{interface}@{}", newest(package))
}

/// True of interfaces without functions: shapes that all share, and those of what a plugin provides for others.
fn is_shapes(name: &str) -> bool {
    Ours::of(name).is_some_and(|ours| (ours.package, ours.interface) == ("types", "types"))
        || provided(name, "shapes").is_some()
}

/// Of which domain's providers an interface is.
fn for_providers(name: &str) -> Option<DomainName> {
    let is_it = |ours: &Ours<'_>| (ours.package, ours.interface) == ("llm", "deltas");
    Ours::of(name).filter(is_it).map(|_| DomainName::Llm)
}

/// What a plugin provides for others that exports that.
pub fn provided_by(export: &str) -> Option<DomainName> {
    provided(export, "provide")
}

/// Of which provided domain's package an interface is, in a version that is offered.
fn provided(name: &str, interface: &str) -> Option<DomainName> {
    let ours = Ours::of(name).filter(|ours| ours.interface == interface)?;
    let is_it = |domain: &&DomainName| domain.is_provided() && ours.package == domain.as_str();
    DomainName::ALL.iter().find(is_it).copied()
}

/// The permission that one of these imports needs and `permissions` do not open, with that import.
pub fn missing<'a>(
    imports: impl IntoIterator<Item = &'a String>,
    permissions: &Permissions,
) -> Option<(&'a str, Need)> {
    imports.into_iter().find_map(|import| match import_rule(import) {
        ImportRule::Needs(need) if !permissions.open(Import(import)) => Some((import.as_str(), need)),
        _ => None,
    })
}

/// The first of these imports that is for providers of what none of the exports provides.
pub fn unprovided<'a>(
    imports: impl IntoIterator<Item = &'a String>,
    exports: &[String],
) -> Option<(&'a str, DomainName)> {
    imports.into_iter().find_map(|import| match import_rule(import) {
        ImportRule::Providing(domain)
            if !exports.iter().any(|export| provided_by(export) == Some(domain)) =>
        {
            Some((import.as_str(), domain))
        }
        _ => None,
    })
}

/// True if the export is one that makes that role.
pub fn is_export_of(role: Role, name: &str) -> bool {
    match role {
        Role::Provider => provided_by(name).is_some(),
        Role::Service => wasi_interface(name) == Some("http/incoming-handler"),
        other => Ours::of(name)
            .is_some_and(|ours| (ours.package, ours.interface) == (other.as_str(), other.as_str())),
    }
}

/// The world of plugins with that export, which is one of that role.
pub fn world_of(role: Role, export: &str) -> String {
    match provided_by(export) {
        Some(domain) if role == Role::Provider => format!("provider-{}", domain.as_str()),
        _ => role.as_str().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_ours_are_exact_and_wasi_is_bounded() {
        for name in ["orch:log/log@0.1.0", "wasi:clocks/wall-clock@0.2.0", "wasi:clocks/wall-clock@0.2.12"] {
            assert!(matches!(import_rule(name), ImportRule::Needs(_)), "{name}");
        }
        for name in [
            "orch:log/log@0.1.1",
            "orch:log/log",
            "orch:logs/log@0.1.0",
            "orch:notify/provide@0.1.0",
            "orch:notify/shapes@0.1.1",
            "orch:notify/deltas@0.1.0",
            "orch:llm/deltas@0.1.1",
            "orch:embed/deltas@0.1.0",
            "orch:kv/shapes@0.1.0",
            "wasi:clocks/wall-clock@0.2.13",
            "wasi:clocks/wall-clock@0.2.01",
            "wasi:clocks/wall-clock@0.3.0",
            "wasi:cli/run@0.2.0",
            "wasi:cli/environment@0.2.13",
            "wasi:cli/environment@0.3.0",
            "wasi:clocks/timezone@0.2.0",
            "wasi:filesystem/types",
            "wasi:http/incoming-handler@0.2.0",
            "wasi:keyvalue/store@0.2.0",
            "wasi:sockets/tcp@0.3.0",
            "env",
            "",
        ] {
            assert_eq!(import_rule(name), ImportRule::Unknown, "{name}");
        }
        for shapes in [
            "orch:types/types@0.1.0",
            "orch:notify/shapes@0.1.0",
            "orch:llm/shapes@0.1.0",
            "orch:embed/shapes@0.1.0",
        ] {
            assert_eq!(import_rule(shapes), ImportRule::Free, "{shapes}");
        }
        for inert in [
            "wasi:cli/environment@0.2.0",
            "wasi:io/poll@0.2.6",
            "wasi:filesystem/types@0.2.12",
            "wasi:random/insecure-seed@0.2.4",
            "wasi:sockets/tcp@0.2.0",
        ] {
            assert_eq!(import_rule(inert), ImportRule::Inert, "{inert}");
        }
    }

    #[test]
    fn each_interface_needs_its_own_permission() {
        let table = [
            ("orch:log/log@0.1.0", DomainName::Log, "log"),
            ("orch:settings/settings@0.1.0", DomainName::Settings, "settings"),
            ("orch:kv/kv@0.1.0", DomainName::Kv, "kv"),
            ("orch:tasks/tasks@0.1.0", DomainName::Tasks, "tasks"),
            ("orch:files/files@0.1.0", DomainName::Files, "files"),
            ("orch:process/process@0.1.0", DomainName::Process, "process"),
            ("orch:findings/findings@0.1.0", DomainName::Findings, "findings"),
            ("orch:metrics/metrics@0.1.0", DomainName::Metrics, "metrics"),
            ("orch:notify/notify@0.1.0", DomainName::Notify, "notify"),
            ("orch:llm/llm@0.1.0", DomainName::Llm, "llm"),
            ("orch:embed/embed@0.1.0", DomainName::Embed, "embed"),
            ("orch:retrieve/retrieve@0.1.0", DomainName::Retrieve, "retrieve"),
            ("orch:vectors/vectors@0.1.0", DomainName::Vectors, "vectors"),
            ("wasi:clocks/monotonic-clock@0.2.6", DomainName::Wasi, "wasi.clocks"),
            ("wasi:clocks/wall-clock@0.2.6", DomainName::Wasi, "wasi.clocks"),
            ("wasi:random/random@0.2.6", DomainName::Wasi, "wasi.random"),
            ("wasi:http/outgoing-handler@0.2.6", DomainName::Http, "http"),
            ("wasi:http/types@0.2.6", DomainName::Wasi, "wasi.http_types"),
        ];
        for (name, domain, permission) in table {
            assert_eq!(import_rule(name), ImportRule::Needs(Need { domain, permission }), "{name}");
        }
    }

    #[test]
    fn what_is_for_providers_is_for_those_who_provide_that() {
        let deltas = "orch:llm/deltas@0.1.0".to_owned();
        assert_eq!(import_rule(&deltas), ImportRule::Providing(DomainName::Llm));
        let found = |exports: &[&str]| {
            let exports: Vec<String> = exports.iter().map(|&one| one.to_owned()).collect();
            unprovided([&deltas], &exports).map(|(_, domain)| domain)
        };
        assert_eq!(found(&["orch:llm/provide@0.1.0"]), None);
        assert_eq!(found(&["orch:notify/provide@0.1.0"]), Some(DomainName::Llm));
        assert_eq!(found(&[]), Some(DomainName::Llm));
    }

    #[test]
    fn each_role_has_its_export() {
        assert!(is_export_of(Role::Executor, "orch:executor/executor@0.1.0"));
        assert!(!is_export_of(Role::Executor, "orch:executor/executor@0.1.1"));
        assert!(!is_export_of(Role::Executor, "orch:planner/planner@0.1.0"));
        assert!(is_export_of(Role::Provider, "orch:notify/provide@0.1.0"));
        assert!(is_export_of(Role::Provider, "orch:llm/provide@0.1.0"));
        assert!(is_export_of(Role::Provider, "orch:embed/provide@0.1.0"));
        for other in [
            "orch:notify/notify@0.1.0",
            "orch:notify/provide@0.1.1",
            "orch:kv/provide@0.1.0",
            "orch:provider/provider@0.1.0",
        ] {
            assert!(!is_export_of(Role::Provider, other), "{other}");
        }
        assert!(is_export_of(Role::Service, "wasi:http/incoming-handler@0.2.3"));
        assert!(!is_export_of(Role::Service, "wasi:http/incoming-handler@0.3.0"));
    }
}
