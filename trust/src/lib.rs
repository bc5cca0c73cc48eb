//! Who vouches for a plugin, and what it may do.
//!
//! In -> out: bytes of a package and the operator's rules -> [`evidence::Admitted`], or a [`refusal::Refusal`].
//! Invariant: pure; no engine, no async, no clock, no files, no network.
//! Not here: reading packages and the operator's folder (`orch-host`), making certificates (`orch-certify`).

#[cfg(all(feature = "dangerous", not(debug_assertions)))]
compile_error!(
    "the feature `dangerous` admits unsigned packages and is for builds with debug assertions only"
);

pub mod admission;
pub mod agreement;
pub mod anchor;
pub mod approval;
pub mod archive;
pub mod authority;
pub mod certificate;
pub mod delegation;
pub mod denial;
pub mod digest;
pub mod dsse;
pub mod engines;
pub mod evidence;
pub mod facts;
pub mod freshness;
pub mod grant;
pub mod import;
pub mod inputs;
pub mod interfaces;
pub mod key;
pub mod level;
pub mod lock;
pub mod manifest;
pub mod name;
pub mod package;
pub mod period;
pub mod permission;
pub mod policy;
pub mod refusal;
pub mod release;
pub mod revocation;
pub mod role;
pub mod root;
pub mod sbom;
pub mod signature;
pub mod standing;
pub mod state;
pub mod strict_json;
pub mod threshold;
pub mod time;
pub mod version_range;
pub mod versions;
