//! What contains what: the one comparison of the grammar.
//!
//! In -> out: two [`Permissions`] -> nothing, or the first excess of the inner one.
//! Invariant: conservative; two texts that might mean the same and are not plainly contained are an excess. The inner
//! one passed `check_form`, so no text in it has a second meaning.
//! Not here: which bounds there are (`grant.rs`).

use super::{ANY, Permissions, SecretsPermission};

/// A permission that goes beyond what contains it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{path} = {asked}` goes beyond `{allowed}`")]
pub struct PermissionExcess {
    /// Where in the grammar: `process.programs`.
    pub path: String,
    pub asked: String,
    /// What would contain it: the bound, or `nothing`.
    pub allowed: String,
}

impl Permissions {
    /// Succeeds if nothing here goes beyond `outer`; the one rule for manifests, maxima, policies and approvals.
    pub fn within(&self, outer: &Self) -> Result<(), PermissionExcess> {
        flag("log", self.log.is_some(), outer.log.is_some())?;
        flag("settings", self.settings.is_some(), outer.settings.is_some())?;
        flag("findings", self.findings.is_some(), outer.findings.is_some())?;
        flag("metrics", self.metrics.is_some(), outer.metrics.is_some())?;
        if let Some(kv) = &self.kv {
            let bound = outer.kv.as_ref().ok_or_else(|| nothing("kv", &kv.labels))?;
            list("kv.labels", &kv.labels, &bound.labels, covers_prefix)?;
            number("kv.bytes", kv.bytes, bound.bytes)?;
        }
        if let Some(tasks) = &self.tasks {
            let bound = outer.tasks.as_ref().ok_or_else(|| nothing("tasks", &tasks.kinds))?;
            flag("tasks.read", tasks.read, bound.read)?;
            number("tasks.add", tasks.add.into(), bound.add.into())?;
            list("tasks.kinds", &tasks.kinds, &bound.kinds, covers_any)?;
        }
        if let Some(files) = &self.files {
            let all: Vec<String> = files.read.iter().chain(&files.write).cloned().collect();
            let bound = outer.files.as_ref().ok_or_else(|| nothing("files", &all))?;
            list("files.read", &files.read, &bound.read, covers_glob)?;
            list("files.write", &files.write, &bound.write, covers_glob)?;
        }
        if let Some(process) = &self.process {
            let bound = outer.process.as_ref().ok_or_else(|| nothing("process", &process.programs))?;
            list("process.programs", &process.programs, &bound.programs, covers_any)?;
            list("process.env", &process.env, &bound.env, covers_any)?;
            flag("process.network", process.network, bound.network)?;
        }
        if let Some(http) = &self.http {
            let bound = outer.http.as_ref().ok_or_else(|| nothing("http", &http.hosts))?;
            list("http.hosts", &http.hosts, &bound.hosts, covers_host)?;
            list("http.methods", &http.methods, &bound.methods, covers_any)?;
            list("http.paths", &http.paths, &bound.paths, covers_path)?;
        }
        if let Some(secrets) = &self.secrets {
            let names = secrets.entries();
            let bound = outer.secrets.as_ref().ok_or_else(|| nothing("secrets", &names))?;
            list("secrets.use", &names, &bound.entries(), covers_same)?;
        }
        if let Some(wasi) = &self.wasi {
            let bound = outer.wasi.clone().unwrap_or_default();
            flag("wasi.clocks", wasi.clocks, bound.clocks)?;
            flag("wasi.random", wasi.random, bound.random)?;
            flag("wasi.http_types", wasi.http_types, bound.http_types)?;
        }
        Ok(())
    }
}

fn excess(path: &str, asked: impl ToString, allowed: impl ToString) -> PermissionExcess {
    PermissionExcess { path: path.to_owned(), asked: asked.to_string(), allowed: allowed.to_string() }
}

fn nothing(path: &str, asked: &[String]) -> PermissionExcess {
    excess(path, format!("[{}]", asked.join(", ")), "nothing")
}

fn flag(path: &str, asked: bool, allowed: bool) -> Result<(), PermissionExcess> {
    match asked && !allowed {
        true => Err(excess(path, "true", "nothing")),
        false => Ok(()),
    }
}

fn number(path: &str, asked: u64, allowed: u64) -> Result<(), PermissionExcess> {
    match asked > allowed {
        true => Err(excess(path, asked, allowed)),
        false => Ok(()),
    }
}

/// Every entry must lie in one entry of the bound.
fn list(
    path: &str,
    asked: &[String],
    bound: &[String],
    covers: fn(&str, &str) -> bool,
) -> Result<(), PermissionExcess> {
    match asked.iter().find(|entry| !bound.iter().any(|outer| covers(outer, entry))) {
        Some(entry) => Err(excess(path, entry, format!("[{}]", bound.join(", ")))),
        None => Ok(()),
    }
}

pub(crate) fn covers_any(outer: &str, inner: &str) -> bool {
    outer == inner || outer == ANY
}

pub(crate) fn covers_prefix(outer: &str, inner: &str) -> bool {
    outer == inner || outer.strip_suffix('*').is_some_and(|prefix| inner.starts_with(prefix))
}

/// `**` covers everything; `folder/**` covers what lies below that folder, if the folder is written out; else equal.
pub(crate) fn covers_glob(outer: &str, inner: &str) -> bool {
    match outer.strip_suffix("**") {
        Some("") => true,
        Some(folder) if folder.ends_with('/') && !folder.contains(['*', '?', '[', '{']) => {
            inner.starts_with(folder)
        }
        _ => outer == inner,
    }
}

pub(crate) fn covers_host(outer: &str, inner: &str) -> bool {
    let (outer, inner) = (outer.to_ascii_lowercase(), inner.to_ascii_lowercase());
    match outer.strip_prefix("*.") {
        Some(parent) => {
            inner.split_once('.').is_some_and(|(label, rest)| rest == parent && !label.is_empty())
        }
        None => outer == inner,
    }
}

pub(crate) fn covers_path(outer: &str, inner: &str) -> bool {
    inner.starts_with(outer)
}

fn covers_same(outer: &str, inner: &str) -> bool {
    outer == inner
}

impl SecretsPermission {
    /// Each use as one text, to compare.
    fn entries(&self) -> Vec<String> {
        self.uses.iter().map(|one| format!("{} for {}", one.name, one.host)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permissions(json: &str) -> Permissions {
        serde_json::from_str(json).unwrap()
    }

    #[track_caller]
    fn check(inner: &str, outer: &str, excess: Option<&str>) {
        let found = permissions(inner).within(&permissions(outer)).err().map(|found| found.path);
        assert_eq!(found.as_deref(), excess, "{inner} within {outer}");
    }

    #[test]
    fn nothing_goes_beyond_its_bound() {
        check("{}", "{}", None);
        check(r#"{"log":{}}"#, "{}", Some("log"));
        check(r#"{"log":{}}"#, r#"{"log":{}}"#, None);
        check(r#"{"kv":{"labels":["a"],"bytes":5}}"#, r#"{"kv":{"labels":["a*"],"bytes":5}}"#, None);
        check(
            r#"{"kv":{"labels":["b"],"bytes":5}}"#,
            r#"{"kv":{"labels":["a*"],"bytes":5}}"#,
            Some("kv.labels"),
        );
        check(
            r#"{"kv":{"labels":["a"],"bytes":6}}"#,
            r#"{"kv":{"labels":["a"],"bytes":5}}"#,
            Some("kv.bytes"),
        );
        check(
            r#"{"kv":{"labels":["a*"],"bytes":5}}"#,
            r#"{"kv":{"labels":["a"],"bytes":5}}"#,
            Some("kv.labels"),
        );
        check(r#"{"tasks":{"read":true}}"#, r#"{"tasks":{"add":3}}"#, Some("tasks.read"));
        check(
            r#"{"tasks":{"add":4,"kinds":["note"]}}"#,
            r#"{"tasks":{"add":3,"kinds":["*"]}}"#,
            Some("tasks.add"),
        );
        check(
            r#"{"tasks":{"add":3,"kinds":["shell"]}}"#,
            r#"{"tasks":{"add":3,"kinds":["note"]}}"#,
            Some("tasks.kinds"),
        );
        check(r#"{"files":{"read":["src/**/*.py"]}}"#, r#"{"files":{"read":["src/**"]}}"#, None);
        check(r#"{"files":{"read":["srcs/x"]}}"#, r#"{"files":{"read":["src/**"]}}"#, Some("files.read"));
        check(r#"{"files":{"write":["a"]}}"#, r#"{"files":{"read":["**"]}}"#, Some("files.write"));
        check(r#"{"files":{"read":["**/*.py"]}}"#, r#"{"files":{"read":["**"]}}"#, None);
        check(r#"{"files":{"read":["**"]}}"#, r#"{"files":{"read":["**/*.py"]}}"#, Some("files.read"));
        check(
            r#"{"process":{"programs":["sh"]}}"#,
            r#"{"process":{"programs":["python3"]}}"#,
            Some("process.programs"),
        );
        check(
            r#"{"process":{"programs":["sh"],"network":true}}"#,
            r#"{"process":{"programs":["sh"]}}"#,
            Some("process.network"),
        );
        let http = |host: &str| format!(r#"{{"http":{{"hosts":["{host}"],"methods":[],"paths":[]}}}}"#);
        check(&http("api.example.com:443"), &http("*.example.com:443"), None);
        check(&http("a.b.example.com:443"), &http("*.example.com:443"), Some("http.hosts"));
        check(&http("example.com:443"), &http("*.example.com:443"), Some("http.hosts"));
        check(&http("API.EXAMPLE.COM:443"), &http("*.example.com:443"), None);
        check(r#"{"wasi":{"random":true}}"#, "{}", Some("wasi.random"));
    }
}
