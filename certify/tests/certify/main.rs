//! `orch-certify` as its users see it: packages made here, the real binary, its real children.

mod children;
mod defects;
mod guest;
mod keys;
mod package;
mod roles;
