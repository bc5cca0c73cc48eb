//! What must hold for whatever bytes others send us.
//!
//! In -> out: bytes -> whether a reader took them; a panic where a promise of its module header does not hold.
//! Invariant: a target never decides by itself what is right where the code under test could be asked to judge itself:
//! it compares with another reader, with what was written again, or with a bound.
//! Not here: libFuzzer (`libfuzzer/`), running it (`xtask/src/fuzz.rs`), replaying the corpus (`tests/replay.rs`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a target speaks by panicking"
)]

mod address;
mod anchor;
mod archive;
#[cfg(feature = "engine")]
mod author;
#[cfg(feature = "engine")]
mod certify;
mod component;
mod course;
mod envelope;
mod foreign;
mod import;
mod journal;
mod json;
mod keys;
mod manifest;
mod materials;
mod names;
mod operator;
mod package;
mod permission;
#[cfg(feature = "engine")]
mod secrets;
mod supervisor;
mod tasks;
#[cfg(feature = "engine")]
mod workspace;

/// One reader of outside bytes.
pub struct Target {
    pub name: &'static str,
    /// The files of the reader, from the checkout's root: their lines are counted.
    pub sources: &'static [&'static str],
    /// True if the bytes were taken; panics if a promise does not hold.
    pub run: fn(&[u8]) -> bool,
    /// Bytes that must be taken, each with the name of its file in the corpus.
    pub valid: fn() -> Vec<(&'static str, Vec<u8>)>,
}

/// Every target, in the order in which a package meets its readers.
pub const TARGETS: &[Target] = &[
    Target {
        name: "strict-json",
        sources: &["trust/src/strict_json.rs", "trust/src/strict_json/objects.rs"],
        run: json::strict_json,
        valid: json::valid,
    },
    Target {
        name: "manifest",
        sources: &["trust/src/manifest.rs", "trust/src/manifest/written.rs", "trust/src/permission/rule.rs"],
        run: manifest::manifest,
        valid: manifest::valid,
    },
    Target {
        name: "names",
        sources: &["trust/src/name.rs", "trust/src/digest.rs", "trust/src/time.rs", "trust/src/key.rs"],
        run: names::names,
        valid: names::valid,
    },
    Target {
        name: "admission",
        sources: &["trust/src/admission.rs", "trust/src/package.rs", "trust/src/dsse.rs"],
        run: package::admission,
        valid: package::valid,
    },
    Target {
        name: "archive",
        sources: &["trust/src/archive.rs"],
        run: archive::archive,
        valid: archive::valid,
    },
    Target {
        name: "release",
        sources: &["trust/src/release.rs", "trust/src/dsse.rs"],
        run: envelope::release,
        valid: envelope::valid_release,
    },
    Target {
        name: "certificate",
        sources: &["trust/src/certificate.rs", "trust/src/dsse.rs"],
        run: envelope::certificate,
        valid: envelope::valid_certificate,
    },
    Target {
        name: "trust-root",
        sources: &[
            "trust/src/root.rs",
            "trust/src/root/document.rs",
            "trust/src/threshold.rs",
            "trust/src/period.rs",
        ],
        run: anchor::trust_root,
        valid: anchor::valid_root,
    },
    Target {
        name: "freshness",
        sources: &["trust/src/freshness.rs", "trust/src/period.rs"],
        run: anchor::freshness,
        valid: anchor::valid_freshness,
    },
    Target {
        name: "revocations",
        sources: &["trust/src/revocation.rs", "trust/src/version_range.rs"],
        run: anchor::revocations,
        valid: anchor::valid_revocations,
    },
    Target {
        name: "delegation",
        sources: &["trust/src/delegation.rs"],
        run: anchor::delegation,
        valid: anchor::valid_delegation,
    },
    Target {
        name: "trust-state",
        sources: &["trust/src/state.rs"],
        run: anchor::trust_state,
        valid: anchor::valid_state,
    },
    Target {
        name: "trust-course",
        sources: &["trust/src/state.rs"],
        run: course::course,
        valid: course::valid,
    },
    Target {
        name: "sbom",
        sources: &["trust/src/sbom.rs"],
        run: materials::bill,
        valid: materials::valid_bill,
    },
    Target {
        name: "component",
        sources: &["trust/src/facts.rs", "trust/src/interfaces.rs"],
        run: component::component,
        valid: component::valid,
    },
    Target {
        name: "permissions",
        sources: &["trust/src/permission/rule.rs", "trust/src/permission/text.rs"],
        run: permission::permissions,
        valid: permission::valid_permissions,
    },
    Target {
        name: "grant",
        sources: &["trust/src/grant.rs", "trust/src/permission.rs", "trust/src/permission/rule.rs"],
        run: permission::grant,
        valid: permission::valid_grant,
    },
    Target {
        name: "policy",
        sources: &["trust/src/policy.rs"],
        run: operator::policy,
        valid: operator::valid_policy,
    },
    Target {
        name: "authority",
        sources: &["trust/src/authority.rs"],
        run: operator::authority,
        valid: operator::valid_authority,
    },
    Target {
        name: "approval",
        sources: &["trust/src/approval.rs"],
        run: operator::approval,
        valid: operator::valid_approval,
    },
    Target {
        name: "lock",
        sources: &["trust/src/lock.rs"],
        run: operator::lock,
        valid: operator::valid_lock,
    },
    Target {
        name: "denied",
        sources: &["trust/src/denial.rs"],
        run: operator::denied,
        valid: operator::valid_denied,
    },
    #[cfg(feature = "engine")]
    Target {
        name: "secrets",
        sources: &["host/src/config/secrets.rs"],
        run: secrets::sources,
        valid: secrets::valid,
    },
    #[cfg(feature = "engine")]
    Target {
        name: "workspace",
        sources: &["host/src/config/workspace.rs"],
        run: workspace::config,
        valid: workspace::valid,
    },
    Target {
        name: "key-file",
        sources: &[
            "signer/src/key_file.rs",
            "signer/src/key_file/seed.rs",
            "signer/src/key_file/pkcs8.rs",
            "signer/src/key_file/openssh.rs",
            "signer/src/key_file/minisign.rs",
        ],
        run: keys::key_file,
        valid: keys::valid,
    },
    Target {
        name: "public-key",
        sources: &["signer/src/public_key.rs"],
        run: foreign::public_key,
        valid: foreign::valid_public_key,
    },
    Target {
        name: "foreign-signature",
        sources: &["signer/src/foreign.rs", "signer/src/foreign/minisign.rs", "signer/src/foreign/sshsig.rs"],
        run: foreign::signature,
        valid: foreign::valid_signature,
    },
    Target {
        name: "signer-address",
        sources: &["signer/src/address.rs"],
        run: address::address,
        valid: address::valid,
    },
    Target {
        name: "task-file",
        sources: &[
            "task/src/file/parse.rs",
            "task/src/file/fields.rs",
            "task/src/file/node.rs",
            "task/src/file/patch.rs",
            "task/src/file/layout.rs",
            "task/src/render.rs",
            "task/src/render/quote.rs",
        ],
        run: tasks::task_file,
        valid: tasks::valid_file,
    },
    Target {
        name: "task-merge",
        sources: &["task/src/merge.rs", "task/src/graph.rs"],
        run: tasks::task_merge,
        valid: tasks::valid_merge,
    },
    Target {
        name: "wfformat",
        sources: &["task/src/import.rs"],
        run: import::wfformat,
        valid: import::valid,
    },
    Target {
        name: "journal-events",
        sources: &["journal/src/event.rs", "journal/src/state.rs"],
        run: journal::events,
        valid: journal::valid,
    },
    Target {
        name: "supervisor-frames",
        sources: &["supervisor/src/frame.rs", "supervisor/src/request.rs"],
        run: supervisor::frames,
        valid: supervisor::valid_frames,
    },
    Target {
        name: "process-stat",
        sources: &["supervisor/src/process_table.rs"],
        run: supervisor::stat,
        valid: supervisor::valid_stat,
    },
    #[cfg(feature = "engine")]
    Target {
        name: "check-report",
        sources: &["certify/src/sandbox.rs"],
        run: certify::report,
        valid: certify::valid_report,
    },
    #[cfg(feature = "engine")]
    Target {
        name: "statement",
        sources: &["certify/src/statement.rs"],
        run: certify::statement,
        valid: certify::valid_statement,
    },
    #[cfg(feature = "engine")]
    Target {
        name: "dependency-list",
        sources: &["certify/src/check/dependency_list.rs"],
        run: materials::dependency_list,
        valid: materials::valid_list,
    },
    #[cfg(feature = "engine")]
    Target {
        name: "cargo-metadata",
        sources: &["sdk/plugin/src/dependencies.rs", "sdk/plugin/src/embedded.rs"],
        run: author::metadata,
        valid: author::valid,
    },
];

/// The target of that name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
