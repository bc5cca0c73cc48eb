//! Who is trusted: publishers and certifiers, from one file each or from the trust root.
//!
//! In -> out: TOML or a root's entry -> [`Publisher`], [`Certifier`]; `PLUGIN_SIGNING_KEY` -> a publisher of `local/`.
//! Invariant: a publisher signs for its namespaces only, a certifier for its profile only; both end at `not_after`.
//! Not here: reading the files (`orch-host`).

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::key::{KeyError, KeyId, PublicKey};
pub use crate::level::Level;
use crate::manifest::Role;
use crate::name::PluginId;
use crate::permission::{PermissionForm, Permissions, Side};
use crate::root::document::NamespaceText;
use crate::threshold::RoleKey;
use crate::time::UnixSeconds;

/// Why a file of the operator's folder is not usable.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    #[error("it is malformed: {message}")]
    Malformed { message: String },
    #[error("`key` is not usable")]
    Key(#[source] KeyError),
    #[error("namespace `{found}` is not `[a-z0-9-]` with a `/` at its end")]
    Namespace { found: String },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PublisherText {
    key: String,
    owner: String,
    namespaces: Vec<String>,
    #[serde(default)]
    max_permissions: Option<Permissions>,
    #[serde(default)]
    not_after: Option<UnixSeconds>,
}

/// A key that may publish under some namespaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publisher {
    pub key: PublicKey,
    pub owner: String,
    /// Each with its `/`; of a trust root also `acme/summarise/` for one plugin.
    pub namespaces: Vec<String>,
    /// Nothing it publishes can have more; none is no bound.
    pub max_permissions: Option<Permissions>,
    pub not_after: Option<UnixSeconds>,
    pub not_before: Option<UnixSeconds>,
    /// The last second that it may have signed in: of a job's key.
    pub signs_until: Option<UnixSeconds>,
    /// Nothing it publishes can have another role; none is no bound.
    pub roles: Option<Vec<Role>>,
    /// How many publishers of the namespace must sign a release.
    pub threshold: NonZeroU32,
}

impl Publisher {
    /// A key that may publish under these namespaces, without any further bound.
    pub fn new(key: PublicKey, owner: String, namespaces: Vec<String>) -> Self {
        Self {
            key,
            owner,
            namespaces,
            max_permissions: None,
            not_after: None,
            not_before: None,
            signs_until: None,
            roles: None,
            threshold: NonZeroU32::MIN,
        }
    }

    /// One key of a root's namespace.
    pub(crate) fn of_namespace(namespace: &NamespaceText, key: &RoleKey) -> Self {
        Self {
            max_permissions: Some(namespace.max_permissions.clone()),
            not_after: key.not_after,
            not_before: key.not_before,
            signs_until: key.signs_until,
            roles: Some(namespace.roles.clone()),
            threshold: NonZeroU32::new(namespace.publisher.threshold).unwrap_or(NonZeroU32::MAX),
            ..Self::new(key.key, key.owner.clone(), vec![namespace.prefix.clone()])
        }
    }

    /// Its key, and when that counts.
    pub fn role_key(&self) -> RoleKey {
        RoleKey {
            key: self.key,
            owner: self.owner.clone(),
            not_before: self.not_before,
            not_after: self.not_after,
            signs_until: self.signs_until,
        }
    }

    /// The publisher of a file in `trust/publishers/`.
    pub fn parse(text: &str) -> Result<Self, AuthorityError> {
        let read: PublisherText = toml::from_str(text).map_err(|error| malformed(&error))?;
        for namespace in &read.namespaces {
            let plain = |text: &str| PluginId::parse(&format!("{text}/x")).is_ok();
            if !namespace.strip_suffix('/').is_some_and(plain) {
                return Err(AuthorityError::Namespace { found: namespace.escape_default().to_string() });
            }
        }
        if let Some(maximum) = &read.max_permissions {
            let wrong = |error: PermissionForm| AuthorityError::Malformed { message: error.to_string() };
            maximum.check_form(Side::Bounding).map_err(wrong)?;
        }
        let key = PublicKey::from_base64(&read.key).map_err(AuthorityError::Key)?;
        Ok(Self {
            max_permissions: read.max_permissions,
            not_after: read.not_after,
            ..Self::new(key, read.owner, read.namespaces)
        })
    }

    /// The publisher that `PLUGIN_SIGNING_KEY` adds: for the namespace `local/`, never a certifier.
    pub fn of_signing_key(base64: &str) -> Result<Self, AuthorityError> {
        let key = PublicKey::from_base64(base64.trim()).map_err(AuthorityError::Key)?;
        Ok(Self::new(key, "PLUGIN_SIGNING_KEY".to_owned(), vec!["local/".to_owned()]))
    }

    /// The text of its file.
    pub fn render(&self) -> String {
        let text = PublisherText {
            key: self.key.to_base64(),
            owner: self.owner.clone(),
            namespaces: self.namespaces.clone(),
            max_permissions: self.max_permissions.clone(),
            not_after: self.not_after,
        };
        toml::to_string(&text).unwrap_or_default()
    }

    /// True if the plugin's namespace is one of this publisher's.
    pub fn owns(&self, id: &PluginId) -> bool {
        self.reach(id).is_some()
    }

    /// How long the longest of its namespaces is that holds the plugin: whole parts only, because each ends in `/`.
    pub(crate) fn reach(&self, id: &PluginId) -> Option<usize> {
        let whole = format!("{id}/");
        let holds = |namespace: &&String| namespace.ends_with('/') && whole.starts_with(namespace.as_str());
        self.namespaces.iter().filter(holds).map(String::len).max()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CertifierText {
    key: String,
    owner: String,
    profile: Level,
    #[serde(default)]
    not_after: Option<UnixSeconds>,
}

/// A key whose certificates count, up to a level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certifier {
    pub key: PublicKey,
    pub owner: String,
    pub profile: Level,
    pub not_after: Option<UnixSeconds>,
    pub not_before: Option<UnixSeconds>,
    /// The last second that it may have signed in: of a job's key.
    pub signs_until: Option<UnixSeconds>,
}

impl Certifier {
    /// A key whose certificates count up to that level, without any further bound.
    pub fn new(key: PublicKey, owner: String, profile: Level) -> Self {
        Self { key, owner, profile, not_after: None, not_before: None, signs_until: None }
    }

    /// One key of a root's role.
    pub(crate) fn of_role(key: &RoleKey, profile: Level) -> Self {
        let RoleKey { key, owner, not_before, not_after, signs_until } = key.clone();
        Self { not_before, not_after, signs_until, ..Self::new(key, owner, profile) }
    }

    /// Its key, and when that counts.
    pub fn role_key(&self) -> RoleKey {
        RoleKey {
            key: self.key,
            owner: self.owner.clone(),
            not_before: self.not_before,
            not_after: self.not_after,
            signs_until: self.signs_until,
        }
    }

    /// The certifier of a file in `trust/certifiers/`.
    pub fn parse(text: &str) -> Result<Self, AuthorityError> {
        let read: CertifierText = toml::from_str(text).map_err(|error| malformed(&error))?;
        let key = PublicKey::from_base64(&read.key).map_err(AuthorityError::Key)?;
        Ok(Self { not_after: read.not_after, ..Self::new(key, read.owner, read.profile) })
    }

    /// The text of its file.
    pub fn render(&self) -> String {
        let text = CertifierText {
            key: self.key.to_base64(),
            owner: self.owner.clone(),
            profile: self.profile,
            not_after: self.not_after,
        };
        toml::to_string(&text).unwrap_or_default()
    }

    pub fn id(&self) -> KeyId {
        self.key.id()
    }
}

pub(crate) fn malformed(error: &toml::de::Error) -> AuthorityError {
    // The first line says where; the text of the file between it and the message is the reader's own.
    let whole = error.to_string();
    let place = whole.lines().next().and_then(|line| line.strip_prefix("TOML parse error at "));
    let message = error.message().trim().replace('\n', ", ");
    let message = place.map_or_else(|| message.clone(), |place| format!("{message}, at {place}"));
    AuthorityError::Malformed { message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SecretKey;

    #[test]
    fn a_publisher_owns_whole_namespaces_only() {
        let key = SecretKey::from_seed(&[7; 32]).public().to_base64();
        let publisher =
            Publisher::parse(&format!("key = \"{key}\"\nowner = \"acme\"\nnamespaces = [\"acme/\"]\n"))
                .unwrap();
        let owns = |id: &str| publisher.owns(&PluginId::parse(id).unwrap());
        assert!(owns("acme/x") && !owns("acme-evil/x") && !owns("acm/x"));
        let bare = Publisher::new(publisher.key, "acme".into(), vec!["acme".into(), String::new()]);
        assert!(!bare.owns(&PluginId::parse("acme/x").unwrap()));
        let again = Publisher::parse(&publisher.render()).unwrap();
        assert_eq!(again.key.id(), publisher.key.id());
        for namespaces in ["[\"acme\"]", "[\"\"]", "[\"/\"]", "[\"orch/\"]", "[\"a/b/\"]"] {
            let text = format!("key = \"{key}\"\nowner = \"acme\"\nnamespaces = {namespaces}\n");
            assert!(matches!(Publisher::parse(&text), Err(AuthorityError::Namespace { .. })), "{namespaces}");
        }
        let maximum = |glob: &str| {
            Publisher::parse(&format!(
                "key = \"{key}\"\nowner = \"a\"\nnamespaces = []\n[max_permissions.files]\nread = [\"{glob}\"]\n"
            ))
        };
        assert!(maximum("src/**").is_ok());
        assert!(matches!(maximum("../**"), Err(AuthorityError::Malformed { .. })));
        let unknown = format!("key = \"{key}\"\nowner = \"a\"\nnamespaces = []\nadmin = true\n");
        assert!(matches!(Publisher::parse(&unknown), Err(AuthorityError::Malformed { .. })));
    }

    #[test]
    fn the_signing_key_of_the_environment_publishes_for_local_only() {
        let key = SecretKey::from_seed(&[8; 32]).public().to_base64();
        let publisher = Publisher::of_signing_key(&format!("{key}\n")).unwrap();
        assert!(publisher.owns(&PluginId::parse("local/x").unwrap()));
        assert!(!publisher.owns(&PluginId::parse("demo/x").unwrap()));
        assert!(matches!(
            Publisher::of_signing_key("c2hvcnQ="),
            Err(AuthorityError::Key(KeyError::KeyLength))
        ));
    }

    #[test]
    fn an_error_shows_no_line_of_what_may_be_a_secret() {
        let key = r#"{"kind":"orch-secret-key","version":1,"purpose":"root","seed":"c2VjcmV0IHNlZWQ="}"#;
        for text in [key.to_owned(), format!("key = \"x\"\n{key}\n"), "c2VjcmV0IHNlZWQ=\n".to_owned()] {
            for error in [Publisher::parse(&text).unwrap_err(), Certifier::parse(&text).unwrap_err()] {
                let said = format!("{error} {error:?}");
                assert!(said.contains("line") && !said.contains("c2VjcmV0"), "{said}");
            }
        }
    }

    #[test]
    fn a_certifier_has_a_profile() {
        let key = SecretKey::from_seed(&[9; 32]).public().to_base64();
        let certifier = Certifier::parse(&format!(
            "key = \"{key}\"\nowner = \"me\"\nprofile = \"local\"\nnot_after = \"2027-01-01T00:00:00Z\"\n"
        ))
        .unwrap();
        assert_eq!(certifier.profile, Level::Local);
        assert!(Certifier::parse(&format!("key = \"{key}\"\nowner = \"me\"\nprofile = \"any\"\n")).is_err());
    }
}
