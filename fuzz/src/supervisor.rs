//! What comes over a supervisor's socket, and what the kernel says of processes that others named.

use orch_supervisor::fuzzed;

/// Messages are the same however their bytes were cut, and an error stays one.
pub(crate) fn frames(bytes: &[u8]) -> bool {
    let (whole, is_sound) = fuzzed::frames(bytes, usize::MAX);
    let (parts, is_sound_in_parts) = fuzzed::frames(bytes, 1 + bytes.len() % 7);
    assert_eq!((&whole, is_sound), (&parts, is_sound_in_parts));
    is_sound && !whole.is_empty()
}

/// A line of the kernel's form gives its own numbers, whatever a process is called.
pub(crate) fn stat(bytes: &[u8]) -> bool {
    let Some([parent, session, start_ticks]) = fuzzed::stat(bytes) else { return false };
    let name = bytes.iter().rposition(|byte| *byte == b')').expect("a name ends");
    let rest = String::from_utf8_lossy(&bytes[name + 1..]);
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |text: &str| text.parse::<u64>().ok();
    assert_eq!(
        [fields[1], fields[3], fields[19]].map(number),
        [Some(parent), Some(session), Some(start_ticks)]
    );
    true
}

pub(crate) fn valid_frames() -> Vec<(&'static str, Vec<u8>)> {
    vec![("valid", fuzzed::example())]
}

pub(crate) fn valid_stat() -> Vec<(&'static str, Vec<u8>)> {
    let line = |name: &str| {
        format!(
            "4242 ({name}) S 17 4242 4242 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 123456 1000 100 18446744073709551615\n"
        )
    };
    vec![("valid", line("sh").into_bytes()), ("valid-named", line(") R 1 (x) y").into_bytes())]
}
