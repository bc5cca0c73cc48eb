//! A group of checks, run in this process.
//!
//! In -> out: group, package, an empty folder -> the group's report.
//! Invariant: packages under certification and the known-bad ones of the self-check go through this one function.
//! Not here: the process around it (`sandbox.rs`), the checks (`check.rs`, `conformance.rs`, `self_check.rs`).

use std::path::Path;

use orch_trust::certificate::Measured;
use orch_trust::inputs::Inputs;
use orch_trust::package::PackageBytes;

use crate::check::{Beside, Group, GroupReport, from_outside, run_static};
use crate::outside::Outside;
use crate::{behaviour, conformance, self_check};

/// What the checks of that group say of the package.
pub fn run(
    group: Group,
    package: &PackageBytes,
    beside: &Beside,
    outside: &Outside,
    workspace: &Path,
) -> GroupReport {
    match group {
        Group::Dependencies | Group::Source => from_outside::run(group, package, outside, workspace),
        _ => run_until(group, package, beside, workspace, None),
    }
}

/// The same with nothing from outside; where checks are costly, those after `last` are left out.
pub fn run_until(
    group: Group,
    package: &PackageBytes,
    beside: &Beside,
    workspace: &Path,
    last: Option<&str>,
) -> GroupReport {
    match group {
        Group::Package | Group::Component | Group::Contents | Group::Compatibility => {
            run_static(group, package, beside)
        }
        Group::Dependencies | Group::Source => {
            from_outside::run(group, package, &Outside::default(), workspace)
        }
        Group::Conformance(role) => {
            let (result, measured) = conformance::run(package, role, workspace);
            GroupReport { results: vec![result], measured, inputs: Inputs::default(), self_check: None }
        }
        Group::Behaviour => {
            let (results, measured) = behaviour::run(package, workspace, last);
            GroupReport { results, measured, inputs: Inputs::default(), self_check: None }
        }
        Group::SelfCheck => {
            let (result, self_check) = self_check::run(workspace, &run_until);
            GroupReport {
                results: vec![result],
                measured: Measured::default(),
                inputs: Inputs::default(),
                self_check,
            }
        }
    }
}
