//! From a core module to a component.
//!
//! In -> out: the module that cargo made, the list of what it is made of -> bytes of `component.wasm`.
//! Invariant: imports only what the plugin's code calls, and nothing of WASI that it did not ask for; validated.
//! Not here: making the module (`build.rs`), whether the imports are granted (`orch-trust`).

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, UnresolvedPackageGroup};

use crate::browser;
use crate::carried;
use crate::dependencies::Dependencies;
use crate::embedded;
use crate::target::Target;

/// How a module imports what only a browser has.
const BROWSER: &str = "__wbindgen";
const WORLDS: &str = "worlds.wit";

/// Why a module does not become a component.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    #[error("the dependency list cannot be written")]
    List(#[from] serde_json::Error),
    #[error("the module calls a browser, which no host is: {}", browser::said(asks))]
    Browser {
        /// Crates that ask for it, by name.
        asks: Vec<String>,
    },
    #[error("the module is no plugin of one of the roles: {message}")]
    Encode {
        /// The encoder's own words, causes included.
        message: String,
    },
}

impl ComponentError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::List(_) => "component-list",
            Self::Browser { .. } => "component-browser",
            Self::Encode { .. } => "component-encode",
        }
    }

    /// What the author can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Browser { asks } => Some(browser::cures(asks)),
            _ => None,
        }
    }
}

/// The component of a core module.
///
/// # Errors
/// `Browser`: a crate was told to speak to a browser. `Encode`: the module exports no role, or imports something that no
/// interface describes.
pub fn encode(module: &[u8], dependencies: &Dependencies, target: Target) -> Result<Vec<u8>, ComponentError> {
    let mut module = embedded::embed(module, dependencies)?;
    if target == Target::Wasi {
        add_interfaces(&mut module)?;
    }
    let encoded = ComponentEncoder::default().validate(true).module(&module).and_then(|mut it| it.encode());
    encoded.map_err(|error| {
        let message = format!("{error:#}");
        match message.contains(BROWSER) {
            true => ComponentError::Browser { asks: browser::who_asks(dependencies) },
            false => ComponentError::Encode { message },
        }
    })
}

/// Adds the interfaces of WASI in the host's version: crates and the standard library bring theirs in several, and of those
/// that fit each other the encoder takes the newest.
fn add_interfaces(module: &mut Vec<u8>) -> Result<(), ComponentError> {
    let wrong = |message: String| ComponentError::Encode { message };
    let parse = |name: &str, text: &str| {
        UnresolvedPackageGroup::parse(name, text).map_err(|(sources, error)| wrong(error.render(&sources)))
    };
    let texts = carried::WIT.iter().filter(|(path, _)| path.ends_with(".wit") && *path != WORLDS);
    let packages: Result<Vec<_>, _> = texts.map(|(path, text)| parse(path, text)).collect();
    let worlds = carried::WIT.iter().find(|(path, _)| *path == WORLDS);
    let Some((_, worlds)) = worlds else { unreachable!("the list of carried files has the worlds") };
    let mut resolve = Resolve::default();
    let package =
        resolve.push_groups(parse(WORLDS, worlds)?, packages?).map_err(|error| wrong(error.to_string()))?;
    let world =
        resolve.select_world(&[package], Some("inert")).map_err(|error| wrong(format!("{error:#}")))?;
    embed_component_metadata(module, &resolve, world, StringEncoding::UTF8)
        .map_err(|error| wrong(format!("{error:#}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_that_imports_what_nothing_describes_is_refused() {
        // (module (import "env" "f" (func)))
        let module = *b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x02\x09\x01\x03env\x01f\0\0";
        let refused = encode(&module, &crate::dependencies::tests::example(), Target::Lean);
        assert!(matches!(refused, Err(ComponentError::Encode { .. })), "{refused:?}");
    }

    #[test]
    fn a_module_that_calls_a_browser_is_told_so() {
        // (module (import "__wbindgen_placeholder__" "f" (func)))
        let mut module =
            b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x02\x1e\x01\x18__wbindgen_placeholder__".to_vec();
        module.extend(b"\x01f\0\0");
        let refused = encode(&module, &crate::dependencies::tests::example(), Target::Lean).unwrap_err();
        assert_eq!(refused.code(), "component-browser", "{refused}");
        assert!(refused.hint().unwrap().contains("--wasi"));
    }
}
