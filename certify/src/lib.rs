//! orch-certify
