//! Why a package was not admitted.
//!
//! Invariant: one variant a reason, each with a stable code; nothing else in this crate says no with a boolean.

use crate::digest::{DigestText, Sha256Digest};
use crate::interfaces::{exports_of, offered_instead};
use crate::key::{KeyError, KeyId};
use crate::name::PluginId;
use crate::permission::{PermissionExcess, PermissionForm};
use crate::role::Role;
use crate::strict_json::JsonError;
use crate::time::{Day, UnixSeconds};

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

            /// The message of each, with the field's name in braces in the place of what differs.
            const TEXTS: &'static [&'static str] = &[$($text),*];
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
    EnvelopeSignatures { file: String, found: usize, expected: String } => "envelope-signatures", "`{file}` has {found} signatures, expected {expected}";
    EnvelopeType { file: String, found: String, expected: &'static str } => "envelope-type", "`{file}` holds a `{found}`, expected `{expected}`";
    EnvelopeKeyId { file: String, found: String } => "envelope-key-id", "`{file}` is signed under the key id `{found}`, which is not of its form";
    EnvelopePayload { file: String, #[source] source: JsonError } => "envelope-payload", "payload of `{file}` is malformed";
    SignatureInvalid { file: String, key: KeyId, #[source] source: KeyError } => "signature-invalid", "signature of `{file}` by key `{key}` does not hold";
    // Roles and thresholds.
    RoleKeys { role: String, found: usize } => "role-keys", "role `{role}` has {found} keys, expected 1 to 256";
    RoleKeyTwice { role: String, key: KeyId } => "role-key-twice", "role `{role}` has the key `{key}` twice";
    RoleKeyUnknown { role: String, key: KeyId } => "role-key-unknown", "role `{role}` names the key `{key}`, which is not among the keys";
    ThresholdZero { role: String } => "threshold-zero", "threshold of role `{role}` is 0, expected at least 1";
    ThresholdAboveKeys { role: String, threshold: u32, possible: u32 } => "threshold-above-keys", "threshold of role `{role}` is {threshold}, and only {possible} could ever count";
    // Trust root.
    RootOtherBytes { found: Sha256Digest, expected: Sha256Digest } => "root-other-bytes", "digest of the trust root is `{found}`, expected `{expected}`";
    RootMalformed { why: String } => "root-malformed", "trust root does not hold together: {why}";
    RootKeyMalformed { key: KeyId, #[source] source: KeyError } => "root-key-malformed", "key `{key}` of the trust root is not usable";
    RootKeyId { said: KeyId, found: KeyId } => "root-key-id", "trust root calls a key `{said}` whose id is `{found}`";
    RootKeyTwoRoles { key: KeyId } => "root-key-two-roles", "key `{key}` of the trust root both publishes and certifies";
    RootVersion { found: u64, current: u64 } => "root-version", "trust root has version {found}, the trusted one is {current}";
    RootPrevious { current: Sha256Digest } => "root-previous", "trust root does not follow the trusted one, whose digest is `{current}`";
    RootNotByCurrent { version: u64, counted: u32, needed: u32 } => "root-not-by-current", "{counted} root keys of the trusted version {version} count for the new trust root, {needed} are needed";
    RootNotByItself { version: u64, counted: u32, needed: u32 } => "root-not-by-itself", "{counted} of its own root keys count for trust root {version}, {needed} are needed";
    RootUnknownKey { key: KeyId } => "root-unknown-key", "trust root is signed by key `{key}`, which is no root key of it or of the one before";
    RootNotYet { issued: UnixSeconds } => "root-not-yet", "trust root is from the future: {issued}";
    RootExpired { expires: UnixSeconds } => "root-expired", "trust root ended at {expires}";
    // Trust state.
    TrustStateMalformed { why: String } => "trust-state-malformed", "trust state is malformed: {why}";
    TrustStateMac => "trust-state-mac", "trust state was not written by this host";
    ClockWentBack { now: UnixSeconds, latest: UnixSeconds } => "clock-went-back", "clock says {now}, and {latest} was seen before";
    FastForward { what: &'static str, stored: u64, found: u64 } => "fast-forward", "{what} jumps from {stored} to {found}";
    // Freshness and revocations.
    AnchorMissing { file: &'static str } => "anchor-file-missing", "there is a trust root and no `{file}`";
    FreshnessUnknownKey { key: KeyId } => "freshness-unknown-key", "freshness document is signed by key `{key}`, which does not have that role";
    FreshnessThreshold { counted: u32, needed: u32 } => "freshness-threshold", "{counted} keys count for the freshness document, {needed} are needed";
    FreshnessNotYet { issued: UnixSeconds } => "freshness-not-yet", "freshness document is from the future: {issued}";
    FreshnessRollback { stored: u64, found: u64 } => "freshness-rollback", "freshness document has version {found}, {stored} was seen before";
    FreshnessOtherBytes { version: u64 } => "freshness-other-bytes", "another freshness document of version {version} was seen before";
    FreshnessStale { since: UnixSeconds } => "freshness-stale", "what is known of revocations is too old since {since}";
    RevocationsUnknownKey { key: KeyId } => "revocations-unknown-key", "revocation list is signed by key `{key}`, which does not have that role";
    RevocationsThreshold { counted: u32, needed: u32 } => "revocations-threshold", "{counted} keys count for the revocation list, {needed} are needed";
    RevocationsNotPinned { found: u64, pinned: u64 } => "revocations-not-pinned", "revocation list of version {found} is not the one of version {pinned} that the freshness document names";
    RevocationsNotYet { issued: UnixSeconds } => "revocations-not-yet", "revocation list is from the future: {issued}";
    RevocationsExpired { expires: UnixSeconds } => "revocations-expired", "revocation list ended at {expires}";
    RevocationsMalformed { why: String } => "revocations-malformed", "revocation list is malformed: {why}";
    RevocationsRollback { stored: u64, found: u64 } => "revocations-rollback", "revocation list has version {found}, {stored} was seen before";
    RevocationsOtherBytes { version: u64 } => "revocations-other-bytes", "another revocation list of version {version} was seen before";
    // Delegation.
    DelegationUnknownIssuer { file: String, key: KeyId } => "delegation-unknown-issuer", "`{file}` is signed by key `{key}`, which is no CI issuer";
    DelegationThreshold { counted: u32, needed: u32 } => "delegation-threshold", "{counted} keys count for the delegation, {needed} are needed";
    DelegationKey { file: String, #[source] source: KeyError } => "delegation-key", "`{file}` delegates to a key that is not usable";
    DelegationOtherFile { file: String, key: KeyId } => "delegation-file-name", "`{file}` delegates to key `{key}`, its name says another";
    DelegationOtherSubject { file: String } => "delegation-other-subject", "`{file}` is for another manifest";
    DelegationTooLong { file: String, seconds_max: i64 } => "delegation-too-long", "`{file}` does not last between 1 and {seconds_max} seconds";
    DelegationNotYet { file: String, issued: UnixSeconds } => "delegation-not-yet", "`{file}` is from the future: {issued}";
    DelegationJob { file: String, repository: String, workflow: String } => "delegation-job", "`{file}` is for `{workflow}` of `{repository}`, which the trust root does not name for this plugin";
    DelegationWindow { key: KeyId, signs_until: UnixSeconds } => "delegation-window", "delegated key `{key}` signed after {signs_until}";
    DelegationUnused { key: KeyId } => "delegation-unused", "key `{key}` was delegated to and signed nothing";
    // Release.
    ReleaseMissing => "release-missing", "`release.dsse.json` is not there: nobody vouches for this package";
    ReleaseUnknownKey { key: KeyId } => "release-unknown-key", "release is signed by key `{key}`, which no trusted publisher has";
    ReleaseOtherNamespace { key: KeyId, owner: String, id: PluginId } => "release-other-namespace", "release of `{id}` is signed by key `{key}` of `{owner}`, whose namespaces do not hold it";
    ReleaseKeyExpired { key: KeyId, not_after: UnixSeconds } => "release-key-expired", "publisher's key `{key}` ended at {not_after}";
    ReleaseKeyNotYet { key: KeyId, not_before: UnixSeconds } => "release-key-not-yet", "publisher's key `{key}` begins at {not_before}";
    ReleaseThreshold { counted: u32, needed: u32 } => "release-threshold", "{counted} publishers count for the release, {needed} are needed";
    ReleaseOtherSubject { file: String } => "release-other-subject", "release is for other files: `{file}` differs";
    ReleaseOtherPlugin { released: String, found: String } => "release-other-plugin", "release is for `{released}`, the manifest says `{found}`";
    ReleaseExpired { not_after: UnixSeconds } => "release-expired", "release ended at {not_after}";
    ReleaseNotYet { issued_at: UnixSeconds } => "release-not-yet", "release is from the future: {issued_at}";
    ReleaseRole { id: PluginId, role: &'static str } => "release-role", "`{id}` is a `{role}`, which its namespace does not allow";
    // Certificate.
    CertificateMissing { level: &'static str } => "certificate-missing", "no certificate of level `{level}` or higher is there";
    CertificateUnknownKey { file: String, key: KeyId } => "certificate-unknown-key", "`{file}` is signed by key `{key}`, which no trusted certifier has";
    CertificateOtherFile { file: String, key: KeyId } => "certificate-file-name", "`{file}` is signed by key `{key}`, its name says another";
    CertificateKeyExpired { key: KeyId, not_after: UnixSeconds } => "certificate-key-expired", "certifier's key `{key}` ended at {not_after}";
    CertificateKeyNotYet { key: KeyId, not_before: UnixSeconds } => "certificate-key-not-yet", "certifier's key `{key}` begins at {not_before}";
    CertificateOtherSubject { file: String } => "certificate-other-subject", "certificate is for other files: `{file}` differs";
    CertificateOtherPlugin { certified: String, found: String } => "certificate-other-plugin", "certificate is for `{certified}`, the manifest says `{found}`";
    CertificateExpired { valid_until: UnixSeconds } => "certificate-expired", "certificate ended at {valid_until}";
    CertificateNotYet { signed_at: UnixSeconds } => "certificate-not-yet", "certificate is from the future: {signed_at}";
    CertificateSignedEarly { signed_at: UnixSeconds, finished_at: UnixSeconds } => "certificate-signed-early", "certificate was signed at {signed_at}, before its checks ended at {finished_at}";
    CertificateTooLong { valid_until: UnixSeconds, latest: UnixSeconds } => "certificate-too-long", "certificate says it is valid until {valid_until}, its level allows {latest} at most";
    CertificateLevel { found: &'static str, profile: &'static str } => "certificate-level", "certificate of level `{found}` is signed by a certifier for `{profile}` only";
    CertificateDevelopment { key: KeyId } => "certificate-development", "certificate by key `{key}` is of level `development`: of a plugin that is being written, for its author's host of development alone";
    CertificateTool { found: String, expected: &'static str } => "certificate-tool", "certificate was made by `{found}`, expected `{expected}` or newer";
    CheckMissing { check: String } => "check-missing", "required check `{check}` is not in the certificate";
    CheckTwice { check: String } => "check-twice", "check `{check}` is in the certificate twice";
    CheckNotPassed { check: String, status: String } => "check-not-passed", "check `{check}` is `{status}`, expected `pass`";
    CheckEmpty { check: String } => "check-empty", "check `{check}` looked at nothing";
    CheckVersion { check: String, found: u32, minimum: u32 } => "check-version", "check `{check}` has version {found}, at least {minimum} is needed";
    CheckWarnings { check: String, found: u64, limit: u64 } => "check-warnings", "check `{check}` has {found} warnings, limit is {limit}";
    SelfCheck { rejected: u64, of: u64 } => "self-check-incomplete", "certifier's own check refused {rejected} of {of} packages that are known to be bad";
    CertificateInputs { what: &'static str } => "certificate-inputs", "certificate of level `certified` does not name {what}";
    AdvisoryDbTooOld { date: Day, limit_days: i64 } => "advisory-db-too-old", "newest advisory of the database is of {date}, more than {limit_days} days before";
    AdvisoryDbFromTheFuture { date: Day } => "advisory-db-from-the-future", "newest advisory of the database is from the future: {date}";
    SourceOtherCommit { released: String, certified: String } => "source-other-commit", "release is of commit `{released}`, the certificate of `{certified}`";
    ResultDigest { found: Sha256Digest, stated: Sha256Digest } => "result-digest", "digest of the results is `{found}`, the certificate says `{stated}`";
    CertificateThreshold { counted: u32, needed: u32 } => "certificate-threshold", "{counted} certifiers count, {needed} are needed";
    CertificatesDisagree { needed: u32 } => "certificates-disagree", "{needed} certifiers are needed who found the same, and these found different things";
    // Facts.
    WatText => "wat-text", "`component.wasm` is WebAssembly text, expected a binary component";
    CoreModule => "core-module", "`component.wasm` is a core module, expected a component";
    NotAComponent { why: String } => "not-a-component", "`component.wasm` is no component: {why}";
    ImportKind { import: String } => "import-kind", "component imports `{import}` as something else than an interface";
    ImportUnknown { import: String } => "import-unknown", "component imports `{import}`, which no host offers";
    ImportUndeclared { import: String, permission: &'static str } => "import-undeclared", "component imports `{import}`, the manifest does not ask for `{permission}`";
    ImportOfProviders { import: String, domain: &'static str } => "import-of-providers", "component imports `{import}`, which is for those who provide `{domain}`, and exports nothing that does";
    ExportMissing { role: &'static str } => "export-missing", "component does not export what makes it a `{role}`";
    MemoryKind { why: &'static str } => "memory-kind", "component has {why}";
    TableKind { why: &'static str } => "table-kind", "component has {why}";
    MemoryMinimum { found_bytes: u64, limit_bytes: u64 } => "memory-minimum", "component starts with {found_bytes} bytes of memory, its manifest says {limit_bytes} at most";
    StructureTooLarge { what: &'static str, found: u64, limit: u64 } => "structure-too-large", "component has {found} {what}, limit is {limit}";
    CustomSection { section: String, why: &'static str } => "custom-section", "custom section `{section}` {why}";
    EngineUnknown { why: &'static str } => "engine-unknown", "component has modules of another language's engine (`dylink.0`), and {why}";
    SnapshotSeveral { found: u64 } => "snapshot-several", "component has {found} snapshots of an engine's memory, expected one";
    SnapshotTooLarge { what: &'static str, found: u64, limit: u64 } => "snapshot-too-large", "snapshot of the engine's memory has {found} {what}, limit is {limit}";
    GlueTooLarge { what: &'static str, found: u64, limit: u64 } => "glue-too-large", "what joins the engine's modules has {found} {what}, limit is {limit}";
    FactsDisagree { fact: &'static str } => "facts-disagree", "certificate's facts say another `{fact}` than the component";
    // Revocation and lock.
    RevokedKill { what: String, reason: String } => "revoked-kill", "it was taken back and must not run on: {what} ({reason})";
    RevokedBlockLoad { what: String, reason: String } => "revoked-block-load", "it was taken back: {what} ({reason})";
    RevokedRecertify { what: String, reason: String } => "revoked-recertify", "its certificate was taken back: {what} ({reason})";
    SbomUnreadable { why: String } => "sbom-unreadable", "`sbom.cdx.json` does not say what the plugin is made of: {why}";
    ReleaseRollback { stored: u64, found: u64 } => "release-rollback", "release has counter {found}, {stored} of its channel was seen before";
    ReleaseOtherBytes { counter: u64 } => "release-other-bytes", "another release with counter {counter} of its channel was seen before";
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
    /// How the message of a code reads, with a name like `FOUND-BYTES` in the place of what differs. None for what is
    /// no code.
    pub fn text_of(code: &str) -> Option<String> {
        let (_, text) = Self::CODES.iter().zip(Self::TEXTS).find(|(own, _)| **own == code)?;
        let mut read = String::with_capacity(text.len());
        let mut is_name = false;
        for letter in text.chars() {
            match letter {
                '{' | '}' => is_name = letter == '{',
                '_' if is_name => read.push('-'),
                _ if is_name => read.push(letter.to_ascii_uppercase()),
                _ => read.push(letter),
            }
        }
        Some(read)
    }

    /// What the operator can do about it, if anything.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::DigestMismatch { .. }
            | Self::SizeMismatch { .. }
            | Self::FileUndeclared { .. } => {
                "the package was changed after it was made; get it again from its publisher".to_owned()
            }
            Self::PackageFile { file } => {
                format!("remove `{file}` if you know where it comes from; else get the package again from its publisher")
            }
            Self::ReleaseMissing => {
                "its publisher signs it with `orch-plugin sign PACKAGE --key KEY`; `orch-certify keygen` makes a key"
                    .to_owned()
            }
            Self::ReleaseUnknownKey { .. } => {
                "if you trust that key: `orch-host trust add FILE` with a publisher's file; where there is a trust root, its next version names the key".to_owned()
            }
            Self::CertificateUnknownKey { file, .. } => {
                format!("remove `{file}`, or trust that certifier: `orch-host trust add FILE`; where there is a trust root, its next version names the key")
            }
            Self::CertificateExpired { .. } => {
                "`orch-certify run PACKAGE --key KEY` certifies it again; `orch-host plugin renew` has this machine's own certifier do so for all that is approved".to_owned()
            }
            Self::CertificateDevelopment { .. } => {
                "`orch-plugin pack` makes a package to give away, `orch-plugin sign` and `orch-certify run` vouch for it".to_owned()
            }
            Self::CertificateMissing { .. } | Self::RevokedRecertify { .. } => {
                "`orch-certify run PACKAGE --key KEY` certifies it (again)".to_owned()
            }
            Self::CertificateThreshold { .. } => {
                "another certifier certifies it too: `orch-certify run PACKAGE --key KEY`".to_owned()
            }
            Self::RootOtherBytes { .. } => {
                "compare with `sha256sum` what whoever keeps the trust root says, by another way than the file came".to_owned()
            }
            Self::RootNotByItself { .. } => {
                "more of its own root keys sign it: `orch-certify root sign ROOT --key KEY`".to_owned()
            }
            Self::RootPrevious { .. } => {
                "it follows another file of the version before, perhaps one with another set of signatures; get the one that this was made from".to_owned()
            }
            Self::RevocationsMalformed { .. } => {
                "whoever keeps the list makes it again from the last good one: `orch-certify revoke` writes none that a host refuses".to_owned()
            }
            Self::PermissionAboveMaximum { .. } => {
                "`max_permissions` of the publisher's file bounds it, under a trust root `maxPermissions` of the namespace".to_owned()
            }
            Self::RootExpired { .. } | Self::RootVersion { .. } => {
                "`orch-host plugin trust FILE` takes each newer version of the trust root, one after the other".to_owned()
            }
            Self::TrustStateMac | Self::TrustStateMalformed { .. } => {
                "put back `trust-state.json` and `secret`, which belong together, from one backup; or remove `trust-state.json` and begin anew: `orch-host plugin trust ROOT --sha256 HASH` with the newest root and the hash that its keeper says".to_owned()
            }
            Self::ClockWentBack { .. } => "set the clock; the next version of the trust root forgets a wrong one".to_owned(),
            Self::FastForward { .. } => {
                "somebody used a key to block what comes next; a trust root that gives its role to other keys ends that".to_owned()
            }
            Self::AnchorMissing { .. }
            | Self::FreshnessStale { .. }
            | Self::FreshnessRollback { .. }
            | Self::RevocationsExpired { .. }
            | Self::RevocationsNotPinned { .. }
            | Self::RevocationsRollback { .. } => {
                "get the newest `freshness.dsse.json` and `revocations.dsse.json`, which belong together".to_owned()
            }
            Self::ReleaseRollback { .. } => {
                "pin it in `orch.lock` if the older release is wanted, or take the newer one".to_owned()
            }
            Self::DelegationUnused { key } => {
                format!("remove `delegations/{}.dsse.json`, which nothing needs", key.short())
            }
            Self::PermissionNotAllowed { .. } => {
                "this in `policy.toml` allows what it asks for; it counts in the place of `[namespaces]` and `[default]`".to_owned()
            }
            Self::NarrowMalformed { .. } => "correct `narrow` in the workspace's `config.yaml`".to_owned(),
            Self::ApprovalMissing { id } | Self::ApprovalExceeded { id, .. } => {
                format!("`orch-host plugin approve {id}` shows what it asks for and approves it")
            }
            Self::LockMismatch { .. } => {
                "`orch-host plugin add DIR` takes the new version into the lock".to_owned()
            }
            Self::EngineUnknown { .. } => {
                "it was made by another version of the toolchain than this host knows, or its engine was changed: its publisher builds it again with `orch-plugin build`".to_owned()
            }
            Self::HostApi { found, .. } => {
                format!("take a version of it that is for `{found}` (`orch-host plugin update ID`), or a host that is newer; its publisher writes `host.api`")
            }
            Self::ImportUnknown { import } => {
                let offered = offered_instead(import)?.join("` and `");
                format!("this host has `{offered}`: take a newer host, or a version of the plugin that was built for this one")
            }
            Self::ExportMissing { role } => {
                let exports = exports_of(Role::from_word(role)?).join("`, `");
                format!("this host asks for one of `{exports}`: build it again with `orch-plugin build` of this release, or take a newer host")
            }
            Self::ManifestField { field: "kinds", .. } => {
                "write `\"kinds\": [\"NAME\"]` for an executor: tasks of these kinds are its; no other role has them".to_owned()
            }
            Self::ImportUndeclared { permission, .. } => {
                format!("the publisher must ask for `{permission}` in the manifest")
            }
            _ => return None,
        })
    }

    /// Lines for the file that the hint speaks of.
    pub fn lines(&self) -> Option<&str> {
        match self {
            Self::PermissionNotAllowed { entry, .. } => Some(entry),
            _ => None,
        }
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
    fn an_import_of_another_version_is_told_the_one_that_is_offered() {
        let hint = |import: &str| Refusal::ImportUnknown { import: import.to_owned() }.hint();
        for (newer, offered) in [
            ("orch:log/log@0.2.0", "`orch:log/log@0.1.0`"),
            ("orch:log/log@1.0.0", "`orch:log/log@0.1.0`"),
            ("orch:metrics/metrics@0.3.0", "`orch:metrics/metrics@0.1.1` and `orch:metrics/metrics@0.1.0`"),
            ("wasi:clocks/wall-clock@0.3.0", "`wasi:clocks/wall-clock@0.2.12`"),
            ("wasi:cli/environment@0.2.99", "`wasi:cli/environment@0.2.12`"),
        ] {
            assert!(hint(newer).unwrap().contains(offered), "{newer}");
        }
        for unknown in ["orch:moon/moon@0.1.0", "wasi:keyvalue/store@0.2.0", "env", "orch:log/log", "@", ""] {
            assert_eq!(hint(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn codes_are_plain_and_each_is_one_reason() {
        let plain = |code: &&str| code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        assert_eq!(Refusal::CODES.iter().find(|code| !plain(code)), None);
        let distinct: std::collections::BTreeSet<_> = Refusal::CODES.iter().collect();
        assert_eq!(distinct.len(), Refusal::CODES.len());
    }

    #[test]
    fn the_text_of_every_code_has_plain_names_in_the_place_of_what_differs() {
        for (code, text) in Refusal::CODES.iter().zip(Refusal::TEXTS) {
            let read = Refusal::text_of(code).unwrap();
            assert!(!read.contains(['{', '}']), "{code}: {read}");
            // Each field once, and everything else as it is said.
            let mut parts = text.split(['{', '}']);
            let mut rest = read.as_str();
            while let Some(plain) = parts.next() {
                rest = rest.strip_prefix(plain).unwrap_or_else(|| panic!("{code}: {read}"));
                let Some(field) = parts.next() else { break };
                let name = field.to_uppercase().replace('_', "-");
                rest = rest.strip_prefix(&name).unwrap_or_else(|| panic!("{code}: no {name} in {read}"));
            }
            assert_eq!(rest, "", "{code}: {read}");
        }
        let text = |code| Refusal::text_of(code).unwrap();
        assert_eq!(text("release-not-yet"), "release is from the future: ISSUED-AT");
        assert_eq!(text("file-too-large"), "`FILE` is FOUND-BYTES bytes, limit is LIMIT-BYTES");
        assert_eq!(Refusal::text_of("file-too-large "), None);
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
        assert_eq!(refusal.lines(), Some("[plugins.\"demo/x\".allow]\nlog = {}\n"));
        assert_eq!(refusal.hint().unwrap().lines().count(), 1);
    }
}
