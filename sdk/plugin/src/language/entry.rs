//! The entry of a plugin in another language: what the toolchain is shown in its place.
//!
//! In -> out: language, roles -> the entry's file name and text.
//! Invariant: each exported function goes through the SDK's `call`, so that whatever is thrown becomes a failure.
//! Not here: the SDK (`sdk/languages`).

use orch_trust::manifest::Role;

use super::Language;
use super::world::Narrow;

/// Functions of a role's interface: as WIT names them, with the names of their parameters.
fn functions(role: Role) -> &'static [(&'static str, &'static [&'static str])] {
    match role {
        Role::Executor => &[("execute", &["task", "attempt"])],
        Role::Reflector => &[("reflect", &["cycle"])],
        Role::Auditor => &[("analyze", &["paths"]), ("audit", &["finished"])],
        Role::Verifier => &[("verify", &["subject"])],
        Role::Guard => &[("judge", &["change"])],
        // Refused before (`world.rs`).
        Role::Planner | Role::Provider | Role::Service => &[],
    }
}

/// Name of the entry's file, and its text.
pub fn entry(language: Language, roles: &[Role]) -> (&'static str, String) {
    match language {
        Language::Python => ("orch_entry.py", python(roles)),
        Language::JavaScript => ("orch_entry.js", javascript(roles)),
    }
}

fn python(roles: &[Role]) -> String {
    let mut text =
        "# Written by `orch-plugin build`.\nimport plugin\nfrom orch_sdk.call import call\nfrom wit_world import exports\n".to_owned();
    for role in roles {
        let class = capitalized(role.as_str());
        text.push_str(&format!("\n\nclass {class}(exports.{class}):\n"));
        for (name, parameters) in functions(*role) {
            let list = parameters.join(", ");
            text.push_str(&format!(
                "    def {name}(self, {list}):\n        return call(plugin.{name}, {list})\n"
            ));
        }
    }
    text
}

/// Modules are evaluated in the order of their imports: `console` is the log before the plugin's own module begins.
fn javascript(roles: &[Role]) -> String {
    let mut text = "// Written by `orch-plugin build`.\nimport './orch_console.js';\nimport { call } from '../../orch/sdk/call.js';\nimport * as plugin from '../../plugin.js';\n".to_owned();
    for role in roles {
        let functions = functions(*role).iter().map(|(name, parameters)| {
            let list = parameters.join(", ");
            format!("  {name}: ({list}) => call(plugin.{name}, {list}),\n")
        });
        text.push_str(&format!(
            "\nexport const {} = {{\n{}}};\n",
            role.as_str(),
            functions.collect::<String>()
        ));
    }
    text
}

/// What makes `console` of JavaScript the log.
pub fn javascript_console(world: &Narrow) -> String {
    let redirect = "import { redirect } from '../../orch/sdk/call.js';\n";
    match world.has_log {
        true => format!("import {{ write }} from 'orch:log/log@0.1.0';\n{redirect}redirect(write);\n"),
        false => format!("{redirect}redirect(null);\n"),
    }
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

#[cfg(test)]
mod tests {
    use crate::carried;

    use super::super::ROLES;
    use super::*;

    #[test]
    fn every_function_of_a_role_is_handed_on_with_its_parameters() {
        for role in ROLES {
            let path = format!("deps/{0}@0.1.0/{0}.wit", role.as_str());
            let (_, wit) = carried::WIT.iter().find(|(name, _)| *name == path).unwrap();
            let found: Vec<String> = wit
                .lines()
                .filter(|line| line.contains(": func("))
                .map(|line| {
                    let (name, rest) = line.trim().split_once(": func(").unwrap();
                    let parameters = rest.split_once(") ->").unwrap().0;
                    let names = parameters.split(", ").map(|one| one.split(':').next().unwrap());
                    format!("{name}({})", names.collect::<Vec<_>>().join(", "))
                })
                .collect();
            let own: Vec<String> = functions(role)
                .iter()
                .map(|(name, parameters)| format!("{name}({})", parameters.join(", ")))
                .collect();
            assert_eq!(own, found, "{role:?}");
        }
    }
}
