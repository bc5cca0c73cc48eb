//! What a run is held to: the arguments over what the workspace, its plugins and the operator say.
//!
//! In -> out: arguments, `config.yaml`, policy, manifests -> [`RunRules`].
//! Not here: what they say each (`config/`), who keeps to it (`drive/`).

use super::{DurabilityArg, RunArgs};
use crate::config::operator::Operator;
use crate::config::workspace::WorkspaceConfig;
use crate::console::Console;
use crate::drive::branch::Beginning;
use crate::drive::desk::{Durability, RunRules};
use crate::open_files;
use crate::plugins::AdmittedPlugins;
use crate::reload;

/// What one run is held to; says where this machine allows less than is asked for.
pub(super) fn wanted(
    args: &RunArgs,
    config: &WorkspaceConfig,
    operator: &Operator,
    admitted: &AdmittedPlugins,
    console: Console,
) -> RunRules {
    let usual = usual(config, operator, admitted);
    let (mut jobs, jobs_max) = (args.jobs.unwrap_or(usual.jobs), open_files::commands_max());
    if jobs > jobs_max {
        console.warn(&format!(
            "{jobs_max} tasks at once, not {jobs}: this process may not open more files (`ulimit -Hn`)"
        ));
        jobs = jobs_max;
    }
    RunRules {
        jobs,
        audit: args.audit.unwrap_or(usual.audit),
        durability: match args.durability {
            Some(DurabilityArg::Process) => Durability::Process,
            Some(DurabilityArg::Power) => Durability::Power,
            None => usual.durability,
        },
        beginning: Beginning { dirty: args.base_dirty, ..usual.beginning },
        ..usual
    }
}

/// What the workspace and the operator say, where nobody says otherwise.
pub(in crate::commands) fn usual(
    config: &WorkspaceConfig,
    operator: &Operator,
    admitted: &AdmittedPlugins,
) -> RunRules {
    let of_start = RunRules {
        beginning: Beginning { isolated: admitted.isolate(config), ..Beginning::default() },
        log_bytes_max: config.log_bytes_max(),
        tasks_auto: operator
            .policy
            .tasks
            .auto
            .iter()
            .map(|auto| (auto.plugin.to_string(), auto.kind.clone()))
            .collect(),
        ..RunRules::default()
    };
    reload::under(of_start, config)
}
