//! The entry of a plugin in another language: what the toolchain is shown in its place.
//!
//! In -> out: language, roles -> the entry's file name and text.
//! Invariant: each exported function goes through the SDK's `call`, so that whatever is thrown becomes a failure.
//! Not here: the SDK (`sdk/languages`).

use orch_trust::manifest::Role;

use super::Language;
use super::world::Narrow;

/// Functions, as WIT names them, with the names of their parameters.
type Functions = &'static [(&'static str, &'static [&'static str])];

/// What the interface of a role has.
enum Shape {
    Functions(Functions),
    /// A resource `session`, which the host keeps between calls: it is opened with these, and has these functions.
    Session(&'static [&'static str], Functions),
    /// `wasi:http/incoming-handler`, whose one function the SDK has: what it asks of the plugin is a function of this name.
    Requests(&'static str),
}

fn shape(role: Role) -> Shape {
    Shape::Functions(match role {
        Role::Executor => &[("execute", &["task", "attempt"])],
        Role::Reflector => &[("reflect", &["cycle"])],
        Role::Auditor => &[("analyze", &["paths"]), ("audit", &["finished"])],
        Role::Verifier => &[("verify", &["subject"])],
        Role::Guard => &[("judge", &["change"])],
        Role::Provider => &[("send", &["order", "message"])],
        Role::Planner => {
            let functions: Functions = &[("observe", &["changes"]), ("next", &["slots"])];
            return Shape::Session(&["settings", "kinds"], functions);
        }
        Role::Service => return Shape::Requests("handle"),
    })
}

/// The interface's own name.
fn interface(role: Role) -> &'static str {
    match role {
        Role::Provider => "provide",
        Role::Service => "incoming-handler",
        role => role.as_str(),
    }
}

/// Names and texts of what the toolchain is shown; the first one is the entry.
pub fn entry(language: Language, roles: &[Role], world: &Narrow) -> Vec<(String, String)> {
    match language {
        Language::Python => python(roles, world),
        Language::JavaScript => vec![("orch_entry.js".to_owned(), javascript(roles))],
    }
}

/// The toolchain looks for an interface's class in the entry, for a resource's in a module that is called like the interface.
fn python(roles: &[Role], world: &Narrow) -> Vec<(String, String)> {
    let has_wasi = if world.has_wasi { "True" } else { "False" };
    let head = &format!(
        "# Written by `orch-plugin build`.\nfrom orch_sdk import _machine\n\n_machine.prepare({has_wasi})\n\nimport plugin\n\
         from orch_sdk.call import call\nfrom wit_world import exports\n"
    );
    let mut entry = head.clone();
    // Everything is imported while the plugin is built: afterwards there is no file to be found.
    if roles.contains(&Role::Service) {
        entry.push_str("from orch_sdk.service import serve\n");
    }
    let mut modules = Vec::new();
    for role in roles {
        let class: String = interface(*role).split('-').map(capitalized).collect();
        entry.push_str(&format!("\n\nclass {class}(exports.{class}):\n"));
        match shape(*role) {
            Shape::Functions(functions) => {
                for (name, parameters) in functions {
                    let list = parameters.join(", ");
                    entry.push_str(&format!(
                        "    def {name}(self, {list}):\n        return call(plugin.{name}, {list})\n"
                    ));
                }
            }
            Shape::Requests(function) => entry.push_str(&format!(
                "    def handle(self, request, response_out):\n        serve(plugin.{function}, request, response_out)\n"
            )),
            Shape::Session(opened, functions) => {
                entry.push_str("    pass\n");
                let (module, list) = (interface(*role), opened.join(", "));
                let mut text = format!(
                    "{head}\n\nclass Session(exports.{module}.Session):\n    @classmethod\n    def open(cls, {list}):\n        \
                     session = cls.__new__(cls)\n        session._own = call(plugin.Session, {list})\n        return session\n"
                );
                for (name, parameters) in functions {
                    let list = parameters.join(", ");
                    text.push_str(&format!(
                        "\n    def {name}(self, {list}):\n        return call(self._own.{name}, {list})\n"
                    ));
                }
                modules.push((format!("{module}.py"), text));
            }
        }
    }
    [vec![("orch_entry.py".to_owned(), entry)], modules].concat()
}

/// Modules are evaluated in the order of their imports: `console` is the log before the plugin's own module begins.
fn javascript(roles: &[Role]) -> String {
    let mut text = "// Written by `orch-plugin build`.\nimport './orch_console.js';\nimport { call } from '../../orch/sdk/call.js';\nimport * as plugin from '../../plugin.js';\n".to_owned();
    if roles.contains(&Role::Service) {
        text.push_str("import { serve } from '../../orch/sdk/service.js';\n");
    }
    for role in roles {
        let inside: String = match shape(*role) {
            Shape::Functions(functions) => functions
                .iter()
                .map(|(name, parameters)| {
                    let list = parameters.join(", ");
                    format!("  {name}: ({list}) => call(plugin.{name}, {list}),\n")
                })
                .collect(),
            Shape::Requests(function) => {
                format!("  handle: (request, answer) => serve(plugin.{function}, request, answer),\n")
            }
            Shape::Session(opened, functions) => {
                let list = opened.join(", ");
                text.push_str(&format!(
                    "\nclass Session {{\n  static open({list}) {{\n    const session = new Session();\n    session.own = \
                     call(({list}) => new plugin.Session({list}), {list});\n    return session;\n  }}\n"
                ));
                for (name, parameters) in functions {
                    let list = parameters.join(", ");
                    text.push_str(&format!(
                        "\n  {name}({list}) {{\n    return call(({list}) => this.own.{name}({list}), {list});\n  }}\n"
                    ));
                }
                text.push_str("}\n");
                "  Session,\n".to_owned()
            }
        };
        let name = if *role == Role::Service { "incomingHandler" } else { interface(*role) };
        text.push_str(&format!("\nexport const {name} = {{\n{inside}}};\n"));
    }
    text
}

/// What makes `console` of JavaScript the log, and its clock and random numbers the host's.
pub fn javascript_console(world: &Narrow) -> String {
    let mut imports = "import { redirect } from '../../orch/sdk/call.js';\n\
                       import { refuseClock, refuseRandom, useRandom } from '../../orch/sdk/machine.js';\n"
        .to_owned();
    let mut lines = String::new();
    match world.has_log {
        true => {
            imports.push_str("import { write } from 'orch:log/log@0.1.0';\n");
            lines.push_str("redirect(write);\n");
        }
        false => lines.push_str("redirect(null);\n"),
    }
    if !world.has_wasi {
        lines.push_str("refuseClock();\n");
    }
    match &world.random {
        Some(import) => {
            imports.push_str(&format!("import {{ getRandomU64 }} from '{import}';\n"));
            lines.push_str("useRandom(getRandomU64);\n");
        }
        None => lines.push_str("refuseRandom();\n"),
    }
    imports + &lines
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

#[cfg(test)]
mod tests {
    use crate::carried;

    use super::super::world::export;
    use super::*;

    #[test]
    fn every_function_of_a_role_is_handed_on_with_its_parameters() {
        for role in Role::ALL {
            let export = export(role);
            let (package, interface) = export.split_once('/').unwrap();
            let (package, interface) =
                (package.split_once(':').unwrap().1, interface.split('@').next().unwrap());
            let version = export.split_once('@').unwrap().1;
            let path = match role {
                Role::Service => format!("deps/wasi-{package}@{version}/{package}.wit"),
                _ => format!("deps/{package}@{version}/{package}.wit"),
            };
            let (_, wit) = carried::WIT.iter().find(|(name, _)| *name == path).unwrap();
            let (_, wit) = wit.split_once(&format!("\ninterface {interface} {{")).unwrap();
            if let Shape::Requests(function) = shape(role) {
                assert!(
                    function == "handle"
                        && wit.contains("handle: func(request: incoming-request, response-out: ")
                );
                continue;
            }
            let found: Vec<String> = wit
                .lines()
                .filter(|line| line.contains(": func(") || line.contains(": static func("))
                .map(|line| {
                    let (name, rest) = line.trim().split_once("func(").unwrap();
                    let (name, _) = name.split_once(':').unwrap();
                    let parameters = rest.split_once(") ->").unwrap().0;
                    let names = parameters.split(", ").map(|one| one.split(':').next().unwrap());
                    format!("{name}({})", names.collect::<Vec<_>>().join(", "))
                })
                .collect();
            let (opened, functions) = match shape(role) {
                Shape::Requests(_) => unreachable!(),
                Shape::Functions(functions) => (None, functions),
                Shape::Session(opened, functions) => (Some(("open", opened)), functions),
            };
            let own: Vec<String> = opened
                .iter()
                .chain(functions)
                .map(|(name, parameters)| format!("{name}({})", parameters.join(", ")))
                .collect();
            assert_eq!(own, found, "{role:?}");
        }
    }
}
