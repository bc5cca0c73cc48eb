//! Registries as they are: the OCI distribution specification 1.1, spoken to read packages and, by publishers, to write them.
//!
//! In -> out: a repository -> versions (its tags), the files of one of them; blobs and manifests for whoever publishes.
//! Limits: 1 MiB a document, 10,000 tags on at most 100 pages, 64 layers, 256 referrers; each file's own.
//! Invariant: every blob and manifest is of the size and digest that names it; what a referrer holds refers to this image; a
//! token is for this repository. Which bytes a tag means is the registry's word: what runs is what admission and `orch.lock` say.
//! Not here: forms (`oci.rs`), redirects, time and TLS (`fetch.rs`), what is written (`orch-plugin`).

mod address;
mod challenge;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LINK};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use orch_trust::digest::Sha256Digest;
use orch_trust::package::{MANIFEST, PackageBytes, bytes_max};
use orch_trust::refusal::Refusal;
use semver::Version;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::SourceError;
use super::login::Logins;
use super::oci::{
    DOCUMENT_BYTES_MAX, Descriptor, ENVELOPE, IMAGE_INDEX, IMAGE_MANIFEST, ImageIndex, ImageManifest,
    LAYERS_MAX, PLUGIN, REFERRERS_MAX, is_referrer,
};
use crate::fetch::{Answer, Client, FetchError, WebAddress};
pub use address::{Address, SCHEME};
use challenge::{ANSWER_BYTES_MAX, Challenge, token, token_address};

/// A file of a package by its name.
type NamedFile = (String, Arc<[u8]>);

const TAGS_MAX: usize = 10_000;
const PAGES_MAX: usize = 100;

/// What is done there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Pull,
    Push,
}

/// A repository that is asked.
pub struct Registry<'a> {
    client: &'a Client,
    address: Address,
    api: WebAddress,
    login: Option<HeaderValue>,
    granted: RefCell<Option<HeaderValue>>,
    action: Action,
}

impl<'a> Registry<'a> {
    /// # Errors
    /// `Login`, `Io`, `Fetch`.
    pub fn to_read(client: &'a Client, address: &Address, logins: &Logins) -> Result<Self, SourceError> {
        Self::new(client, address, logins, Action::Pull)
    }

    /// # Errors
    /// Those of [`Self::to_read`].
    pub fn to_write(client: &'a Client, address: &Address, logins: &Logins) -> Result<Self, SourceError> {
        Self::new(client, address, logins, Action::Push)
    }

    fn new(
        client: &'a Client,
        address: &Address,
        logins: &Logins,
        action: Action,
    ) -> Result<Self, SourceError> {
        Ok(Self {
            client,
            api: WebAddress::parse(&address.api()).map_err(FetchError::from)?,
            login: logins.basic(&address.host)?,
            granted: RefCell::default(),
            address: address.clone(),
            action,
        })
    }

    /// Tags that are versions.
    ///
    /// # Errors
    /// `Missing` for a repository that is not there; of asking.
    pub fn versions(&self) -> Result<Vec<Version>, SourceError> {
        #[derive(Deserialize)]
        struct Tags {
            tags: Option<Vec<String>>,
        }
        let mut at = self.at("tags/list?n=100")?;
        let mut versions = Vec::new();
        for _ in 0..PAGES_MAX {
            let answer = self.good(&at, "", "tags", DOCUMENT_BYTES_MAX)?;
            let tags: Tags = self.json(&answer.body, "list of tags")?;
            let found = tags.tags.unwrap_or_default();
            versions.extend(
                found
                    .iter()
                    .filter_map(|tag| Version::parse(tag).ok())
                    .filter(|version| version.build.is_empty()),
            );
            match next_page(&answer) {
                Some(next) if versions.len() <= TAGS_MAX => at = self.page(&at, next)?,
                _ => return Ok(versions),
            }
        }
        Err(self.malformed("list of tags", format!("it has more than {PAGES_MAX} pages")))
    }

    /// `manifest.json` of one version.
    ///
    /// # Errors
    /// Of asking; `OtherBytes`, `Malformed`.
    pub fn manifest_file(&self, version: &Version) -> Result<Arc<[u8]>, SourceError> {
        let (_, image) = self.image(&version.to_string())?;
        let missing = || Refusal::FileMissing { file: MANIFEST.to_owned() };
        let layer = image.layers.iter().find(|layer| layer.title() == MANIFEST).ok_or_else(missing)?;
        self.file(layer)
    }

    /// All files of one version: its layers, and envelopes that refer to it.
    ///
    /// # Errors
    /// Of asking; `OtherBytes`, `Malformed`; `Package`.
    pub fn package(&self, version: &Version) -> Result<PackageBytes, SourceError> {
        let (descriptor, image) = self.image(&version.to_string())?;
        let mut files: BTreeMap<String, Arc<[u8]>> = BTreeMap::new();
        for layer in &image.layers {
            let name = layer.title();
            if is_referrer(name) || files.contains_key(name) {
                return Err(self.malformed(
                    "image of a plugin",
                    format!("a layer `{}` too many", name.escape_default()),
                ));
            }
            files.insert(name.to_owned(), self.file(layer)?);
        }
        for (name, bytes) in self.envelopes(&descriptor)? {
            files.insert(name, bytes);
        }
        Ok(PackageBytes::new(files)?)
    }

    /// Descriptor and manifest of the image under a tag; `Missing` without one.
    ///
    /// # Errors
    /// Of asking; `Malformed`.
    pub fn image(&self, tag: &str) -> Result<(Descriptor, ImageManifest), SourceError> {
        let answer = self.good(
            &self.at(&format!("manifests/{tag}"))?,
            IMAGE_MANIFEST,
            &format!("version {tag}"),
            DOCUMENT_BYTES_MAX,
        )?;
        let descriptor = Descriptor::of(IMAGE_MANIFEST, &answer.body);
        let said = answer.header("docker-content-digest");
        if !said.is_empty() && said != descriptor.digest {
            return Err(self.other_bytes("a manifest", said, &descriptor.digest));
        }
        let image: ImageManifest = self.json(&answer.body, "image of a plugin")?;
        if image.artifact_type.as_deref() != Some(PLUGIN) {
            let found = image.artifact_type.unwrap_or_default();
            let why = format!("its artifact type is `{}`, expected `{PLUGIN}`", found.escape_default());
            return Err(self.malformed("image of a plugin", why));
        }
        if image.layers.len() > LAYERS_MAX {
            return Err(self.malformed("image of a plugin", format!("it has more than {LAYERS_MAX} layers")));
        }
        Ok((descriptor, image))
    }

    /// Names and bytes of the envelopes that refer to an image; of several for one file the newest.
    fn envelopes(&self, image: &Descriptor) -> Result<Vec<NamedFile>, SourceError> {
        let mut newest: BTreeMap<String, Descriptor> = BTreeMap::new();
        for found in self.referrers(image)? {
            // Copiers that know no artifact types leave them out of an index; the manifest has it in any case.
            let is_other = found.artifact_type.as_deref().is_some_and(|found| found != ENVELOPE);
            if is_other || !is_referrer(found.title()) {
                continue;
            }
            match newest.get(found.title()) {
                Some(known) if known.created() >= found.created() => {}
                _ => drop(newest.insert(found.title().to_owned(), found)),
            }
        }
        newest
            .into_iter()
            .map(|(name, found)| Ok((name.clone(), self.envelope(&name, &found, image)?)))
            .collect()
    }

    fn envelope(&self, name: &str, found: &Descriptor, image: &Descriptor) -> Result<Arc<[u8]>, SourceError> {
        let what = "envelope that refers to an image";
        let sha256 =
            found.sha256().ok_or_else(|| self.malformed(what, "its digest is no SHA-256".to_owned()))?;
        let at = self.at(&format!("manifests/sha256:{sha256}"))?;
        let answer = self.good(&at, IMAGE_MANIFEST, name, DOCUMENT_BYTES_MAX)?;
        self.check(name, &answer.body, found)?;
        let manifest: ImageManifest = self.json(&answer.body, what)?;
        let refers = manifest.subject.as_ref().is_some_and(|subject| subject.digest == image.digest)
            && manifest.artifact_type.as_deref() == Some(ENVELOPE);
        match (&manifest.layers[..], refers) {
            ([layer], true) if layer.title() == name => self.file(layer),
            _ => Err(self.malformed(
                what,
                format!(
                    "`{name}` is not its one layer, it is no `{ENVELOPE}`, or it refers to another image"
                ),
            )),
        }
    }

    /// What refers to an image: by the API for it, or by the tag of its digest where there is none.
    ///
    /// # Errors
    /// Of asking; `Malformed`.
    pub fn referrers(&self, image: &Descriptor) -> Result<Vec<Descriptor>, SourceError> {
        let mut at = self.at(&format!("referrers/{}", image.digest))?;
        let mut found: Vec<Descriptor> = Vec::new();
        for _ in 0..PAGES_MAX {
            let answer = self.get(&at, IMAGE_INDEX, DOCUMENT_BYTES_MAX)?;
            if is_without_api(answer.status) {
                return Ok(self.referrers_by_tag(image)?.manifests);
            }
            let index: ImageIndex =
                self.json(&self.checked(answer.clone(), "referrers")?.body, "list of referrers")?;
            found.extend(index.manifests);
            if found.len() > REFERRERS_MAX {
                return Err(self.malformed("list of referrers", format!("it has more than {REFERRERS_MAX}")));
            }
            match next_page(&answer) {
                Some(next) => at = self.page(&at, next)?,
                None => return Ok(found),
            }
        }
        Err(self.malformed("list of referrers", format!("it has more than {PAGES_MAX} pages")))
    }

    /// The index under the tag of an image's digest; an empty one if there is none.
    ///
    /// # Errors
    /// Of asking; `Malformed`.
    pub fn referrers_by_tag(&self, image: &Descriptor) -> Result<ImageIndex, SourceError> {
        let at = self.at(&format!("manifests/{}", image.digest.replace(':', "-")))?;
        let answer = self.get(&at, IMAGE_INDEX, DOCUMENT_BYTES_MAX)?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(ImageIndex::default());
        }
        let index: ImageIndex = self.json(&self.checked(answer, "referrers")?.body, "list of referrers")?;
        match index.manifests.len() > REFERRERS_MAX {
            true => Err(self.malformed("list of referrers", format!("it has more than {REFERRERS_MAX}"))),
            false => Ok(index),
        }
    }

    /// The bytes of a layer, which are no more than a file of its name may have.
    fn file(&self, layer: &Descriptor) -> Result<Arc<[u8]>, SourceError> {
        let name = layer.title();
        let limit_bytes = bytes_max(name)
            .ok_or_else(|| Refusal::PackageFile { file: name.escape_default().take(100).collect() })?;
        if layer.size > limit_bytes {
            let file = name.to_owned();
            return Err(Refusal::FileTooLarge { file, found_bytes: layer.size, limit_bytes }.into());
        }
        let what = || "layer of a plugin";
        let sha256 =
            layer.sha256().ok_or_else(|| self.malformed(what(), "its digest is no SHA-256".to_owned()))?;
        let answer = self.good(&self.at(&format!("blobs/sha256:{sha256}"))?, "", name, layer.size)?;
        self.check(name, &answer.body, layer)?;
        Ok(answer.body[..].into())
    }

    fn check(&self, what: &str, bytes: &[u8], promised: &Descriptor) -> Result<(), SourceError> {
        if bytes.len() as u64 != promised.size {
            let (expected, found) = (format!("{} bytes", promised.size), format!("{} bytes", bytes.len()));
            return Err(self.other_bytes(what, &expected, &found));
        }
        match promised.sha256() == Some(Sha256Digest::of(bytes)) {
            true => Ok(()),
            false => {
                Err(self.other_bytes(what, &promised.digest, &format!("sha256:{}", Sha256Digest::of(bytes))))
            }
        }
    }

    /// An address beneath this repository's.
    ///
    /// # Errors
    /// `Fetch`.
    pub fn at(&self, path: &str) -> Result<WebAddress, SourceError> {
        Ok(WebAddress::parse(&format!("{}{path}", self.api)).map_err(FetchError::from)?)
    }

    /// The next page, which must be of the same registry.
    fn page(&self, from: &WebAddress, next: &str) -> Result<WebAddress, SourceError> {
        let page = from.join(next).map_err(FetchError::from)?;
        match page.origin() == self.api.origin() {
            true => Ok(page),
            false => Err(self.malformed("next page", format!("it is at `{page}`"))),
        }
    }

    fn get(&self, at: &WebAddress, accept: &str, bytes_max: u64) -> Result<Answer, SourceError> {
        let mut headers = HeaderMap::new();
        if let Ok(accept) = HeaderValue::from_str(accept)
            && !accept.is_empty()
        {
            headers.insert(ACCEPT, accept);
        }
        self.ask(&Method::GET, at, headers, Bytes::new(), bytes_max)
    }

    fn good(&self, at: &WebAddress, accept: &str, what: &str, bytes_max: u64) -> Result<Answer, SourceError> {
        self.checked(self.get(at, accept, bytes_max)?, what)
    }

    /// An answer that says yes.
    ///
    /// # Errors
    /// `Missing`, `LoginWanted`, `Status`.
    pub fn checked(&self, answer: Answer, what: &str) -> Result<Answer, SourceError> {
        let at = self.address.to_string();
        match answer.status {
            status if status.is_success() => Ok(answer),
            StatusCode::NOT_FOUND => Err(SourceError::Missing { at, what: what.to_owned() }),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let what = if self.action == Action::Pull { "read" } else { "write" };
                Err(SourceError::LoginWanted { at, what })
            }
            status => Err(SourceError::Status { at, status: status.as_u16(), what: what.to_owned() }),
        }
    }

    /// Whatever it answers, once it knows who asks, if it wants to.
    ///
    /// # Errors
    /// `Fetch`, `LoginWanted`, `Malformed`.
    pub fn ask(
        &self,
        method: &Method,
        at: &WebAddress,
        headers: HeaderMap,
        body: Bytes,
        bytes_max: u64,
    ) -> Result<Answer, SourceError> {
        // A document of a refusal may be longer than what was asked for.
        let bytes_max = bytes_max.max(ANSWER_BYTES_MAX);
        let once = |headers: &HeaderMap| -> Result<Answer, SourceError> {
            let mut headers = headers.clone();
            if let Some(granted) = &*self.granted.borrow()
                && at.origin() == self.api.origin()
            {
                headers.insert(AUTHORIZATION, granted.clone());
            }
            Ok(match *method == Method::GET {
                true => self.client.get(at, &headers, bytes_max)?,
                false => self.client.send(method.clone(), at, &headers, body.clone(), bytes_max)?,
            })
        };
        let first = once(&headers)?;
        // Whoever it redirects to gets no word of who asks.
        if first.status != StatusCode::UNAUTHORIZED || first.from.origin() != self.api.origin() {
            return Ok(first);
        }
        let granted = self.grant(&first)?;
        *self.granted.borrow_mut() = Some(granted);
        once(&headers)
    }

    /// What is said to a registry that wants to know who asks.
    fn grant(&self, refused: &Answer) -> Result<HeaderValue, SourceError> {
        let what = if self.action == Action::Pull { "read" } else { "write" };
        let wanted = || SourceError::LoginWanted { at: self.address.to_string(), what };
        let (realm, service) = match Challenge::of(&refused.headers).ok_or_else(wanted)? {
            Challenge::Basic => return self.login.clone().ok_or_else(wanted),
            Challenge::Bearer { realm, service } => (realm, service),
        };
        let actions = if self.action == Action::Pull { "pull" } else { "pull,push" };
        let scope = format!("repository:{}:{actions}", self.address.name);
        let at = token_address(&self.api, &realm, &service, &scope).map_err(FetchError::from)?;
        let mut headers = HeaderMap::new();
        if let Some(login) = &self.login {
            headers.insert(AUTHORIZATION, login.clone());
        }
        let answer = self.client.get(&at, &headers, ANSWER_BYTES_MAX)?;
        match answer.status.is_success() {
            true => token(&answer.body).ok_or_else(|| self.malformed("token", "it has none".to_owned())),
            false => Err(wanted()),
        }
    }

    /// Headers of a document that is sent.
    pub fn content(media_type: &'static str) -> HeaderMap {
        [(CONTENT_TYPE, HeaderValue::from_static(media_type))].into_iter().collect()
    }

    fn json<T: DeserializeOwned>(&self, bytes: &[u8], what: &'static str) -> Result<T, SourceError> {
        serde_json::from_slice(bytes).map_err(|error| self.malformed(what, error.to_string()))
    }

    fn malformed(&self, what: &'static str, why: String) -> SourceError {
        SourceError::Malformed { at: self.address.to_string(), what, why }
    }

    fn other_bytes(&self, what: &str, expected: &str, found: &str) -> SourceError {
        let text = |text: &str| text.escape_default().take(100).collect();
        let at = self.address.to_string();
        SourceError::OtherBytes { at, what: what.to_owned(), expected: text(expected), found: text(found) }
    }
}

/// True of what registries answer that know nothing of referrers.
fn is_without_api(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::NOT_FOUND
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::BAD_REQUEST
            | StatusCode::NOT_IMPLEMENTED
    )
}

/// What `Link: <..>; rel="next"` names.
fn next_page(answer: &Answer) -> Option<&str> {
    let (address, rest) = answer.header(LINK.as_str()).strip_prefix('<')?.split_once('>')?;
    rest.contains("rel=\"next\"").then_some(address)
}
