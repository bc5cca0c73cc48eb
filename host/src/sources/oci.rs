//! The forms of a registry: what the OCI image specification 1.1 calls descriptors, image manifests and indexes.
//!
//! In -> out: JSON <-> [`Descriptor`], [`ImageManifest`], [`ImageIndex`]; a package -> manifest and blobs.
//! Limits: 1 MiB a document, 64 layers, 256 entries of an index.
//! Invariant: a file's layer says its name in `org.opencontainers.image.title`; envelopes of `certificates/` and `delegations/` are
//! no layers but referrers of the image, so that certifying again moves no digest of what was published.
//! Not here: asking a registry (`registry.rs`).

use std::collections::BTreeMap;

use orch_trust::digest::Sha256Digest;
use orch_trust::package::{CERTIFICATES, COMPONENT, DELEGATIONS};
use serde::{Deserialize, Serialize};

pub const IMAGE_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const IMAGE_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const PLUGIN: &str = "application/vnd.orch.plugin.v1";
/// Artifact type of an envelope that refers to a plugin.
pub const ENVELOPE: &str = "application/vnd.orch.plugin.envelope.v1+json";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// What every artifact has whose configuration says nothing.
pub const EMPTY_BYTES: &[u8] = b"{}";
pub const TITLE: &str = "org.opencontainers.image.title";
pub const CREATED: &str = "org.opencontainers.image.created";
pub const DOCUMENT_BYTES_MAX: u64 = 1 << 20;
pub const LAYERS_MAX: usize = 64;
pub const REFERRERS_MAX: usize = 256;

/// Names some bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    pub media_type: String,
    pub digest: String,
    pub size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// Of these bytes.
    pub fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: format!("sha256:{}", Sha256Digest::of(bytes)),
            size: bytes.len() as u64,
            artifact_type: None,
            annotations: BTreeMap::new(),
        }
    }

    /// The digest, if it is a SHA-256 in its one spelling.
    pub fn sha256(&self) -> Option<Sha256Digest> {
        Sha256Digest::parse(self.digest.strip_prefix("sha256:")?).ok()
    }

    pub fn title(&self) -> &str {
        self.annotations.get(TITLE).map(String::as_str).unwrap_or_default()
    }

    pub fn created(&self) -> &str {
        self.annotations.get(CREATED).map(String::as_str).unwrap_or_default()
    }
}

/// An image, or an artifact in its form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageManifest {
    pub schema_version: u32,
    pub media_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    pub config: Descriptor,
    pub layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl ImageManifest {
    pub fn new(artifact_type: &str, layers: Vec<Descriptor>, annotations: BTreeMap<String, String>) -> Self {
        Self {
            schema_version: 2,
            media_type: IMAGE_MANIFEST.to_owned(),
            artifact_type: Some(artifact_type.to_owned()),
            config: Descriptor::of(EMPTY, EMPTY_BYTES),
            layers,
            subject: None,
            annotations,
        }
    }

    /// As it is sent: its digest is of these bytes.
    pub fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// Several of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageIndex {
    pub schema_version: u32,
    #[serde(default)]
    pub media_type: String,
    pub manifests: Vec<Descriptor>,
}

impl Default for ImageIndex {
    fn default() -> Self {
        Self { schema_version: 2, media_type: IMAGE_INDEX.to_owned(), manifests: Vec::new() }
    }
}

/// True of a file that refers to the image and is none of its layers.
pub fn is_referrer(name: &str) -> bool {
    [CERTIFICATES, DELEGATIONS].iter().any(|folder| name.starts_with(&format!("{folder}/")))
}

/// The layer of a file.
pub fn layer(name: &str, bytes: &[u8]) -> Descriptor {
    let media_type = match name {
        COMPONENT => "application/wasm",
        name if name.ends_with(".json") => "application/json",
        _ => "text/plain",
    };
    Descriptor {
        annotations: [(TITLE.to_owned(), name.to_owned())].into(),
        ..Descriptor::of(media_type, bytes)
    }
}
