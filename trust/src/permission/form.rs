//! The form of each permission's entries.
//!
//! In -> out: [`Permissions`] -> nothing, or the first malformed entry.
//! Limits: 64 entries a list, 1 KiB an entry, no control characters.
//! Invariant: an entry of this form means what it says by its text alone: no `..`, no second spelling of a path, host
//! or port. `within.rs` compares texts and relies on it.
//! Not here: what a manifest may not ask for although it is well formed (`manifest.rs`).

use super::{ANY, Permissions};

const ENTRIES_MAX: usize = 64;
const TEXT_BYTES_MAX: usize = 1024;
const NAME_BYTES_MAX: usize = 64;
const HOST_BYTES_MAX: usize = 253;

/// A permission that is malformed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` has `{found}`, expected {expected}")]
pub struct PermissionForm {
    pub path: &'static str,
    pub found: String,
    pub expected: &'static str,
}

impl Permissions {
    /// Succeeds if every field has the grammar's form.
    pub fn check_form(&self) -> Result<(), PermissionForm> {
        if let Some(kv) = &self.kv {
            let label = |text: &str| text == ANY || is_name(text.strip_suffix('*').unwrap_or(text));
            each("kv.labels", &kv.labels, "1 to 64 of `[a-z0-9-]`", label)?;
        }
        if let Some(tasks) = &self.tasks {
            let kind = |text: &str| text == ANY || is_name(text);
            each("tasks.kinds", &tasks.kinds, "1 to 64 of `[a-z0-9-]`", kind)?;
        }
        if let Some(files) = &self.files {
            each("files.read", &files.read, GLOB, is_glob)?;
            each("files.write", &files.write, GLOB, is_glob)?;
        }
        if let Some(process) = &self.process {
            each("process.programs", &process.programs, "a name, an absolute path or `*`", is_program)?;
            each("process.env", &process.env, "a variable's name", |text| !text.contains(['=', '*']))?;
        }
        if let Some(http) = &self.http {
            each("http.hosts", &http.hosts, "`host:port`", is_host_and_port)?;
            each("http.methods", &http.methods, "an upper-case method", |text| {
                text.bytes().all(|byte| byte.is_ascii_uppercase())
            })?;
            each("http.paths", &http.paths, "a plain prefix that starts with `/`", is_path_prefix)?;
        }
        if let Some(secrets) = &self.secrets {
            let names: Vec<String> = secrets.uses.iter().map(|one| one.name.clone()).collect();
            let hosts: Vec<String> = secrets.uses.iter().map(|one| one.host.clone()).collect();
            each("secrets.use.name", &names, "1 to 64 of `[a-z0-9-]`", is_name)?;
            each("secrets.use.host", &hosts, "`host:port`", is_host_and_port)?;
        }
        Ok(())
    }
}

const GLOB: &str = "a glob inside the workspace, of names, `*`, `?` and `**`";

fn each(
    path: &'static str,
    entries: &[String],
    expected: &'static str,
    fits: impl Fn(&str) -> bool,
) -> Result<(), PermissionForm> {
    if entries.len() > ENTRIES_MAX {
        let found = format!("{} entries", entries.len());
        return Err(PermissionForm { path, found, expected: "at most 64 entries" });
    }
    let wrong = |text: &&String| {
        text.is_empty() || text.len() > TEXT_BYTES_MAX || text.chars().any(char::is_control) || !fits(text)
    };
    match entries.iter().find(wrong) {
        Some(found) => {
            Err(PermissionForm { path, found: found.escape_default().take(100).collect(), expected })
        }
        None => Ok(()),
    }
}

/// True of 1 to 64 of `[a-z0-9-]`: labels, kinds, secrets, namespaces.
pub(crate) fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(plain)
}

/// Parts between `/` that are each a name and not a step to elsewhere.
fn are_plain_parts(text: &str) -> bool {
    text.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

fn is_glob(text: &str) -> bool {
    let stars = |part: &str| part == "**" || !part.contains("**");
    are_plain_parts(text) && text.split('/').all(stars) && !text.contains(['\\', '{', '}', '[', ']'])
}

fn is_program(text: &str) -> bool {
    match text.strip_prefix('/') {
        Some(rest) => are_plain_parts(rest) && !text.contains('*'),
        None => {
            text == ANY || (are_plain_parts(text) && !text.contains(['/', '*']) && !text.starts_with('-'))
        }
    }
}

/// `host:port`, in the one spelling of its port; `*.` may stand in front.
fn is_host_and_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let number: u16 = port.parse().unwrap_or_default();
    let six = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let host_fits = match six {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok_and(|read| read.to_string() == address),
        None => host.strip_prefix("*.").unwrap_or(host).split('.').all(is_host_label),
    };
    number != 0 && number.to_string() == port && host.len() <= HOST_BYTES_MAX && host_fits
}

fn is_host_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// No dot segments, also not percent-encoded, and nothing that ends a path.
fn is_path_prefix(text: &str) -> bool {
    let plain = |part: &str| !matches!(part, "." | "..");
    text.starts_with('/')
        && !text.contains("//")
        && text.split('/').all(plain)
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && !text.contains(['%', '?', '#', '\\', '*', '"'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, malformed: Option<&str>) {
        let permissions: Permissions = serde_json::from_str(json).unwrap();
        let found = permissions.check_form().err().map(|found| found.path);
        assert_eq!(found, malformed, "{json}");
    }

    #[test]
    fn a_glob_stays_inside_the_workspace_and_has_one_spelling() {
        for good in ["**", "**/*.py", "src/a.rs", "a/*/b?.txt", ".github/**", "..a", "a..b"] {
            check(&format!(r#"{{"files":{{"read":["{good}"]}}}}"#), None);
            check(&format!(r#"{{"files":{{"write":["{good}"]}}}}"#), None);
        }
        let bad = [
            "", "../x", "/etc", "a/../b", "a/..", "./a", "a//b", "a/", "a**b", "***", "{a,../b}", "[a]",
            "a\\\\b", "a\\u0000", "a\\u001b",
        ];
        for bad in bad {
            check(&format!(r#"{{"files":{{"read":["{bad}"]}}}}"#), Some("files.read"));
            check(&format!(r#"{{"files":{{"write":["{bad}"]}}}}"#), Some("files.write"));
        }
        check(&format!(r#"{{"files":{{"read":["{}"]}}}}"#, "a".repeat(1024)), None);
        check(&format!(r#"{{"files":{{"read":["{}"]}}}}"#, "a".repeat(1025)), Some("files.read"));
        let entries = |count: usize| vec![r#""a""#; count].join(",");
        check(&format!(r#"{{"files":{{"read":[{}]}}}}"#, entries(64)), None);
        check(&format!(r#"{{"files":{{"read":[{}]}}}}"#, entries(65)), Some("files.read"));
    }

    #[test]
    fn a_program_is_a_name_or_a_plain_absolute_path() {
        for good in ["sh", "python3.12", "g++", "/usr/bin/git", "*", "..."] {
            check(&format!(r#"{{"process":{{"programs":["{good}"]}}}}"#), None);
        }
        for bad in
            ["bin/sh", "./sh", "..", ".", "-c", "/bin/../sh", "//sh", "/", "/bin/*", "py*", "s\\u0007h"]
        {
            check(&format!(r#"{{"process":{{"programs":["{bad}"]}}}}"#), Some("process.programs"));
        }
        check(r#"{"process":{"programs":["sh"],"env":["HOME"]}}"#, None);
        for bad in ["A=B", "*", ""] {
            check(&format!(r#"{{"process":{{"programs":[],"env":["{bad}"]}}}}"#), Some("process.env"));
        }
    }

    #[test]
    fn a_host_has_one_spelling_and_a_port() {
        let json = |host: &str| format!(r#"{{"http":{{"hosts":["{host}"],"methods":[],"paths":[]}}}}"#);
        for good in ["a.example:443", "*.a.example:1", "127.0.0.1:65535", "[::1]:80", "localhost:80"] {
            check(&json(good), None);
        }
        for bad in [
            "a",
            "a:",
            "a:0",
            "a:+443",
            "a:0443",
            "a:65536",
            ":443",
            "*:443",
            "a.*.b:1",
            "a..b:1",
            "u@a:1",
            "a b:1",
            "[::01]:80",
            "-a:1",
            "http://a:1",
        ] {
            check(&json(bad), Some("http.hosts"));
        }
    }

    #[test]
    fn paths_methods_names_and_secrets_are_plain() {
        let paths = |path: &str| format!(r#"{{"http":{{"hosts":[],"methods":["GET"],"paths":["{path}"]}}}}"#);
        for good in ["/", "/v1/", "/v1", "/~a/b.c"] {
            check(&paths(good), None);
        }
        for bad in ["v1", "/v1/../admin", "/v1/%2e%2e/admin", "/v1/./", "//evil", "/a?b", "/a#b", "/a b"] {
            check(&paths(bad), Some("http.paths"));
        }
        check(r#"{"http":{"hosts":[],"methods":["get"],"paths":[]}}"#, Some("http.methods"));
        check(r#"{"kv":{"labels":["a-1","b*","*"],"bytes":1}}"#, None);
        check(r#"{"kv":{"labels":["A"],"bytes":1}}"#, Some("kv.labels"));
        check(r#"{"kv":{"labels":["a*b"],"bytes":1}}"#, Some("kv.labels"));
        check(r#"{"tasks":{"kinds":["shell","*"]}}"#, None);
        check(r#"{"tasks":{"kinds":["sh*"]}}"#, Some("tasks.kinds"));
        check(r#"{"secrets":{"use":[{"name":"key","host":"a.example:443"}]}}"#, None);
        check(r#"{"secrets":{"use":[{"name":"Key","host":"a.example:443"}]}}"#, Some("secrets.use.name"));
        check(r#"{"secrets":{"use":[{"name":"key","host":"a\u001b"}]}}"#, Some("secrets.use.host"));
    }
}
