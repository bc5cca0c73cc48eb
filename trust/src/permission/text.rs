//! Forms of the texts in permissions, and which of two covers the other.
//!
//! In -> out: text -> well formed or not; outer and inner -> covers or not.
//! Invariant: a well-formed text means what it says by itself: no `..`, no second spelling of a path, host or port.
//! The `covers_` functions compare texts and rely on it.
//! Not here: which field has which form (a file for each domain beside this one).

use super::ANY;

const NAME_BYTES_MAX: usize = 64;
const HOST_BYTES_MAX: usize = 253;
/// So often a path may be percent-encoded.
const DECODED_MAX: usize = 8;

pub(super) const NAME: &str = "1 to 64 of `[a-z0-9-]`";
pub(super) const HOST: &str = "`host:port`";

/// True of 1 to 64 of `[a-z0-9-]`: labels, kinds, secrets, namespaces.
pub(crate) fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(plain)
}

/// A name, or `*` for all.
pub(super) fn is_name_or_any(text: &str) -> bool {
    text == ANY || is_name(text)
}

/// A name, the beginning of one with `*` after it, or `*` for all.
pub(super) fn is_name_or_prefix(text: &str) -> bool {
    text == ANY || is_name(text.strip_suffix('*').unwrap_or(text))
}

/// Parts between `/` that are each a name and not a step to elsewhere.
fn are_plain_parts(text: &str) -> bool {
    text.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

pub(super) fn is_glob(text: &str) -> bool {
    let stars = |part: &str| part == "**" || !part.contains("**");
    are_plain_parts(text) && text.split('/').all(stars) && !text.contains(['\\', '{', '}', '[', ']'])
}

/// A name, an absolute path, a path in the workspace, or `*` for what somebody else names.
pub(super) fn is_program(text: &str) -> bool {
    match (text.strip_prefix('/'), text.rsplit_once('/')) {
        (Some(rest), _) => are_plain_parts(rest) && !text.contains('*'),
        // `./` stands before a file of the workspace's own folder, and before no other; `*` is every name there.
        (None, Some((folder, name))) => {
            let is_folder = folder == "." || are_plain_parts(folder);
            let is_name = name == ANY || (are_plain_parts(name) && !name.contains('*'));
            is_folder && is_name && !folder.contains('*') && !folder.starts_with('-')
        }
        (None, None) => {
            text == ANY || (are_plain_parts(text) && !text.contains('*') && !text.starts_with('-'))
        }
    }
}

/// `NAME`, `NAME@PROGRAM`, or `*` for what somebody else names.
pub(super) fn is_variable(text: &str) -> bool {
    let (name, program) = variable_parts(text);
    text == ANY
        || (!name.is_empty()
            && !text.contains('=')
            && !name.contains('*')
            && program.is_none_or(|program| program != ANY && is_program(program)))
}

/// The name, and the program that it is for if it is for one.
pub(super) fn variable_parts(entry: &str) -> (&str, Option<&str>) {
    entry.split_once('@').map_or((entry, None), |(name, program)| (name, Some(program)))
}

/// `CONNECT` and `TRACE` are no requests for what stands at a path.
pub(super) fn is_method(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_uppercase()) && !matches!(text, "CONNECT" | "TRACE")
}

/// `host:port`, in the one spelling of its port; `*.` may stand in front.
pub(super) fn is_host_and_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let number: u16 = port.parse().unwrap_or_default();
    let six = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let host_fits = match six {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok_and(|read| read.to_string() == address),
        None => {
            host.parse::<std::net::Ipv4Addr>().is_ok() || is_dns_name(host.strip_prefix("*.").unwrap_or(host))
        }
    };
    number != 0 && number.to_string() == port && host.len() <= HOST_BYTES_MAX && host_fits
}

/// Labels, the last of which is no number: what looks names up takes `2130706433`, `0x7f.1` and `0177.1` for addresses.
pub(super) fn is_dns_name(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()));
    host.len() <= HOST_BYTES_MAX && host.split('.').all(is_host_label) && !is_number
}

/// True of a path that a server may take for one elsewhere: with a step `.` or `..`, also behind `\`, percent-encoded
/// (more than once), or with parameters (`..;`), or with a control character.
pub(super) fn steps_aside(path: &str) -> bool {
    let is_step = |part: &[u8]| {
        let name = part.split(|byte| *byte == b';').next().unwrap_or_default();
        matches!(name, b"." | b"..")
    };
    let mut bytes = path.as_bytes().to_vec();
    for _ in 0..DECODED_MAX {
        if bytes.iter().any(u8::is_ascii_control)
            || bytes.split(|byte| matches!(byte, b'/' | b'\\')).any(is_step)
        {
            return true;
        }
        let decoded = percent_decoded(&bytes);
        if decoded == bytes {
            return false;
        }
        bytes = decoded;
    }
    true
}

/// Each `%XX` as its byte, once.
fn percent_decoded(bytes: &[u8]) -> Vec<u8> {
    let digit = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let (mut decoded, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(u8::try_from(high * 16 + low).unwrap_or_default());
                at += 3;
            }
            _ => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    decoded
}

fn is_host_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// No dot segments, also not percent-encoded, and nothing that ends a path.
pub(super) fn is_path_prefix(text: &str) -> bool {
    let plain = |part: &str| !matches!(part, "." | "..");
    text.starts_with('/')
        && !text.contains("//")
        && text.split('/').all(plain)
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && !text.contains(['%', '?', '#', '\\', '*', '"'])
}

pub(super) fn covers_any(outer: &str, inner: &str) -> bool {
    outer == inner || outer == ANY
}

/// `folder/*` covers every program of that folder of the workspace.
pub(super) fn covers_program(outer: &str, inner: &str) -> bool {
    let in_folder = |folder: &str| inner.strip_prefix(folder).is_some_and(|name| !name.contains('/'));
    covers_any(outer, inner)
        || outer.strip_suffix('*').is_some_and(|folder| !folder.is_empty() && in_folder(folder))
}

/// A name for all programs and one for a single program are two things: neither covers the other.
pub(super) fn covers_variable(outer: &str, inner: &str) -> bool {
    match (variable_parts(outer), variable_parts(inner)) {
        ((name, Some(outer)), (other, Some(inner))) => name == other && covers_program(outer, inner),
        _ => covers_any(outer, inner),
    }
}

pub(super) fn covers_prefix(outer: &str, inner: &str) -> bool {
    outer == inner || outer.strip_suffix('*').is_some_and(|prefix| inner.starts_with(prefix))
}

/// `**` covers everything; `folder/**` covers what lies below that folder, if the folder is written out; else equal.
pub(super) fn covers_glob(outer: &str, inner: &str) -> bool {
    match outer.strip_suffix("**") {
        Some("") => true,
        Some(folder) if folder.ends_with('/') && !folder.contains(['*', '?', '[', '{']) => {
            inner.starts_with(folder)
        }
        _ => outer == inner,
    }
}

pub(super) fn covers_host(outer: &str, inner: &str) -> bool {
    let (outer, inner) = (outer.to_ascii_lowercase(), inner.to_ascii_lowercase());
    match outer.strip_prefix("*.") {
        Some(parent) => {
            inner.split_once('.').is_some_and(|(label, rest)| rest == parent && !label.is_empty())
        }
        None => outer == inner,
    }
}

pub(super) fn covers_path(outer: &str, inner: &str) -> bool {
    inner.starts_with(outer)
}
