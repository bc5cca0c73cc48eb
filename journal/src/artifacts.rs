//! Artifacts: what attempts made, with name, type, size and digest, and the table of them.
//!
//! In -> out: a file that was written, or an [`Artifact`] of an attempt -> a row -> [`ArtifactRow`].
//! Units: bytes; SHA-256 as hex; times as ISO 8601 text in UTC.
//! Not here: who may make one (`orch-host`'s `capability`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rusqlite::{Row, Statement, params};
use serde::{Deserialize, Serialize};

use crate::iso_time::iso_time;

/// Something that an attempt made and that is kept with its result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Artifact {
    pub name: String,
    /// A media type, or `file` for what was written through `orch:files`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Of a file, relative to the workspace; nothing for bytes that were handed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Nothing in journals of hosts that did not count yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    pub sha256: String,
    /// The bytes that were handed over, as base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

impl Artifact {
    /// The bytes that were handed over; nothing for a file.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        STANDARD.decode(self.content.as_ref()?).ok()
    }

    /// With these bytes.
    pub fn with_bytes(self, bytes: &[u8]) -> Self {
        Self { content: Some(STANDARD.encode(bytes)), ..self }
    }
}

/// One row of the table `artifacts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ArtifactRow {
    /// Id of the task whose attempt made it, or that a verifier looked at.
    pub task: Option<String>,
    pub name: String,
    /// Empty for bytes that were handed over: they are in the journal.
    pub path: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub size: Option<i64>,
    pub hash: String,
    pub created_at: Option<String>,
}

pub(crate) const INSERT: &str = "INSERT INTO @.artifacts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
pub(crate) const SELECT: &str = "SELECT a.*, p.name AS task FROM artifacts a LEFT JOIN phases p ON p.id = a.phase_id \
                                 WHERE a.id >= ?1 AND a.id < ?2 ORDER BY a.id";

/// Writes the row. `id`: of the row; `run`, `phase`: of the rows that it belongs to; `at`: when it was kept.
pub(crate) fn insert(
    statement: &mut Statement<'_>,
    id: &str,
    (run, phase): (&str, Option<&str>),
    artifact: &Artifact,
    at: Option<u64>,
) -> Result<(), rusqlite::Error> {
    let Artifact { name, kind, path, size, sha256, content: _ } = artifact;
    let path = path.as_deref().unwrap_or_default();
    // SQLite has no larger numbers.
    let size = size.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
    statement.execute(params![id, run, phase, name, path, kind, size, sha256, at.map(iso_time)])?;
    Ok(())
}

pub(crate) fn read(row: &Row<'_>) -> Result<ArtifactRow, rusqlite::Error> {
    Ok(ArtifactRow {
        task: row.get("task")?,
        name: row.get("name")?,
        path: row.get("path")?,
        kind: row.get("type")?,
        size: row.get("size")?,
        hash: row.get("hash")?,
        created_at: row.get("created_at")?,
    })
}
