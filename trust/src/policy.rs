//! The operator's policy: what may be granted at most, and what never runs.
//!
//! In -> out: text of `policy.toml` -> [`Policy`].
//! Invariant: what is not allowed by the most exact entry is not allowed: a plugin's own entry replaces its
//! namespace's, that one replaces the default, and without any of them nothing is granted.
//! Not here: the intersection with what a plugin asks (`grant.rs`), what is around programs (`policy/sandbox.rs`).

mod sandbox;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;

use serde::Deserialize;

use crate::authority::{AuthorityError, Level, malformed};
use crate::digest::Sha256Digest;
use crate::level::decided;
use crate::name::PluginId;
use crate::permission::text::is_name;
use crate::permission::{
    HttpPermission, HttpRule, PermissionForm, Permissions, ProcessPermission, SecretUse, SecretsPermission,
    Side,
};

pub use sandbox::{GitAccess, SandboxMode, SandboxPolicy, SandboxPreset};

/// `policy.toml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Folders with packages, relative to the operator's folder.
    pub packages: Vec<String>,
    /// Which certificate is enough.
    pub minimum_level: MinimumLevel,
    /// How many certificates are enough.
    pub certificates: CertificatesPolicy,
    /// For plugins that nothing else names.
    pub default: Allowance,
    /// By namespace, without `/`.
    pub namespaces: BTreeMap<String, Allowance>,
    /// By plugin id.
    pub plugins: BTreeMap<PluginId, Allowance>,
    pub deny: Deny,
    pub tasks: TasksPolicy,
    pub serve: ServePolicy,
    pub worker: WorkerPolicy,
    pub egress: EgressPolicy,
    pub sandbox: SandboxPolicy,
}

/// The level that `minimum_level` names; `local` unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct MinimumLevel(#[serde(deserialize_with = "decided")] pub Level);

impl Default for MinimumLevel {
    fn default() -> Self {
        Self(Level::Local)
    }
}

/// How many certifiers must agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CertificatesPolicy {
    pub threshold: NonZeroU32,
    /// Certifiers of different owners are counted, not keys.
    pub independent: bool,
    /// Whether a host has its own certifier look again at what is bound, before a certificate ends.
    pub renew: Option<Renewal>,
}

/// Who certifies again by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Renewal {
    /// The certifier of this machine, which `init --starter` made.
    Starter,
}

impl Default for CertificatesPolicy {
    fn default() -> Self {
        Self { threshold: NonZeroU32::MIN, independent: false, renew: None }
    }
}

/// What may be granted at most, and what a provider may be asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Allowance {
    pub allow: Permissions,
    /// Of what other plugins may hold: what this one may answer them.
    pub provide: Permissions,
}

/// What never runs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Deny {
    /// Of any file of a package.
    pub digests: Vec<Sha256Digest>,
    /// Key ids of publishers and certifiers.
    pub keys: Vec<Sha256Digest>,
    pub ids: Vec<PluginId>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TasksPolicy {
    /// Plugins whose tasks of that kind need no approval, though their executor has effects.
    pub auto: Vec<AutoTasks>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServePolicy {
    /// Services that answer without a token, though their grant lets them change something.
    pub public: Vec<PluginId>,
}

/// What this host does for brokers: nothing, unless it is said.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkerPolicy {
    pub allow: WorkerAllowance,
}

/// Programs that tasks of a broker may start here, and brokers that may be asked for tasks.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkerAllowance {
    pub process: Option<ProcessPermission>,
    pub http: Option<HttpPermission>,
}

/// How requests of plugins go out, whatever rules allow them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EgressPolicy {
    /// `http://host:port`: names are looked up by this proxy. Addresses that a rule writes out are reached without it.
    pub proxy: Option<String>,
    /// PEM, besides the platform's roots; absolute, or relative to the operator's folder.
    pub ca_file: Option<PathBuf>,
    /// At once, of one plugin.
    pub connections: NonZeroU32,
    /// Of one call.
    pub requests: NonZeroU32,
    /// Of one request's body, in MiB.
    pub sent_mib: NonZeroU32,
    /// Of one answer's body, in MiB.
    pub received_mib: NonZeroU32,
}

impl Default for EgressPolicy {
    fn default() -> Self {
        let some = |number: u32| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Self {
            proxy: None,
            ca_file: None,
            connections: some(16),
            requests: some(1000),
            sent_mib: some(64),
            received_mib: some(64),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AutoTasks {
    pub plugin: PluginId,
    pub kind: String,
}

impl Policy {
    pub fn parse(text: &str) -> Result<Self, AuthorityError> {
        let policy: Self = toml::from_str(text).map_err(|error| malformed(&error))?;
        if let Some(found) = policy.namespaces.keys().find(|namespace| !is_namespace(namespace)) {
            let message = format!("`namespaces` has `{}`, expected one without `/`", found.escape_default());
            return Err(AuthorityError::Malformed { message });
        }
        let named = policy.namespaces.values().chain(policy.plugins.values());
        for Allowance { allow, provide } in named.chain([&policy.default]) {
            let wrong = |error: PermissionForm| AuthorityError::Malformed { message: error.to_string() };
            allow.check_form(Side::Allowing).map_err(wrong)?;
            provide.check_form(Side::Allowing).map_err(wrong)?;
            if let Some(found) = provide.domains().into_iter().find(|domain| !domain.is_provided()) {
                let message = format!("`provide` has `{}`, which no plugin provides", found.as_str());
                return Err(AuthorityError::Malformed { message });
            }
        }
        let WorkerAllowance { process, http } = policy.worker.allow.clone();
        let of_worker = Permissions { process, http, ..Permissions::default() };
        let wrong =
            |error: PermissionForm| AuthorityError::Malformed { message: format!("`worker.allow`: {error}") };
        of_worker.check_form(Side::Allowing).map_err(wrong)?;
        if let Some(found) = policy.tasks.auto.iter().find(|auto| !is_name(&auto.kind)) {
            let message = format!("`tasks.auto` has the kind `{}`", found.kind.escape_default());
            return Err(AuthorityError::Malformed { message });
        }
        policy.sandbox.check()?;
        Ok(policy)
    }

    /// What this plugin may be granted, and which table of `policy.toml` says so.
    pub fn allowed(&self, id: &PluginId) -> (&Permissions, String) {
        let (found, table) = self.of(id);
        (&found.allow, format!("{table}.allow"))
    }

    /// What this plugin may be asked for as a provider, and which table of `policy.toml` says so.
    pub fn provided(&self, id: &PluginId) -> (&Permissions, String) {
        let (found, table) = self.of(id);
        (&found.provide, format!("{table}.provide"))
    }

    /// The most exact entry.
    fn of(&self, id: &PluginId) -> (&Allowance, String) {
        if let Some(found) = self.plugins.get(id) {
            return (found, format!("plugins.\"{id}\""));
        }
        if let Some(found) = self.namespaces.get(id.namespace()) {
            return (found, format!("namespaces.{}", id.namespace()));
        }
        (&self.default, "default".to_owned())
    }

    /// What the table of that very plugin allows and it does not ask for: nobody gets it.
    pub fn unasked(&self, id: &PluginId, asked: &Permissions) -> Vec<String> {
        let allowed = self.plugins.get(id).and_then(|found| found.allow.process.as_ref());
        allowed.map_or_else(Vec::new, |allowed| allowed.unasked(&asked.process.clone().unwrap_or_default()))
    }

    /// True if tasks of that kind which that plugin makes need no approval, though their executor has effects.
    pub fn starts_unasked(&self, plugin: &PluginId, kind: &str) -> bool {
        self.tasks.auto.iter().any(|auto| auto.plugin == *plugin && auto.kind == kind)
    }
}

/// Lines of a policy that allow a plugin what it asks for and no more. Where it asks for all programs that the
/// operator names, `PROGRAM` stands for one to be named; for all variables, what most programs want; `host.invalid:443`, which
/// leads nowhere, for each host. What programs reach is left to the operator.
pub fn entry_for(id: &PluginId, asked: &Permissions) -> String {
    entry_naming(id, asked, &["PROGRAM".to_owned()])
}

/// The same with these programs named.
pub fn entry_naming(id: &PluginId, asked: &Permissions, programs: &[String]) -> String {
    let env = ["HOME", "LANG", "PATH"].map(str::to_owned).into();
    let program = ProcessPermission { programs: programs.to_owned(), env, network: Vec::new() };
    const HOST: &str = "host.invalid:443";
    let host = || vec![HOST.to_owned()];
    let rules = asked.http.iter().flat_map(|http| &http.rules);
    let rules = rules.map(|rule| HttpRule { hosts: host(), ..rule.clone() }).collect();
    let uses = asked.secrets.iter().flat_map(|secrets| &secrets.uses);
    let uses = uses.map(|one| SecretUse { name: one.name.clone(), host: HOST.to_owned() }).collect();
    let named = Permissions {
        process: Some(program),
        http: Some(HttpPermission { rules }),
        secrets: Some(SecretsPermission { uses }),
        ..Permissions::default()
    };
    let asked = asked.named(&named, None);
    // Texts, numbers and lists of them: there is no value here that TOML lacks.
    let table = toml::Table::try_from(&asked).unwrap_or_default();
    let lines: Vec<String> = table.into_iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
    format!("[plugins.\"{id}\".allow]\n{}", lines.concat())
}

/// True if a plugin can have that namespace.
fn is_namespace(text: &str) -> bool {
    PluginId::parse(&format!("{text}/x")).is_ok_and(|id| id.namespace() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_exact_entry_counts_and_nothing_is_allowed_by_default() {
        let policy = Policy::parse(
            "[namespaces.demo.allow]\nlog = {}\n[plugins.\"demo/shell\".allow]\nprocess = { programs = [\"python3\"] }\n",
        )
        .unwrap();
        let allowed = |id: &str| policy.allowed(&PluginId::parse(id).unwrap()).0.lines().join("; ");
        assert_eq!(allowed("demo/x"), "log: write lines into the host's log");
        assert_eq!(allowed("demo/shell"), "process: RUN python3");
        assert_eq!(allowed("other/x"), "");
        assert_eq!(policy.minimum_level.0, Level::Local);
    }

    #[test]
    fn what_a_plugin_provides_is_said_beside_what_it_holds() {
        let text = "[plugins.\"demo/n\".allow]\nlog = {}\n[plugins.\"demo/n\".provide]\nnotify = { channels = [\"ops\"] }\n\
                    [namespaces.demo.provide]\nnotify = { channels = [\"*\"] }\n";
        let policy = Policy::parse(text).unwrap();
        let provided = |id: &str| {
            let (found, table) = policy.provided(&PluginId::parse(id).unwrap());
            (found.lines().join("; "), table)
        };
        assert_eq!(
            provided("demo/n"),
            ("notify: send notices to ops".to_owned(), "plugins.\"demo/n\".provide".to_owned())
        );
        assert_eq!(
            provided("demo/m"),
            ("notify: send notices to *".to_owned(), "namespaces.demo.provide".to_owned())
        );
        assert_eq!(provided("other/m"), (String::new(), "default.provide".to_owned()));
        assert_eq!(policy.allowed(&PluginId::parse("demo/m").unwrap()).0.lines(), Vec::<String>::new());
    }

    #[test]
    fn an_entry_allows_what_is_asked_and_no_more() {
        let id = PluginId::parse("demo/x").unwrap();
        let asked: Permissions = serde_json::from_str(
            r#"{"log":{},"kv":{"labels":["a"],"bytes":9},"files":{"read":["**/*.md","a'\"b"]},"tasks":{"add":2,"kinds":["note"]},"wasi":{"clocks":true}}"#,
        )
        .unwrap();
        let policy = Policy::parse(&entry_for(&id, &asked)).unwrap();
        assert_eq!(*policy.allowed(&id).0, asked);
        assert_eq!(policy.plugins.len(), 1);
        let asked: Permissions = serde_json::from_str(r#"{"process":{"programs":["*"]}}"#).unwrap();
        let policy = Policy::parse(&entry_for(&id, &asked)).unwrap();
        assert_eq!(policy.allowed(&id).0.lines(), ["process: RUN PROGRAM"]);
        let asked: Permissions =
            serde_json::from_str(r#"{"process":{"programs":["sh"],"env":["*"]}}"#).unwrap();
        let policy = Policy::parse(&entry_for(&id, &asked)).unwrap();
        assert_eq!(policy.allowed(&id).0.lines(), ["process: RUN sh", "process: hand on HOME, LANG, PATH"]);
        let asked: Permissions = serde_json::from_str(
            r#"{"http":[{"hosts":["*"],"methods":["POST"],"paths":["/"]}],"secrets":{"use":[{"name":"a","host":"*"}]}}"#,
        )
        .unwrap();
        let policy = Policy::parse(&entry_for(&id, &asked)).unwrap();
        let lines = policy.allowed(&id).0.lines();
        assert_eq!(
            lines,
            ["http: POST https://host.invalid:443 below /", "secrets: use a for host.invalid:443"]
        );
    }

    #[test]
    fn whoever_wrote_that_there_is_a_network_is_told_how_it_is_written_now() {
        for word in ["true", "false"] {
            let text = format!("[default.allow]\nprocess = {{ programs = [\"ls\"], network = {word} }}\n");
            let said = Policy::parse(&text).unwrap_err().to_string();
            assert!(
                said.contains("`network` a list of `host:port`, such as `[\"example.com:443\"]`"),
                "{said}"
            );
            assert!(said.contains("at line 2"), "{said}");
        }
        assert!(Policy::parse("[default.allow]\nprocess = { programs = [], network = [1] }\n").is_err());
    }

    #[test]
    fn what_is_allowed_and_not_asked_for_is_known() {
        let policy = Policy::parse(
            "[default.allow]\nprocess = { programs = [\"ls\"] }\n[plugins.\"demo/x\".allow]\nprocess = { programs = [\"sh\", \"git\"], env = [\"HOME\", \"PATH@sh\"], network = [\"a.b:443\"] }\n",
        )
        .unwrap();
        let unasked = |id: &str, asked: &str| {
            policy.unasked(&PluginId::parse(id).unwrap(), &serde_json::from_str(asked).unwrap())
        };
        assert_eq!(
            unasked("demo/x", r#"{"process":{"programs":["*"],"env":["*"],"network":["*"]}}"#),
            Vec::<String>::new()
        );
        assert_eq!(
            unasked("demo/x", r#"{"process":{"programs":["sh"],"env":["HOME"],"network":["c.b:443"]}}"#),
            ["process.programs = git", "process.env = PATH@sh", "process.network = a.b:443"]
        );
        assert_eq!(unasked("demo/x", "{}").len(), 5);
        assert_eq!(unasked("demo/y", "{}"), Vec::<String>::new(), "what is for all is not for this one");
    }

    #[test]
    fn unknown_fields_and_malformed_permissions_are_refused() {
        for text in [
            "allow_all = true",
            "[default.allow]\nshell = {}",
            "minimum_level = \"none\"",
            "minimum_level = \"development\"",
            "[default.allow.files]\nread = [\"../x\"]",
            "[default.allow.process]\nprograms = [\"*\"]",
            "[namespaces.\"demo/\".allow]\nlog = {}",
            "[namespaces.orch.allow]\nlog = {}",
            "[plugins.\"demo\".allow]\nlog = {}",
            "[plugins.\"demo/x\".provide]\nkv = { labels = [\"a\"], bytes = 1 }",
            "[plugins.\"demo/x\".provide.notify]\nchannels = [\"Ops\"]",
            "[tasks]\nauto = [{ plugin = \"demo/x\", kind = \"*\" }]",
            "[deny]\nkeys = [\"short\"]",
        ] {
            assert!(Policy::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn tasks_start_unasked_for_the_named_plugin_and_kind_only() {
        let policy = Policy::parse("[tasks]\nauto = [{ plugin = \"demo/x\", kind = \"shell\" }]\n").unwrap();
        let starts = |id: &str, kind: &str| policy.starts_unasked(&PluginId::parse(id).unwrap(), kind);
        assert!(starts("demo/x", "shell"));
        assert!(!starts("demo/y", "shell") && !starts("demo/x", "note"));
    }
}
