//! `config.yaml` of a workspace that nobody vouches for.

use orch_host::config::workspace::{AuditEvery, WorkspaceConfig};
use orch_trust::manifest::Role;

/// What is taken is bounded, and no plugin's settings are over their limit.
pub(crate) fn config(bytes: &[u8]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.yaml"), bytes).unwrap();
    match WorkspaceConfig::read(folder.path()) {
        Ok(config) => {
            assert!((0.0..=1.0).contains(&config.budget.warn_at));
            assert!(config.jobs.is_none_or(|jobs| (1..=256).contains(&jobs)));
            assert!(config.roles.of(Role::Service).all(|service| service.key.starts_with('/')));
            assert!(config.audit.every != Some(AuditEvery::Count(0)));
            for plugin in config.settings.keys() {
                let settings = config.settings_of(plugin);
                assert!(settings.len() <= 64 * 1024);
                let read: serde_json::Value = serde_json::from_str(&settings).expect("settings are JSON");
                assert!(read.is_object());
            }
            assert!(config.roles.ids().is_sorted());
            true
        }
        Err(error) => {
            assert!(error.code() != "workspace-io" || std::str::from_utf8(bytes).is_err(), "{error}");
            false
        }
    }
}

pub(crate) fn valid() -> Vec<(&'static str, Vec<u8>)> {
    let text = "roles:\n  planner: demo/p\n  executors: {shell: demo/e, note: demo/n}\n  reflectors: [demo/r]\n  \
                auditors: [demo/a]\n  verifiers: [demo/v]\n  services: {/status: demo/s}\nsettings:\n  demo/v:\n    \
                threshold: 3\n    list: [1, two, ~, {x: .5}]\nnarrow:\n  demo/e:\n    process: {programs: [git]}\n\
                audit: {every: 5}\nbudget: {limit: 100, warn_at: 0.5}\nfindings: {max_major: 1}\njobs: 4\nlog_mib: 8\n";
    vec![("valid", text.as_bytes().to_vec()), ("valid-empty", b" \n".to_vec())]
}
