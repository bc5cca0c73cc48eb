//! Which import needs which permission, and which export makes which role.
//!
//! In -> out: name of an import or export -> [`ImportRule`], the export of a [`Role`].
//! Invariant: `orch:*` names are exact, because an engine's linker falls back to compatible versions; `wasi:*` is any
//! 0.2.x up to the engine's; a name that is not in the table is refused.
//! Not here: the interfaces themselves (`wit/`).

use crate::manifest::Role;
use crate::permission::Permissions;

/// The newest patch of WASI 0.2 that the engine offers.
pub const WASI_PATCH_MAX: u32 = 12;

/// What an import needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportRule {
    /// Types only: always there.
    Free,
    /// The permission of this name.
    Needs(Need),
    /// Not in the table.
    Unknown,
}

/// A permission, by its place in the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Need {
    Log,
    Settings,
    Kv,
    Tasks,
    Files,
    Process,
    Findings,
    Metrics,
    WasiClocks,
    WasiRandom,
    WasiHttpTypes,
    /// `wasi:io`, which each of the other WASI permissions pulls in.
    WasiIo,
}

impl Need {
    /// As a manifest writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Settings => "settings",
            Self::Kv => "kv",
            Self::Tasks => "tasks",
            Self::Files => "files",
            Self::Process => "process",
            Self::Findings => "findings",
            Self::Metrics => "metrics",
            Self::WasiClocks => "wasi.clocks",
            Self::WasiRandom => "wasi.random",
            Self::WasiHttpTypes => "wasi.http_types",
            Self::WasiIo => "wasi",
        }
    }

    /// True if these permissions open it.
    pub fn is_in(self, permissions: &Permissions) -> bool {
        let wasi = permissions.wasi.clone().unwrap_or_default();
        match self {
            Self::Log => permissions.log.is_some(),
            Self::Settings => permissions.settings.is_some(),
            Self::Kv => permissions.kv.is_some(),
            Self::Tasks => permissions.tasks.is_some(),
            Self::Files => permissions.files.is_some(),
            Self::Process => permissions.process.is_some(),
            Self::Findings => permissions.findings.is_some(),
            Self::Metrics => permissions.metrics.is_some(),
            Self::WasiClocks => wasi.clocks || wasi.http_types,
            Self::WasiRandom => wasi.random,
            Self::WasiHttpTypes => wasi.http_types,
            Self::WasiIo => wasi.clocks || wasi.http_types,
        }
    }
}

/// The table.
pub fn import_rule(name: &str) -> ImportRule {
    let need = match name {
        "orch:types/types@0.1.0" => return ImportRule::Free,
        "orch:log/log@0.1.0" => Need::Log,
        "orch:settings/settings@0.1.0" => Need::Settings,
        "orch:kv/kv@0.1.0" => Need::Kv,
        "orch:tasks/tasks@0.1.0" => Need::Tasks,
        "orch:files/files@0.1.0" => Need::Files,
        "orch:process/process@0.1.0" => Need::Process,
        "orch:findings/findings@0.1.0" => Need::Findings,
        "orch:metrics/metrics@0.1.0" => Need::Metrics,
        other => match wasi_interface(other) {
            Some("clocks/monotonic-clock" | "clocks/wall-clock") => Need::WasiClocks,
            Some("random/random") => Need::WasiRandom,
            Some("http/types") => Need::WasiHttpTypes,
            Some("io/poll" | "io/error" | "io/streams") => Need::WasiIo,
            _ => return ImportRule::Unknown,
        },
    };
    ImportRule::Needs(need)
}

/// `clocks/wall-clock` of `wasi:clocks/wall-clock@0.2.12`, if the version is one of ours.
fn wasi_interface(name: &str) -> Option<&str> {
    let (interface, version) = name.strip_prefix("wasi:")?.split_once('@')?;
    let patch = version.strip_prefix("0.2.")?;
    let number: u32 = patch.parse().ok()?;
    (number.to_string() == patch && number <= WASI_PATCH_MAX).then_some(interface)
}

/// True if the export is the one that makes that role.
pub fn is_export_of(role: Role, name: &str) -> bool {
    match role {
        Role::Service => wasi_interface(name) == Some("http/incoming-handler"),
        other => name == format!("orch:{0}/{0}@0.1.0", other.as_str()),
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
            "wasi:clocks/wall-clock@0.2.13",
            "wasi:clocks/wall-clock@0.2.01",
            "wasi:clocks/wall-clock@0.3.0",
            "wasi:cli/environment@0.2.0",
            "wasi:http/outgoing-handler@0.2.0",
            "wasi:sockets/tcp@0.2.0",
            "env",
            "",
        ] {
            assert_eq!(import_rule(name), ImportRule::Unknown, "{name}");
        }
        assert_eq!(import_rule("orch:types/types@0.1.0"), ImportRule::Free);
    }

    #[test]
    fn each_interface_needs_its_own_permission() {
        let table = [
            ("orch:log/log@0.1.0", Need::Log),
            ("orch:settings/settings@0.1.0", Need::Settings),
            ("orch:kv/kv@0.1.0", Need::Kv),
            ("orch:tasks/tasks@0.1.0", Need::Tasks),
            ("orch:files/files@0.1.0", Need::Files),
            ("orch:process/process@0.1.0", Need::Process),
            ("orch:findings/findings@0.1.0", Need::Findings),
            ("orch:metrics/metrics@0.1.0", Need::Metrics),
            ("wasi:clocks/monotonic-clock@0.2.6", Need::WasiClocks),
            ("wasi:clocks/wall-clock@0.2.6", Need::WasiClocks),
            ("wasi:random/random@0.2.6", Need::WasiRandom),
            ("wasi:http/types@0.2.6", Need::WasiHttpTypes),
            ("wasi:io/poll@0.2.6", Need::WasiIo),
            ("wasi:io/error@0.2.6", Need::WasiIo),
            ("wasi:io/streams@0.2.6", Need::WasiIo),
        ];
        for (name, need) in table {
            assert_eq!(import_rule(name), ImportRule::Needs(need), "{name}");
        }
    }

    #[test]
    fn each_role_has_one_export() {
        assert!(is_export_of(Role::Executor, "orch:executor/executor@0.1.0"));
        assert!(!is_export_of(Role::Executor, "orch:executor/executor@0.1.1"));
        assert!(!is_export_of(Role::Executor, "orch:planner/planner@0.1.0"));
        assert!(is_export_of(Role::Service, "wasi:http/incoming-handler@0.2.3"));
        assert!(!is_export_of(Role::Service, "wasi:http/incoming-handler@0.3.0"));
    }
}
