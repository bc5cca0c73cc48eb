//! The world of a plugin in another language: what its manifest asks for, and nothing more.
//!
//! In -> out: what `plugin.json` says -> [`Narrow`]: the text of a world, and whether WASI is linked.
//! Invariant: such a toolchain imports the whole world that it is shown, so an import that is not asked for is not in it.
//! Not here: which permission opens what (`orch-trust`'s `interfaces.rs`).

use std::fs;
use std::path::Path;

use orch_trust::interfaces::{Import, ImportRule, import_rule};
use orch_trust::manifest::Role;
use orch_trust::permission::{Permissions, Side};
use serde::Deserialize;

use super::{Language, LanguageError, ROLES, alias};
use crate::carried;
use crate::pack::AUTHORED;

/// The world's name, in a package of its own.
pub const WORLD: &str = "narrow";
const LOG: &str = "orch:log/log@0.1.0";
const HTTP: &str = "wasi:http/outgoing-handler@0.2.12";

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
    /// It sends requests: its interfaces of WASI have another name (`alias.rs`).
    pub has_http: bool,
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
    /// `Role`, `Permission`, `HalfWasi`, `Manifest`.
    pub fn world(&self, language: Language) -> Result<Narrow, LanguageError> {
        if let Some(role) = self.roles.iter().find(|role| !ROLES.contains(role)) {
            return Err(LanguageError::Role { language, role: *role });
        }
        self.permissions
            .check_form(Side::Asking)
            .map_err(|error| LanguageError::Manifest { path: AUTHORED.into(), message: error.to_string() })?;
        let opens = |import: &str| self.permissions.open(Import(import));
        let has_http = opens(HTTP);
        if opens("wasi:http/types@0.2.12") && !has_http {
            return Err(LanguageError::Permission { language, permission: "wasi.http_types" });
        }
        let clocks = opens("wasi:clocks/wall-clock@0.2.12");
        let random = opens("wasi:random/random@0.2.12");
        // QuickJS takes its numbers from what is inert.
        let has_wasi = match language {
            Language::Python if clocks != random => return Err(LanguageError::HalfWasi { language }),
            Language::JavaScript if random => {
                return Err(LanguageError::Permission { language, permission: "wasi.random" });
            }
            Language::Python | Language::JavaScript => clocks,
        };
        if has_http && has_wasi {
            return Err(LanguageError::HttpWithClocks { language });
        }
        let imports: Vec<&str> = capabilities()
            .filter(|import| import.starts_with("orch:"))
            .filter(|import| matches!(import_rule(import), ImportRule::Needs(_)) && opens(import))
            .collect();
        let exports = self.roles.iter().map(|role| format!("  export {};\n", export(*role)));
        let http = has_http.then(|| format!("  import {};\n", alias::import(HTTP)));
        let own = imports.iter().map(|import| format!("  import {import};\n"));
        let lines: String = own.chain(http).chain(exports).collect();
        let types = "  import orch:types/types@0.1.0;\n";
        let text = format!("package local:plugin;\n\nworld {WORLD} {{\n{types}{lines}}}\n");
        Ok(Narrow { text, has_log: imports.contains(&LOG), has_wasi, has_http })
    }
}

/// The interface that a role exports, as worlds name it.
pub(super) fn export(role: Role) -> String {
    match role {
        Role::Provider => "orch:notify/provide@0.1.0".to_owned(),
        role => format!("orch:{0}/{0}@0.1.0", role.as_str()),
    }
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
            assert_eq!(world(language, &["service"], json!({})), Err("language-role"));
            let asks = world(language, &["executor"], http.clone()).unwrap();
            assert!(
                asks.has_http && asks.text.contains("  import w4si:http/outgoing-handler@0.2.12;\n"),
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
            assert_eq!(world(language, &["executor"], clocks), Err("language-http-clocks"));
        }
        let wasi = |permissions| json!({ "wasi": permissions });
        let both = wasi(json!({ "clocks": true, "random": true }));
        assert!(world(Language::Python, &["executor"], both.clone()).unwrap().has_wasi);
        assert_eq!(world(Language::JavaScript, &["executor"], both), Err("language-permission"));
        let clocks = wasi(json!({ "clocks": true }));
        assert_eq!(world(Language::Python, &["executor"], clocks.clone()), Err("language-half-wasi"));
        assert!(world(Language::JavaScript, &["executor"], clocks).unwrap().has_wasi);
    }
}
