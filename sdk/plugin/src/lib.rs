//! From a plugin's sources to a signed package.
//!
//! In -> out: a project folder -> module -> component with its dependency list and SBOM -> package -> release signature.
//! Invariant: no step trusts what the one before says of itself; each reads the files that it needs.
//! Not here: what a package may be (`orch-trust`), whether it is any good (`orch-certify`).

mod advice;
pub mod asked;
pub mod authored;
pub mod browser;
pub mod build;
pub mod carried;
pub mod case;
pub mod changes;
pub mod component;
pub mod dependencies;
pub mod development;
pub mod embedded;
pub mod error;
pub mod flags;
pub mod language;
pub mod pack;
pub mod prepared;
pub mod project;
pub mod publish;
pub mod sbom;
pub mod sign;
pub mod std_calls;
pub mod target;
pub mod template;
pub mod toolchain;
