//! orch-sdk
