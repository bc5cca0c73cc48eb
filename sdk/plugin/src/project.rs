//! A new project, ready to be built.
//!
//! In -> out: id and template -> a folder with sources, manifest, SDK and interfaces.
//! Invariant: builds and can be certified without an edit; never writes into a folder that has anything in it.
//! Not here: the files' texts (`template.rs`, `carried.rs`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use orch_trust::name::{PluginId, PluginIdText};

use crate::carried::Embedded;
use crate::language::Language;
use crate::template::Template;
use crate::{authored, carried, case, template};

/// The namespace of a plugin whose author names none: the one of `PLUGIN_SIGNING_KEY`.
const NAMESPACE: &str = "local";
/// Names of packages that a crate of that name could not use any more, and words that are none.
const TAKEN: [&str; 12] = [
    "orch-sdk",
    "wit-bindgen",
    "std",
    "core",
    "alloc",
    "test",
    "proc-macro",
    "crate",
    "self",
    "super",
    "build",
    "deps",
];

/// Why no project was made.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    #[error(transparent)]
    Id(#[from] PluginIdText),
    #[error("`{name}` is no name for a plugin: expected a letter, then letters, digits and single `-`")]
    Name { name: String },
    #[error("folder `{folder}` is not empty")]
    NotEmpty { folder: PathBuf },
    #[error("cannot write `{path}`")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl ProjectError {
    /// Stable name for reports and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Id(_) => "project-id",
            Self::Name { .. } => "project-name",
            Self::NotEmpty { .. } => "project-not-empty",
            Self::Io { .. } => "project-io",
        }
    }

    /// What the author can do about it.
    pub fn hint(&self) -> Option<String> {
        None
    }
}

/// Id of a plugin that is called so: `name` or `namespace/name`.
pub fn id(name: &str) -> Result<PluginId, ProjectError> {
    let text = if name.contains('/') { name.to_owned() } else { format!("{NAMESPACE}/{name}") };
    let id = PluginId::parse(&text)?;
    let crate_name = crate_name(&id);
    let fits = crate_name.starts_with(|letter: char| letter.is_ascii_lowercase())
        && !crate_name.ends_with('-')
        && !crate_name.contains("--")
        && !TAKEN.contains(&crate_name);
    match fits {
        true => Ok(id),
        false => Err(ProjectError::Name { name: crate_name.to_owned() }),
    }
}

fn crate_name(id: &PluginId) -> &str {
    id.as_str().split('/').next_back().unwrap_or_default()
}

/// Makes the project; the folder comes back. Without `folder` it is the plugin's name, here.
///
/// # Errors
/// `NotEmpty`: something is there. `Io`: what was written before it stays.
pub fn create(id: &PluginId, template: Template, folder: Option<&Path>) -> Result<PathBuf, ProjectError> {
    let sdk = carried::SDK.iter().chain([&template::SDK_MANIFEST]);
    write_project(id, template, folder, template::PROJECT.iter().chain(template.files()), sdk)
}

/// The same in another language.
///
/// # Errors
/// Those of [`create`].
pub fn create_in(
    language: Language,
    id: &PluginId,
    template: Template,
    folder: Option<&Path>,
) -> Result<PathBuf, ProjectError> {
    let files = [language.project(), &language.template(template.role())].concat();
    write_project(id, template, folder, files.iter(), language.sdk().iter())
}

/// Writes a project: files that are filled in, and the SDK as it is.
fn write_project<'a>(
    id: &PluginId,
    template: Template,
    folder: Option<&Path>,
    files: impl Iterator<Item = &'a Embedded>,
    sdk: impl Iterator<Item = &'a Embedded>,
) -> Result<PathBuf, ProjectError> {
    let name = crate_name(id);
    let folder = folder.map_or_else(|| PathBuf::from(name), Path::to_owned);
    match fs::read_dir(&folder).map(|mut entries| entries.next().is_some()) {
        Ok(true) => return Err(ProjectError::NotEmpty { folder }),
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            return Err(ProjectError::Io { path: folder, source });
        }
        _ => {}
    }
    let fill = |text: &str| {
        let text = text.replace("{{bind}}", &template.bind()).replace("{{edit}}", template.edit());
        let text = text.replace("{{name}}", name).replace("{{id}}", id.as_str());
        text.replace("{{role}}", template.role().as_str()).replace("{{namespace}}", id.namespace())
    };
    for (path, text) in files {
        write(&folder.join(path), &fill(text))?;
    }
    let wit = folder.join("orch/wit");
    for (path, text) in sdk {
        write(&folder.join("orch/sdk").join(path), text)?;
    }
    for (path, text) in carried::WIT {
        write(&wit.join(path), text)?;
    }
    let schema = serde_json::to_string_pretty(&authored::schema_for_editors()).unwrap_or_default();
    write(&folder.join(authored::SCHEMA_FILE), &(schema + "\n"))?;
    write(&folder.join(case::SCHEMA_FILE), case::SCHEMA)?;
    Ok(folder)
}

fn write(path: &Path, text: &str) -> Result<(), ProjectError> {
    let at = |source| ProjectError::Io { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(at)?;
    }
    fs::write(path, text).map_err(at)
}

#[cfg(test)]
mod tests {
    use orch_trust::manifest::Role;

    use super::*;

    #[test]
    fn names_that_cargo_or_the_host_would_refuse_are_refused() {
        assert_eq!(id("hello").unwrap().as_str(), "local/hello");
        assert_eq!(id("acme/hello-2").unwrap().as_str(), "acme/hello-2");
        for wrong in
            ["", "2hello", "hello-", "a--b", "test", "orch-sdk", "Hello", "../x", "orch/x", "a/b/c", "-a"]
        {
            assert!(id(wrong).is_err(), "`{wrong}`");
        }
    }

    #[test]
    fn a_project_is_complete_and_written_once() {
        let folder = tempfile::tempdir().unwrap();
        for template in Role::ALL.map(Template::Role).into_iter().chain(Template::MORE) {
            let (role, path) = (template.role(), folder.path().join(template.as_str()));
            create(&id("acme/hello").unwrap(), template, Some(&path)).unwrap();
            let manifest = fs::read_to_string(path.join("plugin.json")).unwrap();
            let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
            assert_eq!(manifest["id"], "acme/hello");
            assert_eq!(manifest["roles"][0], role.as_str());
            for file in ["Cargo.toml", "README.md", "src/lib.rs"] {
                assert!(!fs::read_to_string(path.join(file)).unwrap().contains("{{"), "{file} of {role:?}");
            }
            assert!(path.join("orch/wit/worlds.wit").is_file());
            assert!(path.join(manifest["$schema"].as_str().unwrap()).is_file());
            for case in fs::read_dir(path.join("cases")).unwrap() {
                let case = fs::read_to_string(case.unwrap().path()).unwrap();
                let case: serde_json::Value = serde_json::from_str(&case).unwrap();
                assert!(path.join("cases").join(case["$schema"].as_str().unwrap()).is_file());
            }
            let again = create(&id("acme/hello").unwrap(), template, Some(&path));
            assert!(matches!(again, Err(ProjectError::NotEmpty { .. })));
        }
    }

    #[test]
    fn a_project_of_another_language_is_complete_and_of_that_language() {
        let folder = tempfile::tempdir().unwrap();
        for language in Language::ALL {
            for role in Role::ALL {
                let path = folder.path().join(format!("{}-{}", language.as_str(), role.as_str()));
                create_in(language, &id("acme/hello").unwrap(), Template::Role(role), Some(&path)).unwrap();
                is_complete(language, &path);
            }
        }
    }

    fn is_complete(language: Language, path: &Path) {
        assert_eq!(Language::of(path), Some(language));
        for file in ["README.md", "plugin.json", language.plugin_file()] {
            assert!(!fs::read_to_string(path.join(file)).unwrap().contains("{{"), "{file} of {language:?}");
        }
        crate::pack::check_authored(path).unwrap();
        for (file, _) in language.sdk() {
            assert!(path.join("orch/sdk").join(file).is_file(), "{file}");
        }
    }
}
