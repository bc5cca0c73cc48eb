//! `orch-trust` from outside, as one program: each program of tests is linked with all that it depends on.
//!
//! Modules by what they try: `admission` a package, `root` the trust root, `judgement` results of checks and
//! certificates, `facts` and `structure` components, `grammar` permissions, `authority` keyholders' files, `vectors`
//! signatures, `words` what is shown.

mod admission;
mod authority;
mod facts;
mod grammar;
mod judgement;
#[path = "admission/make.rs"]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what makes a package for a test is no test function"
)]
mod make;
mod root;
mod structure;
mod vectors;
mod words;
