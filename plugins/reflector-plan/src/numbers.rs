//! Numbers of phases that no task has yet.
//!
//! In -> out: a plan's phases, the ids that are taken -> the same phases, later plans after earlier ones.
//! Limits: 999 phases in one task file.
//! Invariant: dependencies follow their phases.
//! Not here: which ids are taken (`lib.rs` asks the host).

use std::collections::BTreeMap;

use crate::plan::Phase;

/// Gives each phase the next number that is free from the first on which none after it is taken.
///
/// # Errors
/// There are too many.
pub fn renumber(
    mut phases: Vec<Phase>,
    is_taken: impl Fn(&str) -> Result<bool, String>,
) -> Result<Vec<Phase>, String> {
    let id = |number: usize| format!("phase-{number:03}");
    let mut first = 1;
    while is_taken(&id(first))? {
        first += 1;
        if first > 999 {
            return Err("the task file has 999 phases: move what is done out of it".to_owned());
        }
    }
    let mut names = BTreeMap::new();
    for (number, phase) in (first..).zip(&mut phases) {
        if number > 999 || is_taken(&id(number))? {
            return Err(format!("`{}` is taken by another task", id(number)));
        }
        names.insert(std::mem::replace(&mut phase.id, id(number)), id(number));
    }
    for phase in &mut phases {
        for dependency in &mut phase.dependencies {
            if let Some(name) = names.get(dependency) {
                dependency.clone_from(name);
            }
        }
    }
    Ok(phases)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phases(ids: &[(&str, &[&str])]) -> Vec<Phase> {
        let phase = |(id, dependencies): &(&str, &[&str])| Phase {
            id: (*id).to_owned(),
            name: String::new(),
            description: String::new(),
            dependencies: dependencies.iter().map(|one| (*one).to_owned()).collect(),
            estimated_complexity: String::new(),
            risk_level: String::new(),
            verification_criteria: Vec::new(),
        };
        ids.iter().map(phase).collect()
    }

    #[test]
    fn a_later_plan_goes_on_after_an_earlier_one_and_dependencies_follow() {
        let plan = phases(&[("phase-001", &[]), ("phase-003", &["phase-001"])]);
        let taken = |id: &str| Ok(id == "phase-001" || id == "phase-002");
        let found = renumber(plan.clone(), taken).unwrap();
        let ids: Vec<&str> = found.iter().map(|phase| phase.id.as_str()).collect();
        assert_eq!(
            (ids, &found[1].dependencies[..]),
            (vec!["phase-003", "phase-004"], &["phase-003".to_owned()][..])
        );
        let found = renumber(plan, |_| Ok(false)).unwrap();
        assert_eq!((found[1].id.as_str(), found[1].dependencies[0].as_str()), ("phase-002", "phase-001"));
    }

    #[test]
    fn numbers_end() {
        let plan = phases(&[("phase-001", &[]), ("phase-002", &[])]);
        assert!(renumber(plan.clone(), |_| Ok(true)).unwrap_err().contains("999"));
        assert!(
            renumber(plan.clone(), |id| Ok(id == "phase-002")).unwrap_err().contains("`phase-002` is taken")
        );
        assert_eq!(renumber(plan, |_| Err("no".to_owned())).unwrap_err(), "no");
    }
}
