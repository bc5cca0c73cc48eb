//! The checks of what is inside: dependencies, software bill, secrets, and where the bytes come from.
//!
//! Not here: form (`structure.rs`), what it does when called (`behaviour.rs`).

use orch_trust::package::{COMPONENT, MANIFEST, SBOM};

use super::Guide;

pub(super) const GUIDES: &[Guide] = &[
    Guide {
        id: "dependency-list",
        file: COMPONENT,
        looks_at: "the embedded list (`.dep-v0`) of every core module",
        why: "code without a list cannot be held against advisories later",
        helps: "build with `orch-plugin build`, which embeds it",
        codes: &[("list-missing", "a module has no embedded list of its packages")],
    },
    Guide {
        id: "sbom",
        file: SBOM,
        looks_at: "`sbom.cdx.json`: CycloneDX, whole, about this component",
        why: "a bill for other bytes, or one with gaps, says nothing about this plugin",
        helps: "`orch-plugin pack` writes it from the build",
        codes: &[
            ("sbom-format", "it is not of a version of CycloneDX that is read here"),
            ("sbom-unreadable", "it is no JSON of CycloneDX"),
            ("sbom-subject", "its subject is not this component"),
            ("sbom-package", "one of its packages is described wrongly"),
            ("sbom-reference", "its references do not fit its packages"),
            ("sbom-nested", "a component lies inside another, where no tool looks"),
            ("sbom-incomplete", "a package of the component, or what a package uses, is missing"),
            ("sbom-surplus", "it lists a package that the component does not have"),
        ],
    },
    Guide {
        id: "dependency-match",
        file: SBOM,
        looks_at: "embedded lists, lock file and bill, package by package",
        why: "where the three differ, one of them is not of this build",
        helps: "build and pack again from a clean checkout with its lock file",
        codes: &[],
    },
    Guide {
        id: "vulnerabilities",
        file: SBOM,
        looks_at: "every package against the advisory database",
        why: "a known hole in a dependency is a hole of the plugin",
        helps: "update the dependency; `orch-certify db` says how old the database is",
        codes: &[],
    },
    Guide {
        id: "licences",
        file: SBOM,
        looks_at: "licence and source of every package",
        why: "who installs a plugin distributes its dependencies too",
        helps: "replace the dependency, or have the policy allow its licence",
        codes: &[],
    },
    Guide {
        id: "dependency-review",
        file: SBOM,
        looks_at: "who reviewed which version of each package",
        why: "a version that nobody looked at is where an attack on a supply chain comes in",
        helps: "review it, or take over the review of somebody you trust",
        codes: &[],
    },
    Guide {
        id: "secrets",
        file: COMPONENT,
        looks_at: "data segments, names and text files",
        why: "a key in a published package is everybody's key; a build path says who built it and where",
        helps: "take the secret out and revoke it; `orch-plugin build` remaps paths",
        codes: &[
            ("secret-found", "there is something of the form of a secret"),
            ("build-path", "there is a path of the machine that built it; a warning"),
        ],
    },
    Guide {
        id: "dangerous-content",
        file: COMPONENT,
        looks_at: "data segments: programs, archives, modules, long runs of zeros",
        why: "what is unpacked later was not looked at by any other check",
        helps: "leave the file out, or ship it as a package of its own",
        codes: &[
            ("embedded-file", "there is a program, an archive or a module in the data"),
            ("zero-run", "there is a long run of zeros, which compresses to nothing; a warning"),
        ],
    },
    Guide {
        id: "reproducible-build",
        file: COMPONENT,
        looks_at: "two builds from the same source in different folders, and the submitted bytes",
        why: "only then does reading the source say anything about the component",
        helps: "pin toolchain and lock file; keep time and place out of the build",
        codes: &[],
    },
    Guide {
        id: "provenance",
        file: MANIFEST,
        looks_at: "who built it, from which commit, and whether that is the commit that was rebuilt",
        why: "a package of unknown origin cannot be traced when something is found",
        helps: "release from CI with the source in the release signature",
        codes: &[],
    },
];
