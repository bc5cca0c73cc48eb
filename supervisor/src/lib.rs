//! orch-supervisor
