//! The permission grammar: one shape for a manifest, a namespace's maximum, a policy and error text.
//!
//! In -> out: JSON or TOML -> [`Permissions`]; the name of an import -> which domain's it is, and what opens it.
//! Units: bytes, entries; an absent field asks for nothing.
//! Invariant: everything that is true of one domain stands in its file; [`Domain`] has no security-relevant method
//! with a default, and the list at the end of this file ties them: what is not in it is unknown everywhere.
//! Not here: rules of single fields (`permission/rule.rs`), forms of texts (`permission/text.rs`), what an operator
//! allows (`policy.rs`), the intersection (`grant.rs`), enforcement (`orch-host`'s `capability`).

mod artifacts;
mod control;
mod diff;
mod embed;
mod files;
mod findings;
mod git;
mod http;
mod kv;
mod llm;
mod log;
mod metrics;
mod network;
mod notify;
mod process;
mod retrieve;
mod rule;
mod secrets;
mod settings;
mod tasks;
pub(crate) mod text;
mod vectors;
mod wasi;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::import::Import;
use crate::role::Role;

pub use artifacts::ArtifactsPermission;
pub use control::ControlPermission;
pub use diff::DiffPermission;
pub use embed::EmbedPermission;
pub use files::FilesPermission;
pub use findings::FindingsPermission;
pub use git::GitPermission;
pub use http::{HttpHost, HttpPermission, HttpRule, HttpScheme, HttpTarget, TargetError};
pub use kv::KvPermission;
pub use llm::LlmPermission;
pub use log::LogPermission;
pub use metrics::MetricsPermission;
pub use network::NetworkTarget;
pub use notify::NotifyPermission;
pub use process::ProcessPermission;
pub use retrieve::RetrievePermission;
pub use rule::{PermissionExcess, PermissionForm, Side};
pub use secrets::{SecretUse, SecretsPermission};
pub use settings::SettingsPermission;
pub use tasks::TasksPermission;
pub use vectors::VectorsPermission;
pub use wasi::WasiPermission;
pub(crate) use wasi::is_inert;

/// Stands for everything of its kind where the grammar allows it.
pub const ANY: &str = "*";

/// What a permission can do beyond the host's own store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Nothing: what it writes is kept with a good answer or vanishes.
    None,
    /// It uses something up: tokens, money. Done twice it costs twice and changes nothing.
    Spending,
    /// It changes something outside. An attempt that ends after it without an answer is in doubt.
    Changing,
}

/// Everything that is true of one permission, with the interfaces that belong to it.
///
/// The methods of the second group come from `fields!`, which destructures the type: a field without a rule does not
/// compile. Nor does a domain that leaves one out, say whether it has effects:
///
/// ```compile_fail,E0046
/// use orch_trust::interfaces::Import;
/// use orch_trust::manifest::Role;
/// use orch_trust::permission::{Domain, Effect, PermissionExcess, PermissionForm, Side};
/// # #[derive(Clone, Default, PartialEq)]
/// struct Mail {}
/// impl Domain for Mail {
///     const NAME: &'static str = "mail";
///     const PROVIDED: bool = false;
///     fn interface(_: Import<'_>) -> Option<&'static str> { None }
///     fn opens(&self, _: Import<'_>) -> bool { false }
///     fn is_for(_: Role) -> bool { true }
///     fn beyond_nothing(&self) -> Result<(), PermissionExcess> { Ok(()) }
///     fn lines(&self) -> Vec<String> { Vec::new() }
///     fn check_form(&self, _: Side) -> Result<(), PermissionForm> { Ok(()) }
///     fn check_within(&self, _: &Self) -> Result<(), PermissionExcess> { Ok(()) }
///     fn narrow(&mut self, _: &Self) {}
///     fn name_programs(&mut self, _: &Self, _: Option<&Self>) {}
///     fn less(&self) -> Vec<(&'static str, Self)> { Vec::new() }
/// }
/// ```
pub trait Domain: Clone + Default + PartialEq {
    /// As a manifest writes it.
    const NAME: &'static str;
    /// What answers its interface is another plugin, one that exports `orch:NAME/provide`.
    const PROVIDED: bool;

    /// The permission, as a manifest writes it, that an import of this domain's own needs; `None`: not its own.
    fn interface(import: Import<'_>) -> Option<&'static str>;
    /// True if this permission opens that import, whosever it is.
    fn opens(&self, import: Import<'_>) -> bool;
    /// True if plugins of that role may import its interfaces.
    fn is_for(role: Role) -> bool;
    /// What it can do beyond the host's own store.
    fn effect(&self) -> Effect;
    /// What it leaves can be more than a line of a log: in the host's own store.
    fn keeps(&self) -> bool;
    /// Succeeds if nothing is asked for. Where the bound lacks the whole domain.
    fn beyond_nothing(&self) -> Result<(), PermissionExcess>;
    /// For people: each thing that it allows.
    fn lines(&self) -> Vec<String>;

    /// Succeeds if every field has the form that it has on that side.
    fn check_form(&self, side: Side) -> Result<(), PermissionForm>;
    /// Succeeds if every part of it lies in `outer`.
    fn check_within(&self, outer: &Self) -> Result<(), PermissionExcess>;
    /// Cuts it down to what `to` has too.
    fn narrow(&mut self, to: &Self);
    /// Puts what the operator names, as far as the maximum has it, in the place of what stands for that.
    fn name_programs(&mut self, operators: &Self, maximum: Option<&Self>);
    /// Everything that is less by one field, with the field's path: what a permission probe tries.
    fn less(&self) -> Vec<(&'static str, Self)>;

    /// Which of its permissions no import of these uses, as a manifest writes them.
    fn unused(&self, imports: &[Import<'_>]) -> Vec<&'static str> {
        match imports.iter().any(|import| Self::interface(*import).is_some()) {
            true => Vec::new(),
            false => vec![Self::NAME],
        }
    }
}

/// The list of domains: [`Permissions`] with a field each, [`DomainName`] with a variant each, and every question to
/// all of them.
macro_rules! domains {
    ($($(#[$about:meta])* $field:ident: $Name:ident($Permission:ty),)+) => {
        /// What one plugin asks for, or what somebody allows.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct Permissions {
            $($(#[$about])*
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub $field: Option<$Permission>,)+
        }

        /// A domain by its place in the list. Who has something to say of each domain matches on it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum DomainName {
            $($Name,)+
        }

        impl DomainName {
            pub const ALL: &'static [Self] = &[$(Self::$Name),+];

            /// As a manifest writes it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$Name => <$Permission>::NAME,)+
                }
            }

            /// True if a plugin of the role `provider` answers its interface.
            pub fn is_provided(self) -> bool {
                match self {
                    $(Self::$Name => <$Permission>::PROVIDED,)+
                }
            }

            /// True if plugins of that role may import its interfaces.
            pub fn is_for(self, role: Role) -> bool {
                match self {
                    $(Self::$Name => <$Permission>::is_for(role),)+
                }
            }

            /// Whose import this is, with the permission that it needs as a manifest writes it.
            pub(crate) fn of_import(import: Import<'_>) -> Option<(Self, &'static str)> {
                $(if let Some(permission) = <$Permission>::interface(import) {
                    return Some((Self::$Name, permission));
                })+
                None
            }
        }

        impl Permissions {
            /// Succeeds if every field has the grammar's form for that side.
            pub fn check_form(&self, side: Side) -> Result<(), PermissionForm> {
                $(if let Some(found) = &self.$field {
                    found.check_form(side)?;
                })+
                Ok(())
            }

            /// Succeeds if everything here is also in `outer`.
            ///
            /// # Errors
            /// The first permission that is not.
            pub fn within(&self, outer: &Self) -> Result<(), PermissionExcess> {
                $(match (&self.$field, &outer.$field) {
                    (None, _) => {}
                    (Some(asked), Some(bound)) => asked.check_within(bound)?,
                    (Some(asked), None) => asked.beyond_nothing()?,
                })+
                Ok(())
            }

            /// What is left when `narrow` is applied: a permission that it names is cut down to what both have, one
            /// that it does not name stays. Both are well formed.
            pub fn narrowed(&self, narrow: &Self) -> Self {
                let mut kept = self.clone();
                $(if let (Some(kept), Some(bound)) = (&mut kept.$field, &narrow.$field) {
                    kept.narrow(bound);
                })+
                kept
            }

            /// With everything that stands for what the operator names as what `operators` names, and `maximum` too.
            pub(crate) fn named(&self, operators: &Self, maximum: Option<&Self>) -> Self {
                let mut named = self.clone();
                $(if let (Some(named), Some(operators)) = (&mut named.$field, &operators.$field) {
                    named.name_programs(operators, maximum.and_then(|maximum| maximum.$field.as_ref()));
                })+
                named
            }

            /// True if one of these permissions opens that import.
            pub fn open(&self, import: Import<'_>) -> bool {
                false $(|| self.$field.as_ref().is_some_and(|found| found.opens(import)))+
            }

            /// The most that they can do beyond the host's own store.
            pub fn effect(&self) -> Effect {
                Effect::None $(.max(self.$field.as_ref().map_or(Effect::None, Domain::effect)))+
            }

            /// Whoever reaches the plugin can change something by it.
            pub fn changes(&self) -> bool {
                self.effect() != Effect::None $(|| self.$field.as_ref().is_some_and(Domain::keeps))+
            }

            /// The domains that something is said of, in the order of the list.
            pub fn domains(&self) -> Vec<DomainName> {
                let mut found = Vec::new();
                $(found.extend(self.$field.is_some().then_some(DomainName::$Name));)+
                found
            }

            /// One line for each permission, for people.
            pub fn lines(&self) -> Vec<String> {
                let mut lines = Vec::new();
                $(lines.extend(self.$field.iter().flat_map(Domain::lines));)+
                lines
            }

            /// Everything that is less by one permission or by one field of one, with what was taken away; each once.
            pub fn less(&self) -> Vec<(&'static str, Self)> {
                let mut found: Vec<(&'static str, Self)> = Vec::new();
                $(if let Some(all) = &self.$field {
                    found.push((<$Permission>::NAME, Self { $field: None, ..self.clone() }));
                    for (path, less) in all.less() {
                        found.push((path, Self { $field: Some(less), ..self.clone() }));
                    }
                })+
                found
            }

            /// Permissions that no import of these uses, as a manifest writes them.
            pub fn unused(&self, imports: &[Import<'_>]) -> Vec<&'static str> {
                let mut unused = Vec::new();
                $(unused.extend(self.$field.iter().flat_map(|found| found.unused(imports)));)+
                unused
            }
        }
    };
}

domains! {
    /// Lines in the host's log: `orch:log`.
    log: Log(LogPermission),
    /// The plugin's settings: `orch:settings`.
    settings: Settings(SettingsPermission),
    /// Labelled byte stores: `orch:kv`.
    kv: Kv(KvPermission),
    /// The run's tasks: `orch:tasks`; also bounds what a reflector or auditor returns.
    tasks: Tasks(TasksPermission),
    /// Files inside the workspace: `orch:files`.
    files: Files(FilesPermission),
    /// Differences of texts: `orch:diff`.
    diff: Diff(DiffPermission),
    /// The workspace's repository, to be read: `orch:git`.
    git: Git(GitPermission),
    /// Programs of the host: `orch:process`.
    process: Process(ProcessPermission),
    /// Findings besides those a verifier returns: `orch:findings`.
    findings: Findings(FindingsPermission),
    /// Measured values: `orch:metrics`.
    metrics: Metrics(MetricsPermission),
    /// What calls made, kept with their results: `orch:artifacts`.
    artifacts: Artifacts(ArtifactsPermission),
    /// Runs of the workspace, started, stopped and seen: `orch:control`.
    control: Control(ControlPermission),
    /// Notices to people, which another plugin sends: `orch:notify`.
    notify: Notify(NotifyPermission),
    /// Models, asked through another plugin: `orch:llm`.
    llm: Llm(LlmPermission),
    /// Vectors of texts, asked through another plugin: `orch:embed`.
    embed: Embed(EmbedPermission),
    /// Passages that say something to a question, found by another plugin: `orch:retrieve`.
    retrieve: Retrieve(RetrievePermission),
    /// Passages with a vector each, in collections of the workspace: `orch:vectors`.
    vectors: Vectors(VectorsPermission),
    /// Outgoing HTTP, by rules: `wasi:http/outgoing-handler`.
    http: Http(HttpPermission),
    /// Secrets that a plugin uses and never sees: `orch:secrets`.
    secrets: Secrets(SecretsPermission),
    /// Interfaces of WASI 0.2.
    wasi: Wasi(WasiPermission),
}

impl Permissions {
    /// What of them a plugin has in that role.
    pub fn in_role(&self, role: Role) -> Self {
        Self { files: self.files.clone().map(|files| files.in_role(role)), ..self.clone() }
    }

    /// The same for requests to these hosts only, each as an operator names it; `named_by` says where they were named.
    pub fn at_hosts(&self, hosts: &[String], named_by: &'static str) -> Result<Self, PermissionForm> {
        http::check_hosts(named_by, hosts)?;
        let http = self.http.as_ref().map(|http| http.at(hosts));
        let secrets = self.secrets.as_ref().map(|secrets| secrets.at(hosts));
        Ok(Self { http, secrets, ..self.clone() })
    }
}

#[cfg(test)]
mod tests;
