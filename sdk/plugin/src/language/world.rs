//! The world of a plugin in another language: what its manifest asks for, and nothing more.
//!
//! In -> out: what `plugin.json` says -> [`Narrow`]: the text of a world, and whether WASI is linked.
//! Invariant: such a toolchain imports the whole world that it is shown, so an import that is not asked for is not in it.
//! Not here: which permission opens what (`orch-trust`'s `interfaces.rs`).

use std::fs;
use std::path::Path;

use orch_trust::interfaces::{Import, ImportRule, import_rule, newest_export};
use orch_trust::manifest::Role;
use orch_trust::permission::{Permissions, Side};
use serde::Deserialize;

use super::{Language, LanguageError, alias};
use crate::carried;
use crate::pack::AUTHORED;

/// The world's name, in a package of its own.
pub const WORLD: &str = "narrow";
const LOG: &str = "orch:log/log@0.1.0";
const HTTP: &str = "wasi:http/outgoing-handler@0.2.12";
const HTTP_TYPES: &str = "wasi:http/types@0.2.12";
const RANDOM: &str = "wasi:random/random@0.2.12";

/// What of `plugin.json` a build goes by; the rest was judged before.
#[derive(Debug, Deserialize)]
pub struct Asked {
    pub id: String,
    pub version: semver::Version,
    #[serde(default)]
    pub license: String,
    pub roles: Vec<Role>,
    #[serde(default)]
    pub permissions: Permissions,
}

/// A world that has what is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Narrow {
    pub text: String,
    pub has_log: bool,
    /// Its engine speaks to WASI; else every function of it ends the call.
    pub has_wasi: bool,
    /// It has interfaces of WASI besides, under another name (`alias.rs`).
    pub has_alias: bool,
    /// Where random numbers of JavaScript come from, as the toolchain is shown it.
    pub random: Option<String>,
}

impl Asked {
    /// Of the project in that folder.
    ///
    /// # Errors
    /// `Io`, `Manifest`.
    pub fn read(project: &Path) -> Result<Self, LanguageError> {
        let path = project.join(AUTHORED);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(source) => return Err(LanguageError::Io { path, source }),
        };
        serde_json::from_slice(&text)
            .map_err(|error| LanguageError::Manifest { path, message: error.to_string() })
    }

    /// The plugin's name, without its namespace.
    pub fn name(&self) -> &str {
        self.id.split('/').next_back().unwrap_or_default()
    }

    /// The world that the plugin is built for.
    ///
    /// # Errors
    /// `Permission`, `HalfWasi`, `Manifest`.
    pub fn world(&self, language: Language) -> Result<Narrow, LanguageError> {
        self.permissions
            .check_form(Side::Asking)
            .map_err(|error| LanguageError::Manifest { path: AUTHORED.into(), message: error.to_string() })?;
        let opens = |import: &str| self.permissions.open(Import(import));
        let has_http = opens(HTTP);
        let is_service = self.roles.contains(&Role::Service);
        if opens(HTTP_TYPES) && !has_http && !is_service {
            return Err(LanguageError::Permission { language, permission: "wasi.http_types" });
        }
        // What is asked for by itself: types of requests bring clocks along, which no engine needs for them.
        let clocks = self.permissions.wasi.as_ref().is_some_and(|wasi| wasi.clocks);
        let random = opens(RANDOM);
        let has_wasi = match language {
            Language::Python if clocks != random => return Err(LanguageError::HalfWasi { language }),
            Language::Python | Language::JavaScript => clocks,
        };
        // QuickJS takes its own numbers from what is inert.
        let draws = (language == Language::JavaScript && random).then(|| alias::import(RANDOM));
        let imports: Vec<&str> = capabilities()
            .filter(|import| import.starts_with("orch:"))
            .filter(|import| matches!(import_rule(import), ImportRule::Needs(_)) && opens(import))
            .collect();
        let exports = self.roles.iter().map(|role| match role {
            Role::Service => format!("  export {};\n", alias::import(&export(*role))),
            role => format!("  export {};\n", export(*role)),
        });
        let http = has_http.then(|| alias::import(HTTP));
        let types = is_service.then(|| alias::import(HTTP_TYPES));
        let has_alias = http.is_some() || types.is_some() || draws.is_some();
        let aliases = [http, types, draws.clone()].into_iter().flatten();
        let aliases = aliases.map(|import| format!("  import {import};\n"));
        let own = imports.iter().map(|import| format!("  import {import};\n"));
        let lines: String = own.chain(aliases).chain(exports).collect();
        let types = "  import orch:types/types@0.1.0;\n";
        let text = format!("package local:plugin;\n\nworld {WORLD} {{\n{types}{lines}}}\n");
        Ok(Narrow { text, has_log: imports.contains(&LOG), has_wasi, has_alias, random: draws })
    }
}

/// The interface that a role exports, as worlds name it.
pub(super) fn export(role: Role) -> String {
    newest_export(role, "notify")
}

/// Everything that a plugin of any role may import.
fn capabilities() -> impl Iterator<Item = &'static str> {
    let worlds = carried::WIT.iter().find(|(path, _)| *path == "worlds.wit").map_or("", |(_, text)| *text);
    let world = worlds.split("world capabilities {").nth(1).and_then(|rest| rest.split('}').next());
    let lines = world.unwrap_or_default().lines();
    lines.filter_map(|line| line.trim().strip_prefix("import ")?.strip_suffix(';'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn world(
        language: Language,
        roles: &[&str],
        permissions: serde_json::Value,
    ) -> Result<Narrow, &'static str> {
        let asked =
            json!({ "id": "acme/hello", "version": "0.1.0", "roles": roles, "permissions": permissions });
        let asked: Asked = serde_json::from_value(asked).unwrap();
        asked.world(language).map_err(|error| error.code())
    }

    #[test]
    fn a_world_has_what_is_asked_for_and_nothing_more() {
        let narrow =
            world(Language::Python, &["executor"], json!({ "log": {}, "files": { "read": ["**"] } }))
                .unwrap();
        let lines: Vec<&str> =
            narrow.text.lines().filter(|line| line.starts_with("  ")).map(str::trim).collect();
        assert_eq!(
            lines,
            [
                "import orch:types/types@0.1.0;",
                "import orch:files/files@0.1.0;",
                "import orch:log/log@0.1.0;",
                "export orch:executor/executor@0.1.0;"
            ]
        );
        assert!(narrow.has_log && !narrow.has_wasi);
        for (role, export) in
            [("planner", "orch:planner/planner@0.1.0"), ("provider", "orch:notify/provide@0.1.0")]
        {
            let narrow = world(Language::Python, &[role], json!({})).unwrap();
            assert!(narrow.text.contains(&format!("  export {export};\n")), "{}", narrow.text);
        }
        let bare = world(Language::JavaScript, &["verifier", "guard"], json!({})).unwrap();
        assert!(!bare.has_log && bare.text.contains("guard") && !bare.text.contains("log"), "{}", bare.text);
    }

    #[test]
    fn what_an_engine_cannot_have_is_refused_by_name() {
        let http = json!({ "http": [{ "hosts": ["a.example:443"], "methods": ["GET"], "paths": ["/"] }] });
        for language in Language::ALL {
            let serves = world(language, &["service"], json!({ "wasi": { "http_types": true } })).unwrap();
            for line in ["import w4si:http/types@0.2.11;", "export w4si:http/incoming-handler@0.2.11;"] {
                assert!(
                    serves.has_alias && !serves.has_wasi && serves.text.contains(line),
                    "{}",
                    serves.text
                );
            }
            let asks = world(language, &["executor"], http.clone()).unwrap();
            assert!(
                asks.has_alias && asks.text.contains("  import w4si:http/outgoing-handler@0.2.11;\n"),
                "{}",
                asks.text
            );
            assert!(!asks.text.contains("wasi:"), "{}", asks.text);
            let secrets = json!({ "secrets": { "use": [{ "name": "token", "host": "a.example:443" }] } });
            assert!(
                world(language, &["executor"], secrets).unwrap().text.contains("orch:secrets/secrets@0.1.0")
            );
            let types = json!({ "wasi": { "http_types": true } });
            assert_eq!(world(language, &["executor"], types), Err("language-permission"));
            let mut clocks = http.clone();
            clocks["wasi"] = json!({ "clocks": true, "random": language == Language::Python });
            let both = world(language, &["executor"], clocks).unwrap();
            assert!(both.has_alias && both.has_wasi);
        }
        let wasi = |permissions| json!({ "wasi": permissions });
        let both = wasi(json!({ "clocks": true, "random": true }));
        assert!(world(Language::Python, &["executor"], both.clone()).unwrap().has_wasi);
        let drawn = world(Language::JavaScript, &["executor"], both).unwrap();
        assert!(drawn.has_wasi && drawn.text.contains("import w4si:random/random@0.2.11;"), "{}", drawn.text);
        let drawn = world(Language::JavaScript, &["executor"], wasi(json!({ "random": true }))).unwrap();
        assert!(!drawn.has_wasi && drawn.random.is_some());
        let clocks = wasi(json!({ "clocks": true }));
        assert_eq!(world(Language::Python, &["executor"], clocks.clone()), Err("language-half-wasi"));
        assert!(world(Language::JavaScript, &["executor"], clocks).unwrap().has_wasi);
    }
}
