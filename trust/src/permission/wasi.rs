//! `wasi`: interfaces of WASI 0.2, each with what it pulls in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::{Flag, Rule, fields};
use super::{Domain, Effect, PermissionExcess, PermissionForm, Side};
use crate::import::Import;
use crate::role::Role;

/// Interfaces that open nothing, whoever has them: what is behind them is empty, closed or denied.
const INERT: [&str; 24] = [
    "cli/environment",
    "cli/exit",
    "cli/stderr",
    "cli/stdin",
    "cli/stdout",
    "cli/terminal-input",
    "cli/terminal-output",
    "cli/terminal-stderr",
    "cli/terminal-stdin",
    "cli/terminal-stdout",
    "filesystem/preopens",
    "filesystem/types",
    "io/error",
    "io/poll",
    "io/streams",
    "random/insecure",
    "random/insecure-seed",
    "sockets/instance-network",
    "sockets/ip-name-lookup",
    "sockets/network",
    "sockets/tcp",
    "sockets/tcp-create-socket",
    "sockets/udp",
    "sockets/udp-create-socket",
];

/// True of an interface that is linked for everybody and opens nothing.
pub(crate) fn is_inert(import: Import<'_>) -> bool {
    import.wasi().is_some_and(|interface| INERT.contains(&interface))
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WasiPermission {
    /// `wasi:clocks/monotonic-clock`, `wasi:clocks/wall-clock`.
    #[serde(default)]
    pub clocks: bool,
    /// `wasi:random/random`.
    #[serde(default)]
    pub random: bool,
    /// `wasi:http/types`, for the role `service`: answering, not asking.
    #[serde(default)]
    pub http_types: bool,
}

impl Domain for WasiPermission {
    const NAME: &'static str = "wasi";
    const PROVIDED: bool = false;

    fn interface(import: Import<'_>) -> Option<&'static str> {
        Some(match import.wasi()? {
            "clocks/monotonic-clock" | "clocks/wall-clock" => "wasi.clocks",
            "random/random" => "wasi.random",
            "http/types" => "wasi.http_types",
            _ => return None,
        })
    }

    fn opens(&self, import: Import<'_>) -> bool {
        match Self::interface(import) {
            Some("wasi.clocks") => self.clocks || self.http_types,
            Some("wasi.random") => self.random,
            Some("wasi.http_types") => self.http_types,
            _ => false,
        }
    }

    fn is_for(_role: Role) -> bool {
        true
    }

    fn effect(&self) -> Effect {
        Effect::None
    }

    fn keeps(&self) -> bool {
        false
    }

    fn beyond_nothing(&self) -> Result<(), PermissionExcess> {
        self.check_within(&Self::default())
    }

    fn lines(&self) -> Vec<String> {
        let Self { clocks, random, http_types } = *self;
        let lines = [
            (clocks, "wasi: read the clocks"),
            (random, "wasi: random numbers"),
            (http_types, "wasi: answer HTTP requests"),
        ];
        lines.into_iter().filter(|(there, _)| *there).map(|(_, line)| line.to_owned()).collect()
    }

    fields! {
        clocks: "wasi.clocks" => Flag,
        random: "wasi.random" => Flag,
        http_types: "wasi.http_types" => Flag,
    }

    fn unused(&self, imports: &[Import<'_>]) -> Vec<&'static str> {
        let used = |path: &str| imports.iter().any(|import| Self::interface(*import) == Some(path));
        self.less().into_iter().map(|(path, _)| path).filter(|path| !used(path)).collect()
    }
}
