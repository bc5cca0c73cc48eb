//! What two permissions have in common.
//!
//! In -> out: a granted [`Permissions`] and one that narrows it -> what is left.
//! Invariant: what comes back lies within the granted one, and each permission that the other names lies within that
//! one too. Entries of which neither contains the other are dropped.
//! Not here: who may narrow (`grant.rs`).

use super::Permissions;
use super::within::{covers_any, covers_glob, covers_host, covers_path, covers_prefix};

impl Permissions {
    /// What is left when `narrow` is applied: a permission that it names is cut down to what both have, one that it
    /// does not name stays. Both are well formed.
    pub fn narrowed(&self, narrow: &Self) -> Self {
        let mut kept = self.clone();
        if let (Some(kv), Some(bound)) = (&mut kept.kv, &narrow.kv) {
            kv.labels = both(&kv.labels, &bound.labels, covers_prefix);
            kv.bytes = kv.bytes.min(bound.bytes);
        }
        if let (Some(tasks), Some(bound)) = (&mut kept.tasks, &narrow.tasks) {
            tasks.read &= bound.read;
            tasks.add = tasks.add.min(bound.add);
            tasks.kinds = both(&tasks.kinds, &bound.kinds, covers_any);
        }
        if let (Some(files), Some(bound)) = (&mut kept.files, &narrow.files) {
            files.read = both(&files.read, &bound.read, covers_glob);
            files.write = both(&files.write, &bound.write, covers_glob);
        }
        if let (Some(process), Some(bound)) = (&mut kept.process, &narrow.process) {
            process.programs = both(&process.programs, &bound.programs, covers_any);
            process.env = both(&process.env, &bound.env, covers_any);
            process.network &= bound.network;
        }
        if let (Some(http), Some(bound)) = (&mut kept.http, &narrow.http) {
            http.hosts = both(&http.hosts, &bound.hosts, covers_host);
            http.methods = both(&http.methods, &bound.methods, covers_any);
            http.paths = both(&http.paths, &bound.paths, covers_path);
        }
        if let (Some(secrets), Some(bound)) = (&mut kept.secrets, &narrow.secrets) {
            secrets.uses.retain(|one| bound.uses.contains(one));
        }
        if let (Some(wasi), Some(bound)) = (&mut kept.wasi, &narrow.wasi) {
            wasi.clocks &= bound.clocks;
            wasi.random &= bound.random;
            wasi.http_types &= bound.http_types;
        }
        kept
    }
}

/// Entries of either list that an entry of the other one contains, each once.
pub(crate) fn both(one: &[String], other: &[String], covers: fn(&str, &str) -> bool) -> Vec<String> {
    let inside = |entry: &&String, list: &[String]| list.iter().any(|outer| covers(outer, entry));
    let mut common: Vec<String> = one.iter().filter(|entry| inside(entry, other)).cloned().collect();
    for entry in other.iter().filter(|entry| inside(entry, one)) {
        if !common.contains(entry) {
            common.push(entry.clone());
        }
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(granted: &str, narrow: &str, left: &str) {
        let read = |json: &str| serde_json::from_str::<Permissions>(json).unwrap();
        assert_eq!(read(granted).narrowed(&read(narrow)), read(left), "{granted} narrowed by {narrow}");
    }

    #[test]
    fn what_is_named_is_cut_down_and_the_rest_stays() {
        let files = r#"{"log":{},"files":{"read":["src/**","docs/**"],"write":["out/**"]}}"#;
        check(files, "{}", files);
        check(
            files,
            r#"{"files":{"read":["src/a/**"],"write":["**"]}}"#,
            r#"{"log":{},"files":{"read":["src/a/**"],"write":["out/**"]}}"#,
        );
        check(files, r#"{"files":{"read":["etc/**"]}}"#, r#"{"log":{},"files":{"read":[],"write":[]}}"#);
        let process = r#"{"process":{"programs":["sh","git"],"env":["HOME"],"network":true}}"#;
        check(process, r#"{"process":{"programs":["git","rm"]}}"#, r#"{"process":{"programs":["git"]}}"#);
        check(process, r#"{"process":{"programs":["*"]}}"#, r#"{"process":{"programs":["sh","git"]}}"#);
        check(r#"{"log":{}}"#, process, r#"{"log":{}}"#);
        check(
            r#"{"http":{"hosts":["a.b:1","c.b:1"],"methods":["GET","POST"],"paths":["/v1/"]}}"#,
            r#"{"http":{"hosts":["a.b:1","x.y:1"],"methods":["GET"],"paths":["/v1/read/","/v2/"]}}"#,
            r#"{"http":{"hosts":["a.b:1"],"methods":["GET"],"paths":["/v1/read/"]}}"#,
        );
        check(
            r#"{"wasi":{"random":true,"clocks":true}}"#,
            r#"{"wasi":{"random":true}}"#,
            r#"{"wasi":{"random":true}}"#,
        );
        check(
            r#"{"tasks":{"read":true,"add":9,"kinds":["a","b"]},"kv":{"labels":["x","y1"],"bytes":9}}"#,
            r#"{"tasks":{"read":true,"add":3,"kinds":["a","c"]},"kv":{"labels":["y*"],"bytes":5}}"#,
            r#"{"tasks":{"read":true,"add":3,"kinds":["a"]},"kv":{"labels":["y1"],"bytes":5}}"#,
        );
        check(
            r#"{"secrets":{"use":[{"name":"a","host":"h:1"},{"name":"b","host":"h:1"}]}}"#,
            r#"{"secrets":{"use":[{"name":"a","host":"h:1"},{"name":"b","host":"other:1"}]}}"#,
            r#"{"secrets":{"use":[{"name":"a","host":"h:1"}]}}"#,
        );
    }
}
