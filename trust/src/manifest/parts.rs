//! Parts of a manifest: limits, hosts, files.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Sha256Digest;

pub const MANIFEST_BYTES_MAX: u64 = 256 * 1024;

/// Ceilings that the plugin says it needs; the host enforces them for each call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Limits {
    /// Linear memory, all memories together, in MiB: 1..=256.
    #[schemars(range(min = 1, max = Limits::CEILING.memory_mib))]
    #[serde(rename = "memoryMiB")]
    pub memory_mib: u32,
    /// Time in guest code, in milliseconds: 1..=600,000.
    #[schemars(range(min = 1, max = Limits::CEILING.busy_ms))]
    pub busy_ms: u32,
    /// The whole call, host functions included, in milliseconds: 1..=604,800,000 (7 days).
    #[schemars(range(min = 1, max = Limits::CEILING.wall_ms))]
    pub wall_ms: u32,
    /// What a call returns, in KiB: 1..=16,384.
    #[schemars(range(min = 1, max = Limits::CEILING.output_kib))]
    #[serde(rename = "outputKiB")]
    pub output_kib: u32,
    /// Calls into the host: 1..=10,000,000.
    #[schemars(range(min = 1, max = Limits::CEILING.host_calls))]
    pub host_calls: u32,
    /// Log lines of one call, in KiB: 0..=16,384.
    #[schemars(range(max = Limits::CEILING.log_kib))]
    #[serde(rename = "logKiB")]
    pub log_kib: u32,
}

impl Limits {
    /// The most that a manifest may say.
    pub const CEILING: Self = Self {
        memory_mib: 256,
        busy_ms: 600_000,
        wall_ms: 604_800_000,
        output_kib: 16_384,
        host_calls: 10_000_000,
        log_kib: 16_384,
    };

    /// Of each field the smaller one.
    pub fn at_most(self, other: Self) -> Self {
        Self {
            memory_mib: self.memory_mib.min(other.memory_mib),
            busy_ms: self.busy_ms.min(other.busy_ms),
            wall_ms: self.wall_ms.min(other.wall_ms),
            output_kib: self.output_kib.min(other.output_kib),
            host_calls: self.host_calls.min(other.host_calls),
            log_kib: self.log_kib.min(other.log_kib),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_mib: 64,
            busy_ms: 1_000,
            wall_ms: 60_000,
            output_kib: 1_024,
            host_calls: 100_000,
            log_kib: 256,
        }
    }
}

/// Which hosts the plugin was made for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HostRange {
    /// Versions of the interfaces.
    pub api: semver::VersionReq,
}

/// One file of the package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    pub path: String,
    pub role: FileRole,
    /// In bytes.
    pub size: u64,
    pub sha256: Sha256Digest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FileRole {
    Component,
    Sbom,
    License,
    Readme,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Integrity {
    /// Every file of the package but the manifest and the envelopes.
    #[schemars(length(min = 2, max = 32))]
    pub files: Vec<FileEntry>,
}
