//! The resource profile: whether the manifest's limits cover what the conformance cases use, and a quarter more.
//!
//! In -> out: a scene -> `resource-profile`; the most that any call used.
//! Units: fuel stands for time, a million for a millisecond, because time itself differs from machine to machine.
//! Invariant: a finding names a limit and a case, and what was measured only where that is the same on every machine: fuel,
//! bytes of memory and of the log, calls.
//! Output, host calls and log lines are judged by calling under limits of four fifths; memory by what was used, since
//! a plugin may live on when memory is refused.
//! Not here: enforcing limits (`orch-host`'s `engine/limits.rs`).

use orch_host::capability::trial::Mood;
use orch_host::engine::CallError;
use orch_trust::certificate::CheckResult;
use orch_trust::manifest::Limits;

use super::Scene;
use crate::check::judged;
use crate::conformance::call::Seen;

const FUEL_PER_MS: u64 = 1_000_000;

/// A limit that leaves too little over, the case that showed it, and what was used of what there is.
type TooLow<'a> = (&'a str, String, Option<(u64, u32)>);

pub(super) fn check(id: &str, scene: Scene<'_>) -> Result<CheckResult, String> {
    let limits = scene.stage.manifest().limits;
    let permissions = scene.stage.manifest().permissions.clone();
    let stage = scene.stage.moved(scene.folder).map_err(|error| format!("workspace: {error}"))?;
    let stage = stage.narrowed(&permissions, less(limits)).map_err(|excess| excess.to_string())?;
    let mut looked_at = 0;
    let mut findings: Vec<TooLow<'_>> = Vec::new();
    for role in &scene.stage.manifest().roles {
        let plugin = stage.link(*role).map_err(|error| error.to_string())?;
        for case in stage.cases(*role) {
            looked_at += 1;
            let seen = scene.runtime.block_on(stage.call(&plugin, &stage.fakes(case.mood), &case));
            seen.measure(scene.measured);
            // Only a call under ordinary circumstances must find room for all its lines.
            let logs = case.mood == Mood::Good;
            for limit in too_low(limits, &seen, logs) {
                if !findings.iter().any(|(known, ..)| *known == limit) {
                    findings.push((limit, case.name.clone(), used_of(limit, limits, &seen)));
                }
            }
        }
    }
    let said = |(limit, case, used): TooLow<'_>| {
        let seen = used.map_or_else(String::new, |(used, allowed)| {
            let enough = used.saturating_mul(5).div_ceil(4).max(u64::from(allowed) + 1);
            format!(": used {used} of {allowed}, say {enough}")
        });
        format!("limit-low: `{limit}` leaves no quarter over in case `{case}`{seen}")
    };
    Ok(judged(id, looked_at, findings.into_iter().map(said).collect()))
}

/// Four fifths of the limits that a call feels at once; memory and time stay.
fn less(limits: Limits) -> Limits {
    let less = |limit: u32| u32::try_from(u64::from(limit) * 4 / 5).unwrap_or(limit);
    Limits {
        output_kib: less(limits.output_kib).max(1),
        host_calls: less(limits.host_calls).max(1),
        log_kib: less(limits.log_kib),
        ..limits
    }
}

/// What the call used of that limit and what there is, in the manifest's unit; none where only reaching the end is seen.
fn used_of(limit: &str, limits: Limits, seen: &Seen) -> Option<(u64, u32)> {
    let used = &seen.used;
    Some(match limit {
        "memoryMiB" => (used.memory_bytes.div_ceil(1 << 20), limits.memory_mib),
        "busyMs" => (used.fuel?.div_ceil(FUEL_PER_MS), limits.busy_ms),
        "hostCalls" => (used.host_calls, limits.host_calls),
        "logKiB" => (used.log_bytes.div_ceil(1 << 10), limits.log_kib),
        _ => return None,
    })
}

/// Names of the limits that this call came too close to.
fn too_low(limits: Limits, seen: &Seen, logs: bool) -> Vec<&'static str> {
    let mut low = Vec::new();
    if let Err(CallError::Limit { limit, .. }) = &seen.answer {
        low.extend(match *limit {
            "memory" => Some("memoryMiB"),
            "busy" => Some("busyMs"),
            "wall" => Some("wallMs"),
            "output" => Some("outputKiB"),
            "host-calls" => Some("hostCalls"),
            // Not the manifest's.
            _ => None,
        });
    }
    let above = |used: u64, limit: u64| used.saturating_mul(5) / 4 > limit;
    if above(seen.used.memory_bytes, u64::from(limits.memory_mib) << 20) && !low.contains(&"memoryMiB") {
        low.push("memoryMiB");
    }
    if above(seen.used.fuel.unwrap_or(0) / FUEL_PER_MS, limits.busy_ms.into()) && !low.contains(&"busyMs") {
        low.push("busyMs");
    }
    if seen.log_cut && logs {
        low.push("logKiB");
    }
    low
}

#[cfg(test)]
mod tests {
    use orch_host::call::Used;

    use super::*;
    use crate::conformance::answer::Answer;

    const LIMITS: Limits =
        Limits { memory_mib: 5, busy_ms: 100, wall_ms: 1000, output_kib: 10, host_calls: 10, log_kib: 10 };

    fn seen(memory_bytes: u64, fuel: u64) -> Seen {
        Seen::of(Ok(Answer::default()), Used { fuel: Some(fuel), memory_bytes, host_calls: 0, log_bytes: 0 })
    }

    #[test]
    fn what_was_used_is_said_in_the_manifests_unit() {
        let mut seen = seen((4 << 20) + 4, 82_000_001);
        seen.used.log_bytes = 640 << 10;
        assert_eq!(used_of("memoryMiB", LIMITS, &seen), Some((5, 5)));
        assert_eq!(used_of("busyMs", LIMITS, &seen), Some((83, 100)));
        assert_eq!(used_of("logKiB", LIMITS, &seen), Some((640, 10)));
        assert_eq!(used_of("outputKiB", LIMITS, &seen), None);
    }

    #[test]
    fn a_quarter_must_be_left() {
        assert_eq!(too_low(LIMITS, &seen(4 << 20, 80_000_000), true), [""; 0]);
        assert_eq!(too_low(LIMITS, &seen((4 << 20) + 4, 0), true), ["memoryMiB"]);
        assert_eq!(too_low(LIMITS, &seen(0, 82_000_000), true), ["busyMs"]);
        assert_eq!(too_low(LIMITS, &Seen { log_cut: true, ..seen(0, 0) }, true), ["logKiB"]);
        assert_eq!(too_low(LIMITS, &Seen { log_cut: true, ..seen(0, 0) }, false), [""; 0]);
        let limit = |limit| {
            let allowed = String::new();
            Seen { answer: Err(CallError::Limit { plugin: "x".into(), limit, allowed }), ..seen(0, 0) }
        };
        assert_eq!(too_low(LIMITS, &limit("output"), true), ["outputKiB"]);
        assert_eq!(too_low(LIMITS, &limit("host-calls"), true), ["hostCalls"]);
        let less = less(LIMITS);
        assert_eq!((less.output_kib, less.host_calls, less.log_kib, less.memory_mib), (8, 8, 8, 5));
    }
}
