//! Why a verb of `orch-plugin` did not do what it was asked.
//!
//! Invariant: each error has a stable code, which no error of another reason has.
//! Not here: the errors themselves, each beside what gives it; how they are shown (`orch-host`'s `console.rs`).

use orch_signer::signer::SignerError;

use crate::asked::AskedError;
use crate::build::BuildError;
use crate::case::CaseError;
use crate::case::recording::RecordingError;
use crate::case::run::RunError;
use crate::language::LanguageError;
use crate::pack::PackError;
use crate::prepared::PreparedError;
use crate::project::ProjectError;
use crate::publish::PublishError;
use crate::sign::SignError;
use crate::toolchain::ToolchainError;

/// Any error of this library, or of a signer that it was to sign with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PluginError {
    #[error(transparent)]
    Asked(#[from] AskedError),
    #[error(transparent)]
    Project(#[from] ProjectError),
    #[error(transparent)]
    Toolchain(#[from] ToolchainError),
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Language(#[from] LanguageError),
    #[error(transparent)]
    Case(#[from] CaseError),
    #[error(transparent)]
    Recording(#[from] RecordingError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Pack(#[from] PackError),
    #[error(transparent)]
    Sign(#[from] SignError),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error(transparent)]
    Prepared(#[from] PreparedError),
    #[error(transparent)]
    Signer(#[from] SignerError),
}

impl PluginError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Asked(error) => error.code(),
            Self::Project(error) => error.code(),
            Self::Toolchain(error) => error.code(),
            Self::Build(error) => error.code(),
            Self::Language(error) => error.code(),
            Self::Case(error) => error.code(),
            Self::Recording(error) => error.code(),
            Self::Run(error) => error.code(),
            Self::Pack(error) => error.code(),
            Self::Sign(error) => error.code(),
            Self::Publish(error) => error.code(),
            Self::Prepared(error) => error.code(),
            Self::Signer(error) => error.code(),
        }
    }

    /// What the author or publisher can do about it, if anything.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Asked(error) => Some(error.hint()),
            Self::Toolchain(error) => Some(error.hint()),
            Self::Build(error) => error.hint(),
            Self::Language(error) => error.hint(),
            Self::Run(error) => error.hint(),
            Self::Pack(error) => error.hint(),
            Self::Sign(error) => error.hint(),
            Self::Publish(error) => error.hint(),
            Self::Prepared(error) => error.hint(),
            Self::Signer(error) => error.hint(),
            Self::Case(error) => error.hint(),
            Self::Project(error) => error.hint(),
            Self::Recording(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    /// Every code that a `fn code` in these sources gives.
    fn codes_in(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                codes_in(&path, found);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("mod tests {").next().unwrap();
            for body in code.split("fn code(&self)").skip(1) {
                let body = body.split("\n    }\n").next().unwrap();
                let given = body.split("=> \"").skip(1).filter_map(|arm| arm.split('"').next());
                found.extend(given.map(str::to_owned));
            }
        }
    }

    #[test]
    fn each_code_is_one_reason() {
        let mut found = Vec::new();
        codes_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        assert!(found.len() > 30 && found.contains(&"case-none".to_owned()), "{found:?}");
        let plain = |code: &&String| code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        assert_eq!(found.iter().find(|code| !plain(code)), None);
        let distinct: BTreeSet<&String> = found.iter().collect();
        assert_eq!(distinct.len(), found.len(), "{found:?}");
    }
}
