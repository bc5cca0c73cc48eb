//! Families of refusals: coarse enough that two verifiers which look in another order inside a step still agree.
//!
//! In -> out: a code of [`Refusal`](orch_trust::refusal::Refusal) -> its family.
//! Invariant: every code is in one family; a test says so.

/// Family and its codes.
pub const FAMILIES: &[(&str, &[&str])] = &[
    ("package", &["file-extra", "file-missing", "file-too-large"]),
    (
        "manifest",
        &[
            "manifest-json",
            "manifest-duplicate-key",
            "manifest-schema",
            "manifest-field",
            "manifest-permission",
            "host-api",
            "package-other-id",
        ],
    ),
    ("files", &["file-undeclared", "size-mismatch", "digest-mismatch"]),
    (
        "envelope",
        &[
            "envelope-malformed",
            "envelope-signatures",
            "envelope-type",
            "envelope-key-id",
            "envelope-payload",
        ],
    ),
    ("signature", &["signature-invalid"]),
    ("role", &["role-keys", "role-key-twice", "role-key-unknown", "threshold-zero", "threshold-above-keys"]),
    (
        "root",
        &[
            "root-other-bytes",
            "root-malformed",
            "root-key-malformed",
            "root-key-id",
            "root-key-two-roles",
            "root-version",
            "root-previous",
            "root-not-by-current",
            "root-not-by-itself",
            "root-unknown-key",
            "root-not-yet",
            "root-expired",
        ],
    ),
    ("state", &["trust-state-malformed", "trust-state-mac"]),
    (
        "seen",
        &[
            "clock-went-back",
            "fast-forward",
            "freshness-rollback",
            "freshness-other-bytes",
            "revocations-rollback",
            "revocations-other-bytes",
            "release-rollback",
            "release-other-bytes",
        ],
    ),
    (
        "freshness",
        &[
            "anchor-file-missing",
            "freshness-unknown-key",
            "freshness-threshold",
            "freshness-not-yet",
            "freshness-stale",
        ],
    ),
    (
        "list",
        &[
            "revocations-unknown-key",
            "revocations-threshold",
            "revocations-not-pinned",
            "revocations-not-yet",
            "revocations-expired",
            "revocations-malformed",
        ],
    ),
    (
        "delegation",
        &[
            "delegation-unknown-issuer",
            "delegation-threshold",
            "delegation-key",
            "delegation-file-name",
            "delegation-other-subject",
            "delegation-too-long",
            "delegation-not-yet",
            "delegation-job",
            "delegation-window",
            "delegation-unused",
        ],
    ),
    (
        "publisher",
        &[
            "release-missing",
            "release-unknown-key",
            "release-other-namespace",
            "release-key-expired",
            "release-key-not-yet",
            "release-threshold",
            "release-role",
        ],
    ),
    ("release", &["release-other-subject", "release-other-plugin", "release-expired", "release-not-yet"]),
    (
        "certifier",
        &[
            "certificate-unknown-key",
            "certificate-file-name",
            "certificate-key-expired",
            "certificate-key-not-yet",
            "certificate-level",
        ],
    ),
    (
        "certificate",
        &[
            "certificate-development",
            "certificate-other-subject",
            "certificate-other-plugin",
            "certificate-expired",
            "certificate-not-yet",
            "certificate-signed-early",
            "certificate-too-long",
            "certificate-tool",
        ],
    ),
    (
        "results",
        &[
            "check-missing",
            "check-twice",
            "check-not-passed",
            "check-empty",
            "check-version",
            "check-warnings",
            "self-check-incomplete",
            "result-digest",
        ],
    ),
    (
        "inputs",
        &["certificate-inputs", "advisory-db-too-old", "advisory-db-from-the-future", "source-other-commit"],
    ),
    ("agreement", &["certificate-missing", "certificate-threshold", "certificates-disagree"]),
    (
        "component",
        &[
            "wat-text",
            "core-module",
            "not-a-component",
            "import-kind",
            "memory-kind",
            "table-kind",
            "structure-too-large",
            "custom-section",
            "engine-unknown",
            "snapshot-several",
            "snapshot-too-large",
            "glue-too-large",
        ],
    ),
    (
        "fit",
        &["import-unknown", "import-undeclared", "import-of-providers", "export-missing", "memory-minimum"],
    ),
    ("facts", &["facts-disagree"]),
    ("denied", &["denied-by-policy"]),
    ("revoked", &["revoked-kill", "revoked-block-load", "revoked-recertify", "sbom-unreadable"]),
    ("lock", &["lock-mismatch"]),
    (
        "grant",
        &[
            "permission-above-maximum",
            "permission-not-allowed",
            "approval-missing",
            "approval-exceeded",
            "narrow-malformed",
        ],
    ),
];

/// The family of a code.
pub fn family(code: &str) -> &'static str {
    let found = FAMILIES.iter().find(|(_, codes)| codes.contains(&code));
    found.map(|(family, _)| *family).unwrap_or_else(|| panic!("`{code}` is in no family"))
}

#[cfg(test)]
mod tests {
    use orch_trust::refusal::Refusal;

    use super::FAMILIES;

    #[test]
    fn every_code_is_in_one_family() {
        for code in Refusal::CODES {
            let found = FAMILIES.iter().flat_map(|(_, codes)| *codes).filter(|one| *one == code).count();
            assert_eq!(found, 1, "`{code}`");
        }
        let known: usize = FAMILIES.iter().map(|(_, codes)| codes.len()).sum();
        assert_eq!(known, Refusal::CODES.len(), "a family has a code that nothing gives");
    }
}
