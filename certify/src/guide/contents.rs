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
        codes: &[
            ("list-missing", "a module has no embedded list of its packages"),
            ("list-bomb", "the list unpacks to more than it may"),
            ("list-packing", "the list is not packed as zlib says, or bytes follow it"),
            ("list-form", "what is unpacked is no list of packages"),
            ("list-no-root", "the list does not say which package is the module's own"),
            ("list-reference", "the list refers to a package that it does not name"),
        ],
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
            ("sbom-engine", "it does not name the engine of another language that the component has in it"),
        ],
    },
    Guide {
        id: "dependency-match",
        file: SBOM,
        looks_at: "embedded lists, lock file and bill, package by package",
        why: "where the three differ, one of them is not of this build",
        helps: "build and pack again from a clean checkout with its lock file",
        codes: &[
            ("plugin-version", "the sources are of another version than the manifest"),
            ("dependency-git", "a package comes from a git repository"),
            ("dependency-registry", "a package comes from another registry than crates.io"),
            ("dependency-path", "a package lies outside of the plugin's own repository"),
            ("lock-missing", "a package is not in the lock file"),
            ("lock-no-checksum", "the lock file does not say which bytes a package has"),
            ("embedded-missing", "an embedded list lacks a package of the sources, or is not there"),
            ("embedded-more", "an embedded list has a package that the sources do not use"),
            (
                "embedded-other",
                "an embedded list connects the packages otherwise, or has them from elsewhere",
            ),
            ("sbom-missing", "the bill lacks a package of the sources"),
            ("sbom-more", "the bill has a package that the sources do not use"),
        ],
    },
    Guide {
        id: "vulnerabilities",
        file: SBOM,
        looks_at: "every package against the advisory database",
        why: "a known hole in a dependency is a hole of the plugin",
        helps: "update the dependency; `orch-certify db` says how old the database is",
        codes: &[
            ("vulnerability", "a package of the plugin has a known vulnerability"),
            ("unsound", "a package of the plugin is known to be unsound; a warning"),
            ("unmaintained", "nobody maintains a package of the plugin; a warning"),
            ("notice", "there is something else to know of a package of the plugin; a warning"),
            ("tools-disagree", "the two scanners say different things, so neither is believed"),
            ("advisory-db-io", "the database cannot be read"),
            ("advisory-db-malformed", "the folder is no database of advisories"),
            ("advisory-db-changed", "the database is no longer the one that was judged"),
            ("advisory-db-shrunk", "the database has fewer advisories than the one that was used last"),
            ("advisory-db-rollback", "the database is older than the one that was used last"),
        ],
    },
    Guide {
        id: "licences",
        file: SBOM,
        looks_at: "licence and source of every package",
        why: "who installs a plugin distributes its dependencies too",
        helps: "replace the dependency, or have the policy allow its licence",
        codes: &[
            ("licence-missing", "a package does not say its licence"),
            ("licence-unknown", "what a package says is no expression of licences"),
            ("licence-differs", "the sources say another licence than the manifest"),
            ("licence-not-allowed", "a package asks for more than plugins may promise"),
        ],
    },
    Guide {
        id: "dependency-review",
        file: SBOM,
        looks_at: "who reviewed which version of each package",
        why: "a version that nobody looked at is where an attack on a supply chain comes in",
        helps: "review it, or take over the review of somebody you trust",
        codes: &[
            ("not-reviewed", "nobody says that packages of others were read; a warning"),
            ("review-missing", "a version of a package was not reviewed as the sources promise"),
            ("review-violated", "a reviewer speaks against a version of a package"),
        ],
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
        codes: &[
            ("not-built", "the committed sources do not build"),
            ("other-component", "a build of the committed sources gives another component"),
            ("other-sbom", "a build of the committed sources gives another bill"),
            ("not-reproducible", "two builds of the same sources differ"),
        ],
    },
    Guide {
        id: "provenance",
        file: MANIFEST,
        looks_at: "who built it, from which commit, and whether that is the commit that was rebuilt",
        why: "a package of unknown origin cannot be traced when something is found",
        helps: "release from CI with the source in the release signature",
        codes: &[
            ("source-missing", "the release does not say where its sources are"),
            (
                "source-changed",
                "committed files are not as they were committed, or the commit changed meanwhile",
            ),
            ("source-uri", "what the release says is no address of sources"),
            ("source-commit", "the release does not name a commit in full"),
        ],
    },
];
