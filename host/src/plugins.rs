//! Packages found, chosen and admitted.
//!
//! In -> out: folders and what the workspace binds -> every bound plugin admitted, and the pins of a run; or the first
//! refusal.
//! Invariant: everything that the workspace binds is admitted before any of it is compiled.
//! Not here: the trust checks (`orch-trust`), compiling and roles (`plugins/workbench.rs`).

mod notices;
mod offered;
pub mod providers;
mod secrets;
mod workbench;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use orch_journal::event::PluginPin;
use orch_task::FileTask;
use orch_task::keys::nearest;
use orch_trust::admission::{Rules, explain};
use orch_trust::evidence::{Admitted, Compilable};
use orch_trust::lock::Lock;
use orch_trust::manifest::Role;
use orch_trust::name::PluginId;
use orch_trust::package::PackageBytes;
use orch_trust::time::UnixSeconds;

use crate::capability::provided::DEPTH_MAX;
use crate::config::workspace::WorkspaceConfig;
use crate::drive::offers::ExecutorOffer;
use crate::engine::{CallError, CompileError, EngineError};
use crate::package::{self, PackageError};
use crate::parallel;
use crate::plugin_settings;
use crate::role::Binding;
use crate::told::{Told, ToldError, check_task};

pub(crate) use notices::is_ending;
pub use notices::{notices, warnings_of};
pub use workbench::Workbench;

/// Code of a provider that the operator does not let be one, or not any more.
pub const PROVIDER_NOT_ALLOWED: &str = "provider-not-allowed";

/// Why plugins are not ready to run.
#[derive(Debug, thiserror::Error)]
pub enum PluginsError {
    #[error("package `{folder}` of plugin `{id}` is refused")]
    Refused {
        id: String,
        folder: PathBuf,
        #[source]
        source: Box<PackageError>,
    },
    #[error("plugin `{id}` is not in any package folder")]
    NotFound { id: String, searched: Vec<PathBuf> },
    #[error("`config.yaml` binds no planner")]
    NoPlanner,
    #[error("`config.yaml` binds `{id}` as {role}, its manifest has no such role")]
    NotThatRole { id: String, role: &'static str },
    #[error("`config.yaml` binds `{id}` to kind `{kind}`, its manifest has no such kind")]
    NotThatKind { id: String, kind: String },
    #[error("`config.yaml` binds `{id}` as provider of `{interface}`, which it does not provide")]
    NotThatInterface { id: String, interface: String },
    #[error(
        "`config.yaml` binds `{id}` as provider of `{interface}`, which `{table}` in `policy.toml` does not allow"
    )]
    ProviderNotAllowed { id: String, interface: String, table: String },
    #[error("`config.yaml` binds providers {}: {chain}", ask_how(*is_circle))]
    ProvidersAsk { chain: String, is_circle: bool },
    #[error("`config.yaml` has `notify.{ending}` with channel `{}`, {}", channel.escape_default(), served(provider.as_deref()))]
    NoSuchChannel { ending: &'static str, channel: String, provider: Option<String> },
    #[error("`{id}` may use secret `{name}`, which `secrets.toml` does not define")]
    SecretUndefined { id: String, name: String },
    #[error("`config.yaml` names `{found}`, which is no plugin id")]
    NotAnId { found: String },
    #[error("{place} has settings of `{id}`{}: {what}", of_key(key))]
    Settings { id: String, place: String, key: String, what: String },
    #[error("{place} has settings of `{}`, {why}", id.escape_default())]
    SettingsUnread { id: String, place: String, why: String },
    #[error("{place} narrows `{id}`, which it binds nowhere{near}")]
    NarrowUnread { id: String, place: String, near: String },
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Compile(#[from] CompileError),
    #[error(transparent)]
    Link(#[from] CallError),
}

impl PluginsError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused { source, .. } => source.code(),
            Self::NotFound { .. } => "plugin-not-found",
            Self::NoPlanner => "no-planner",
            Self::NotThatRole { .. } => "not-that-role",
            Self::NotThatKind { .. } => "not-that-kind",
            Self::NotThatInterface { .. } => "not-that-interface",
            Self::ProviderNotAllowed { .. } => PROVIDER_NOT_ALLOWED,
            Self::NoSuchChannel { .. } => "notify-channel",
            Self::SecretUndefined { .. } => "secret-undefined",
            Self::ProvidersAsk { is_circle: true, .. } => "providers-circle",
            Self::ProvidersAsk { .. } => "providers-depth",
            Self::NotAnId { .. } => "plugin-id",
            Self::Settings { .. } => "plugin-settings",
            Self::SettingsUnread { .. } => "settings-unread",
            Self::NarrowUnread { .. } => "narrow-unread",
            Self::Engine(_) => "engine",
            Self::Compile(error) => error.code(),
            Self::Link(error) => error.code(),
        }
    }

    /// What the operator can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Refused { source, .. } => return refusal_hint(source.code(), source.hint()),
            Self::NotFound { searched, .. } => {
                let searched: Vec<String> =
                    searched.iter().map(|folder| format!("`{}`", folder.display())).collect();
                format!(
                    "searched {}; `orch-host plugin add DIR` copies a package into the operator's folder",
                    searched.join(", ")
                )
            }
            Self::NoPlanner => "under `roles:` in `config.yaml` write `planner: NAMESPACE/NAME`, one that \
                                `orch-host plugin list` shows; `orch-host init --starter` sets up a workspace with those of a release, \
                                `orch-plugin new NAME --role planner` makes one, `orch-host plugin add SOURCE` adds it"
                .to_owned(),
            Self::NotThatRole { id, .. } | Self::NotThatKind { id, .. } => {
                format!(
                    "`orch-host plugin list` shows the plugins, the manifest of `{id}` its roles and kinds"
                )
            }
            Self::NotThatInterface { id, .. } => {
                format!("`orch-host plugin inspect PACKAGE` shows what `{id}` exports")
            }
            Self::ProviderNotAllowed { id, interface, .. } => format!(
                "`{}` under `[plugins.\"{id}\".provide]` in `policy.toml` lets it; that table of a plugin replaces what its \
                 namespace has, `allow` too",
                providers::entry_for(interface)
            ),
            Self::NoSuchChannel { provider: None, .. } => {
                "write `providers: {notify: NAMESPACE/NAME}` into `config.yaml`, or take `notify` out".to_owned()
            }
            Self::NoSuchChannel { provider: Some(id), .. } => format!(
                "the channels that it may serve stand in `provide` of `{id}` in `policy.toml` of the operator's folder"
            ),
            Self::ProvidersAsk { .. } => {
                "bind others under `providers:`, or take one out; what asks for it is told that it is unavailable"
                    .to_owned()
            }
            Self::NotAnId { .. } => {
                "a plugin id is `NAMESPACE/NAME`, as `orch-host plugin list` shows".to_owned()
            }
            Self::Settings { id, .. } => format!(
                "`orch-host plugin inspect PACKAGE --format json` shows the `settingsSchema` of `{id}`, all that its \
                 settings may say"
            ),
            Self::SettingsUnread { .. } => {
                "correct the id, or take the settings out; keys of a task stand at the task".to_owned()
            }
            Self::NarrowUnread { .. } => "correct the id, or take it out of `narrow`".to_owned(),
            Self::SecretUndefined { name, .. } => format!(
                "into `secrets.toml` in the operator's folder write `[secrets.{name}]` and below it `env = \"VARIABLE\"`, \
                 `file = \"/path\"` or `program = [\"/path\"]`; or narrow what it may use: `secrets.use` in `config.yaml`"
            ),
            Self::Link(error) => return error.hint(),
            Self::Engine(_) | Self::Compile(_) => return None,
        })
    }
}

fn served(provider: Option<&str>) -> String {
    match provider {
        None => "and binds no provider of notices".to_owned(),
        Some(id) => format!("which `{id}` may not be asked for"),
    }
}

fn ask_how(is_circle: bool) -> String {
    match is_circle {
        true => "of which each asks the next, in a circle".to_owned(),
        false => format!("of which more than {DEPTH_MAX} ask one beneath the other"),
    }
}

/// The hint of a refusal with that code; where time decided, with this machine's time, which may be the one that is wrong.
pub fn refusal_hint(code: &str, hint: Option<String>) -> Option<String> {
    if !code.ends_with("-not-yet") && !code.ends_with("-expired") {
        return hint;
    }
    let now = crate::clock::now();
    let clock = format!("this machine's clock says {now}; set it, if that is wrong");
    Some(hint.map_or_else(|| clock.clone(), |hint| format!("{hint}; {clock}")))
}

/// A package in a folder, not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub id: PluginId,
    pub version: semver::Version,
    pub folder: PathBuf,
}

/// Packages under these folders, `NAMESPACE/NAME/VERSION/`, sorted; the first folder that has a version counts.
/// The names are those of the folders; what the manifests say is checked when they are read.
pub fn discover(folders: &[PathBuf]) -> Vec<Found> {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let plugins = folders.iter().flat_map(|root| entries(root)).flat_map(|namespace| entries(&namespace));
    let id =
        |plugin: PathBuf| PluginId::parse(&format!("{}/{}", name(plugin.parent()?)?, name(&plugin)?)).ok();
    let ids: BTreeSet<PluginId> = plugins.filter_map(id).collect();
    ids.iter().flat_map(|id| versions(folders, id)).collect()
}

/// The same of one plugin.
pub(crate) fn versions(folders: &[PathBuf], id: &PluginId) -> Vec<Found> {
    let mut found: BTreeMap<semver::Version, PathBuf> = BTreeMap::new();
    for folder in folders.iter().flat_map(|root| entries(&root.join(id.to_string()))) {
        let number = folder.file_name().map(|name| semver::Version::parse(&name.to_string_lossy()));
        if let Some(Ok(number)) = number {
            found.entry(number).or_insert(folder);
        }
    }
    found.into_iter().map(|(version, folder)| Found { id: id.clone(), version, folder }).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()).collect();
    found.sort();
    found
}

/// The package of a plugin that counts: the locked version if one is locked, else the highest.
pub fn choose<'a>(found: &'a [Found], id: &PluginId, rules: &Rules) -> Option<&'a Found> {
    let locked = rules.lock.plugins.get(id).map(|pin| &pin.version);
    let versions = || found.iter().filter(|package| package.id == *id);
    versions()
        .find(|package| Some(&package.version) == locked)
        .or_else(|| versions().max_by_key(|package| &package.version))
}

/// Reads a package and checks that it is the one that its folder says.
pub fn read(found: &Found) -> Result<PackageBytes, PackageError> {
    let package = package::read(&found.folder)?;
    let manifest = package.parse_manifest()?;
    let (expected, is) =
        (format!("{} {}", found.id, found.version), format!("{} {}", manifest.id, manifest.version));
    match expected == is {
        true => Ok(package),
        false => Err(orch_trust::refusal::Refusal::OtherPlugin { expected, found: is }.into()),
    }
}

/// Every plugin that the workspace binds, and what an operator should hear about them.
pub struct AdmittedPlugins {
    pub by_id: BTreeMap<String, Admitted>,
    /// The bytes that were admitted, signatures included, to be judged again while they run.
    pub packages: BTreeMap<String, PackageBytes>,
    /// What each of them reads as its settings, a JSON object.
    pub settings: BTreeMap<String, Arc<str>>,
    /// Certificates in the last fifth of their life.
    pub ending: Vec<(String, UnixSeconds)>,
    /// What the trust root's lists say that keeps nothing from running.
    pub warnings: Vec<String>,
    /// How many providers are asked one beneath the other.
    pub provider_depth: u32,
    /// What plugins may ask for and nobody provides.
    pub unprovided: Vec<String>,
}

impl AdmittedPlugins {
    /// True if one of them may start programs.
    pub fn starts_programs(&self) -> bool {
        self.by_id.values().any(|plugin| plugin.grant().permissions().process.is_some())
    }

    /// One of them as far as it may be told what to run; none for one that starts no program.
    pub fn told(&self, id: &str, workspace: &WorkspaceConfig, folder: &Path) -> Option<Told> {
        let plugin = self.by_id.get(id)?;
        let narrow = workspace.narrow.get(&plugin.manifest().id);
        Told::of(plugin, narrow.is_some_and(|narrow| narrow.process.is_some()), folder)
    }

    /// Fails for a variable of `config.yaml` that a plugin which starts programs is not granted.
    pub fn check_env(&self, workspace: &WorkspaceConfig, folder: &Path) -> Result<(), ToldError> {
        let told = self.by_id.keys().filter_map(|id| self.told(id, workspace, folder));
        match workspace.env.is_empty() {
            true => Ok(()),
            false => told.into_iter().try_for_each(|told| told.check_env("`config.yaml`", &workspace.env)),
        }
    }

    /// Fails for what these tasks say that their executors are not granted.
    pub fn check_told(
        &self,
        workspace: &WorkspaceConfig,
        folder: &Path,
        tasks: &[FileTask],
    ) -> Result<(), ToldError> {
        let offers = self.offers(workspace).executors;
        let told = offers.values().map(|offer| (&*offer.id, self.told(&offer.id, workspace, folder)));
        let told: BTreeMap<&str, Option<Told>> = told.collect();
        tasks.iter().try_for_each(|found| match offers.get(found.task.kind.as_str()) {
            Some(ExecutorOffer { id, task_keys, .. }) => {
                check_task(told.get(&**id).and_then(Option::as_ref), id, task_keys, found)
            }
            None => Ok(()),
        })
    }

    /// Those that the workspace did not pin.
    pub fn unpinned(&self, lock: &Lock) -> impl Iterator<Item = &Admitted> {
        self.by_id.values().filter(|plugin| !lock.plugins.contains_key(&plugin.manifest().id))
    }
}

/// Every plugin that the workspace binds, admitted.
pub fn admit_bound(
    workspace: &WorkspaceConfig,
    folders: &[PathBuf],
    rules: &Rules,
    now: UnixSeconds,
) -> Result<AdmittedPlugins, PluginsError> {
    let bound = workspace.roles.ids();
    // Signatures and digests of all bytes: most of what a start takes.
    let looked = parallel::map(&bound, |text| look_at(text, folders, rules, now));
    let (mut admitted, mut packages) = (BTreeMap::new(), BTreeMap::new());
    let (mut ending, mut warnings) = (Vec::new(), Vec::new());
    for (text, looked) in bound.into_iter().zip(looked) {
        let Looked { bytes, plugin, valid_until, said } = looked?;
        if let Some(until) = valid_until.filter(|until| is_ending(plugin.trust(), *until, now)) {
            ending.push((text.clone(), until));
        }
        for warning in said {
            warnings.extend((!warnings.contains(&warning)).then_some(warning));
        }
        packages.insert(text.clone(), bytes);
        admitted.insert(text, plugin);
    }
    check_bindings(workspace, &admitted)?;
    let provider_depth = providers::check(workspace, &admitted, &rules.policy)?;
    let settings = settings(workspace, &admitted)?;
    let unprovided = providers::missing(workspace, &admitted);
    Ok(AdmittedPlugins { by_id: admitted, packages, settings, ending, warnings, provider_depth, unprovided })
}

/// A plugin that may run.
struct Looked {
    bytes: PackageBytes,
    plugin: Admitted,
    valid_until: Option<UnixSeconds>,
    said: Vec<String>,
}

/// The package of one id that is bound, read and judged.
fn look_at(text: &str, folders: &[PathBuf], rules: &Rules, now: UnixSeconds) -> Result<Looked, PluginsError> {
    let id = PluginId::parse(text).map_err(|_| PluginsError::NotAnId { found: text.to_owned() })?;
    let found = versions(folders, &id);
    let package = choose(&found, &id, rules)
        .ok_or_else(|| PluginsError::NotFound { id: text.to_owned(), searched: folders.to_vec() })?;
    let refused = |source: PackageError| PluginsError::Refused {
        id: text.to_owned(),
        folder: package.folder.clone(),
        source: Box::new(source),
    };
    let bytes = read(package).map_err(refused)?;
    let steps = explain(&bytes, rules, now);
    let said = warnings_of(&steps, text);
    let plugin = steps.outcome.map_err(|(_, refusal)| refused(refusal.into()))?;
    Ok(Looked { bytes, plugin, valid_until: steps.valid_until, said })
}

fn check_bindings(
    workspace: &WorkspaceConfig,
    admitted: &BTreeMap<String, Admitted>,
) -> Result<(), PluginsError> {
    if workspace.roles.of(Role::Planner).next().is_none() {
        return Err(PluginsError::NoPlanner);
    }
    for Binding { role, key, id } in workspace.roles.all() {
        let manifest = admitted.get(id).map(Admitted::manifest);
        if !manifest.is_some_and(|manifest| manifest.roles.contains(role)) {
            return Err(PluginsError::NotThatRole { id: id.clone(), role: role.as_str() });
        }
        if *role == Role::Executor && !manifest.is_some_and(|manifest| manifest.kinds.contains(key)) {
            return Err(PluginsError::NotThatKind { id: id.clone(), kind: key.clone() });
        }
    }
    Ok(())
}

/// What each plugin reads as its settings: what is written, with the defaults of its schema.
fn settings(
    workspace: &WorkspaceConfig,
    admitted: &BTreeMap<String, Admitted>,
) -> Result<BTreeMap<String, Arc<str>>, PluginsError> {
    for id in workspace.settings.keys() {
        let why = match admitted.get(id).map(Admitted::manifest) {
            None => format!("which it binds nowhere{}", nearest_bound(id, admitted)),
            Some(manifest) if manifest.reads_settings() => continue,
            Some(_) => "which reads none: its manifest does not ask for `settings`".to_owned(),
        };
        let place = workspace.place_of_setting(id, &[]);
        return Err(PluginsError::SettingsUnread { id: id.clone(), place, why });
    }
    if let Some(id) = workspace.narrow.keys().map(PluginId::to_string).find(|id| !admitted.contains_key(id)) {
        let (place, near) = (workspace.place_of_narrowing(&id), nearest_bound(&id, admitted));
        return Err(PluginsError::NarrowUnread { id, place, near });
    }
    let nothing = serde_json::Map::new();
    let read = |(id, plugin): (&String, &Admitted)| {
        let written = workspace.settings.get(id).unwrap_or(&nothing);
        let filled =
            plugin_settings::filled(&plugin.manifest().settings_schema, written).map_err(|wrong| {
                let place = workspace.place_of_setting(id, &wrong.path);
                PluginsError::Settings { id: id.clone(), place, key: wrong.key(), what: wrong.what }
            })?;
        Ok((id.clone(), serde_json::Value::Object(filled).to_string().into()))
    };
    admitted.iter().map(read).collect()
}

/// With what stands before it; nothing if nothing is near.
fn nearest_bound(id: &str, admitted: &BTreeMap<String, Admitted>) -> String {
    let bound: Vec<&str> = admitted.keys().map(String::as_str).collect();
    nearest(id, &bound).map(|near| format!("; the nearest that it binds is `{near}`")).unwrap_or_default()
}

fn of_key(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!(", at `{key}`") }
}

/// What a run writes down about its plugins, sorted by id.
pub fn pins(admitted: &BTreeMap<String, Admitted>) -> Vec<PluginPin> {
    let pin = |plugin: &Admitted| PluginPin {
        id: plugin.manifest().id.to_string(),
        version: plugin.manifest().version.to_string(),
        roles: plugin.manifest().roles.iter().map(|role| role.as_str().to_owned()).collect(),
        component: plugin.component_digest().to_string(),
        trust: plugin.trust().as_str().to_owned(),
    };
    admitted.values().map(pin).collect()
}
