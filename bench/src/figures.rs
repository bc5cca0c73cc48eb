//! Numbers from measurements: medians, percentiles, what a process used.

use std::time::Duration;

/// The value below which `part` (0.0..=1.0) of the sorted values lie; 0 if there are none.
pub(crate) fn percentile(sorted: &[u64], part: f64) -> u64 {
    let place = ((sorted.len().saturating_sub(1)) as f64 * part).round() as usize;
    sorted.get(place).copied().unwrap_or(0)
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.len() % 2, values.get(middle), values.get(middle.wrapping_sub(1))) {
        (1, Some(value), _) => *value,
        (0, Some(above), Some(below)) => (above + below) / 2.0,
        _ => f64::NAN,
    }
}

pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A field of `/proc/self/status` in KiB: `VmHWM` is the most memory that was resident, `VmRSS` what is now.
pub(crate) fn memory_kib(field: &str) -> anyhow::Result<u64> {
    memory_of("self", field)
}

/// The same of another process, by its pid.
pub(crate) fn memory_of(pid: &str, field: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let number = line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse().ok());
    number.ok_or_else(|| anyhow::anyhow!("`/proc/{pid}/status` has no `{field}`"))
}

/// Nanoseconds of the clock that all processes of this machine share.
pub(crate) fn shared_clock() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, nanoseconds)
}
