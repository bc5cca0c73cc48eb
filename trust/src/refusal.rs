//! Why a package was not admitted.
//!
//! Invariant: one variant a reason, each with a stable code; nothing else in this crate says no with a boolean.

use crate::digest::{DigestText, Sha256Digest};
use crate::key::{KeyError, KeyId};
use crate::name::PluginId;
use crate::permission::{PermissionExcess, PermissionForm};
use crate::strict_json::JsonError;
use crate::time::UnixSeconds;

macro_rules! refusals {
    ($( $(#[$meta:meta])* $name:ident $({ $($(#[$field_meta:meta])* $field:ident: $type:ty),* $(,)? })? => $code:literal, $text:literal; )*) => {
        /// Why a package was not admitted. Variants are in checking order.
        #[derive(Debug, thiserror::Error)]
        #[non_exhaustive]
        pub enum Refusal {
            $( $(#[$meta])* #[error($text)] $name $({ $($(#[$field_meta])* $field: $type),* })?, )*
        }

        impl Refusal {
            /// Stable name for reports and tests.
            pub fn code(&self) -> &'static str {
                match self { $( Self::$name { .. } => $code, )* }
            }

            /// Every code, in checking order.
            pub const CODES: &'static [&'static str] = &[$($code),*];
        }
    };
}

refusals! {
    // Package.
    PackageFile { file: String } => "file-extra", "`{file}` does not belong into a package";
    FileMissing { file: String } => "file-missing", "`{file}` is not there";
    FileTooLarge { file: String, found_bytes: u64, limit_bytes: u64 } => "file-too-large", "`{file}` is {found_bytes} bytes, limit is {limit_bytes}";
    // Manifest.
    ManifestJson { #[source] source: JsonError } => "manifest-json", "`manifest.json` is not strict JSON of a manifest";
    ManifestDuplicateKey { key: String } => "manifest-duplicate-key", "`manifest.json` has the key `{key}` twice";
    ManifestSchema { pointer: String, message: String } => "manifest-schema", "`manifest.json` does not match the schema at `{pointer}`: {message}";
    ManifestField { field: &'static str, found: String, expected: &'static str } => "manifest-field", "`{field}` of `manifest.json` is {found}, expected {expected}";
    ManifestPermission { #[source] source: PermissionForm } => "manifest-permission", "`manifest.json` asks for a malformed permission";
    HostApi { wanted: String, found: &'static str } => "host-api", "plugin is for hosts with interfaces `{wanted}`, this one has `{found}`";
    OtherPlugin { expected: String, found: String } => "package-other-id", "package is `{found}`, expected `{expected}`";
    // Files.
    FileUndeclared { file: String } => "file-undeclared", "`{file}` is in the package and not in `manifest.json`";
    SizeMismatch { file: String, found_bytes: u64, declared_bytes: u64 } => "size-mismatch", "`{file}` is {found_bytes} bytes, `manifest.json` says {declared_bytes}";
    DigestMismatch { file: String, found: Sha256Digest, declared: Sha256Digest } => "digest-mismatch", "digest of `{file}` is `{found}`, expected `{declared}`";
    // Envelopes.
    EnvelopeMalformed { file: String, why: String } => "envelope-malformed", "`{file}` is no canonical envelope: {why}";
    EnvelopeSignatures { file: String, found: usize, expected: &'static str } => "envelope-signatures", "`{file}` has {found} signatures, expected {expected}";
    EnvelopeType { file: String, found: String, expected: &'static str } => "envelope-type", "`{file}` holds a `{found}`, expected `{expected}`";
    EnvelopeKeyId { file: String, found: String } => "envelope-key-id", "`{file}` is signed under the key id `{found}`, which is not of its form";
    EnvelopePayload { file: String, #[source] source: JsonError } => "envelope-payload", "payload of `{file}` is malformed";
    SignatureInvalid { file: String, key: KeyId, #[source] source: KeyError } => "signature-invalid", "signature of `{file}` by key `{key}` does not hold";
    // Release.
    ReleaseMissing => "release-missing", "`release.dsse.json` is not there: nobody vouches for this package";
    ReleaseUnknownKey { key: KeyId } => "release-unknown-key", "release is signed by key `{key}`, which no trusted publisher has";
    ReleaseOtherNamespace { key: KeyId, owner: String, id: PluginId } => "release-other-namespace", "release of `{id}` is signed by key `{key}` of `{owner}`, whose namespaces do not hold it";
    ReleaseKeyExpired { key: KeyId, not_after: UnixSeconds } => "release-key-expired", "publisher's key `{key}` ended at {not_after}";
    ReleaseOtherSubject { file: String } => "release-other-subject", "release is for other files: `{file}` differs";
    ReleaseOtherPlugin { released: String, found: String } => "release-other-plugin", "release is for `{released}`, the manifest says `{found}`";
    ReleaseExpired { not_after: UnixSeconds } => "release-expired", "release ended at {not_after}";
    ReleaseNotYet { issued_at: UnixSeconds } => "release-not-yet", "release is from the future: {issued_at}";
    // Certificate.
    CertificateMissing { level: &'static str } => "certificate-missing", "no certificate of level `{level}` or higher is there";
    CertificateUnknownKey { file: String, key: KeyId } => "certificate-unknown-key", "`{file}` is signed by key `{key}`, which no trusted certifier has";
    CertificateOtherFile { file: String, key: KeyId } => "certificate-file-name", "`{file}` is signed by key `{key}`, its name says another";
    CertificateKeyExpired { key: KeyId, not_after: UnixSeconds } => "certificate-key-expired", "certifier's key `{key}` ended at {not_after}";
    CertificateOtherSubject { file: String } => "certificate-other-subject", "certificate is for other files: `{file}` differs";
    CertificateOtherPlugin { certified: String, found: String } => "certificate-other-plugin", "certificate is for `{certified}`, the manifest says `{found}`";
    CertificateExpired { valid_until: UnixSeconds } => "certificate-expired", "certificate ended at {valid_until}";
    CertificateNotYet { finished_at: UnixSeconds } => "certificate-not-yet", "certificate is from the future: {finished_at}";
    CertificateTooLong { valid_until: UnixSeconds, latest: UnixSeconds } => "certificate-too-long", "certificate says it is valid until {valid_until}, its level allows {latest} at most";
    CertificateLevel { found: &'static str, profile: &'static str } => "certificate-level", "certificate of level `{found}` is signed by a certifier for `{profile}` only";
    CertificateTool { found: String, expected: &'static str } => "certificate-tool", "certificate was made by `{found}`, expected `{expected}` or newer";
    CheckMissing { check: String } => "check-missing", "required check `{check}` is not in the certificate";
    CheckTwice { check: String } => "check-twice", "check `{check}` is in the certificate twice";
    CheckNotPassed { check: String, status: String } => "check-not-passed", "check `{check}` is `{status}`, expected `pass`";
    CheckEmpty { check: String } => "check-empty", "check `{check}` looked at nothing";
    CheckVersion { check: String, found: u32, minimum: u32 } => "check-version", "check `{check}` has version {found}, at least {minimum} is needed";
    CheckWarnings { check: String, found: u64, limit: u64 } => "check-warnings", "check `{check}` has {found} warnings, limit is {limit}";
    ResultDigest { found: Sha256Digest, stated: Sha256Digest } => "result-digest", "digest of the results is `{found}`, the certificate says `{stated}`";
    // Facts.
    WatText => "wat-text", "`component.wasm` is WebAssembly text, expected a binary component";
    CoreModule => "core-module", "`component.wasm` is a core module, expected a component";
    NotAComponent { why: String } => "not-a-component", "`component.wasm` is no component: {why}";
    ImportKind { import: String } => "import-kind", "component imports `{import}` as something else than an interface";
    ImportUnknown { import: String } => "import-unknown", "component imports `{import}`, which no host offers";
    ImportUndeclared { import: String, permission: &'static str } => "import-undeclared", "component imports `{import}`, the manifest does not ask for `{permission}`";
    ExportMissing { role: &'static str } => "export-missing", "component does not export what makes it a `{role}`";
    MemoryKind { why: &'static str } => "memory-kind", "component has {why}";
    TableKind { why: &'static str } => "table-kind", "component has {why}";
    MemoryMinimum { found_bytes: u64, limit_bytes: u64 } => "memory-minimum", "component starts with {found_bytes} bytes of memory, its manifest says {limit_bytes} at most";
    StructureTooLarge { what: &'static str, found: u64, limit: u64 } => "structure-too-large", "component has {found} {what}, limit is {limit}";
    CustomSection { section: String, why: &'static str } => "custom-section", "custom section `{section}` {why}";
    FactsDisagree { fact: &'static str } => "facts-disagree", "certificate's facts say another `{fact}` than the component";
    // Revocation and lock.
    Denied { what: &'static str, which: String } => "denied-by-policy", "policy denies {what} `{which}`";
    LockMismatch { id: PluginId, what: &'static str, locked: String, found: String } => "lock-mismatch", "`orch.lock` pins {what} of `{id}` to `{locked}`, found `{found}`";
    // Grant.
    PermissionAboveMaximum { id: PluginId, #[source] source: PermissionExcess } => "permission-above-maximum", "`{id}` asks for more than its publisher may give";
    PermissionNotAllowed { id: PluginId, table: String, /** Lines of a policy that allows it. */ entry: String, #[source] source: Box<PermissionExcess> } => "permission-not-allowed", "`{id}` asks for more than `{table}` of `policy.toml`";
    ApprovalMissing { id: PluginId } => "approval-missing", "nobody approved `{id}` yet";
    ApprovalExceeded { id: PluginId, approved: semver::Version, #[source] source: Box<PermissionExcess> } => "approval-exceeded", "`{id}` asks for more than was approved for version {approved}";
    NarrowMalformed { id: PluginId, #[source] source: PermissionForm } => "narrow-malformed", "the workspace narrows `{id}` by a malformed permission";
}

impl Refusal {
    /// What the operator can do about it, if anything.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::DigestMismatch { .. }
            | Self::SizeMismatch { .. }
            | Self::FileUndeclared { .. }
            | Self::PackageFile { .. } => {
                "the package was changed after it was made; get it again from its publisher".to_owned()
            }
            Self::ReleaseMissing => {
                "its publisher signs it with `orch-plugin sign PACKAGE --key KEY`; `orch-certify keygen` makes a key"
                    .to_owned()
            }
            Self::ReleaseUnknownKey { .. } => {
                "if you trust that key, `orch-host trust add FILE` with a publisher's file".to_owned()
            }
            Self::CertificateUnknownKey { file, .. } => {
                format!("remove `{file}`, or trust that certifier with `orch-host trust add FILE`")
            }
            Self::CertificateMissing { .. } | Self::CertificateExpired { .. } => {
                "`orch-certify run PACKAGE --key KEY` certifies it (again)".to_owned()
            }
            Self::PermissionNotAllowed { entry, .. } => format!(
                "this in `policy.toml` allows what it asks for; it counts in the place of `[namespaces]` and `[default]`\n\n{entry}"
            ),
            Self::NarrowMalformed { .. } => "correct `narrow` in the workspace's `config.yaml`".to_owned(),
            Self::ApprovalMissing { id } | Self::ApprovalExceeded { id, .. } => {
                format!("`orch-host plugin approve {id}` shows what it asks for and approves it")
            }
            Self::LockMismatch { .. } => {
                "`orch-host plugin add DIR` takes the new version into the lock".to_owned()
            }
            Self::ImportUndeclared { permission, .. } => {
                format!("the publisher must ask for `{permission}` in the manifest")
            }
            _ => return None,
        })
    }
}

impl From<DigestText> for JsonError {
    fn from(error: DigestText) -> Self {
        Self::Malformed { line: 0, column: 0, message: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_plain_and_each_is_one_reason() {
        let plain = |code: &&str| code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        assert_eq!(Refusal::CODES.iter().find(|code| !plain(code)), None);
        let distinct: std::collections::BTreeSet<_> = Refusal::CODES.iter().collect();
        assert_eq!(distinct.len(), Refusal::CODES.len());
    }

    #[test]
    fn a_permission_that_is_not_allowed_says_what_would_allow_it() {
        let source =
            PermissionExcess { path: "process.programs".into(), asked: "sh".into(), allowed: "[git]".into() };
        let id = PluginId::parse("demo/x").unwrap();
        let entry = "[plugins.\"demo/x\".allow]\nlog = {}\n".to_owned();
        let refusal = Refusal::PermissionNotAllowed {
            id,
            table: "namespaces.demo.allow".into(),
            entry,
            source: Box::new(source),
        };
        assert_eq!(
            refusal.to_string(),
            "`demo/x` asks for more than `namespaces.demo.allow` of `policy.toml`"
        );
        let source = std::error::Error::source(&refusal).unwrap().to_string();
        assert_eq!(source, "`process.programs = sh` goes beyond `[git]`");
        assert!(refusal.hint().unwrap().ends_with("\n\n[plugins.\"demo/x\".allow]\nlog = {}\n"));
    }
}
