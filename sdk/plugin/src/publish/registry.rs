//! A package into a registry: blobs, the image under its version's tag, envelopes that refer to it.
//!
//! In -> out: a package and a repository -> what `orch-host plugin add oci://..` reads.
//! Limits: those of the registry.
//! Invariant: a tag that is there with other files is left as it is; an envelope refers to the image by the registry's own API, or,
//! where it has none, stands in the index under the tag of the image's digest.
//! Not here: forms, addresses and who asks (`orch-host`'s `sources/`).

use bytes::Bytes;
use http::header::LOCATION;
use http::{HeaderMap, Method, StatusCode};
use orch_host::fetch::{Answer, FetchError};
use orch_host::sources::SourceError;
use orch_host::sources::oci::{
    CREATED, DOCUMENT_BYTES_MAX, Descriptor, EMPTY_BYTES, ENVELOPE, IMAGE_INDEX, IMAGE_MANIFEST, ImageIndex,
    ImageManifest, PLUGIN, TITLE, is_referrer, layer,
};
use orch_host::sources::registry::Registry;
use orch_trust::time::UnixSeconds;

use super::{PublishError, Publishable};

/// Digest of the envelope in a referrer, for whoever publishes the same again.
const OF_ENVELOPE: &str = "vnd.orch.envelope.digest";

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The version was not there before.
    pub is_new: bool,
    /// Envelopes that were not there before.
    pub envelopes: u32,
}

/// Writes the package there.
///
/// # Errors
/// `Taken`; `Source` for whatever the registry does not do.
pub fn push(
    package: &Publishable,
    registry: &Registry<'_>,
    at: &str,
    now: UnixSeconds,
) -> Result<Pushed, PublishError> {
    let (layers, envelopes): (Vec<_>, Vec<_>) =
        package.bytes.files().partition(|(name, _)| !is_referrer(name));
    let tag = package.manifest.version.to_string();
    let annotations = [
        ("org.opencontainers.image.title", package.manifest.id.to_string()),
        ("org.opencontainers.image.version", tag.clone()),
        ("org.opencontainers.image.licenses", package.manifest.license.clone()),
    ];
    let annotations = annotations.map(|(name, text)| (name.to_owned(), text)).into();
    let image = ImageManifest::new(
        PLUGIN,
        layers.iter().map(|(name, bytes)| layer(name, bytes)).collect(),
        annotations,
    );
    let (descriptor, is_new) = match registry.image(&tag) {
        Ok((descriptor, there)) if there.layers == image.layers => (descriptor, false),
        Ok(_) => return Err(package.taken(at)),
        Err(SourceError::Missing { .. }) => {
            push_blob(registry, EMPTY_BYTES)?;
            layers.iter().try_for_each(|(_, bytes)| push_blob(registry, bytes))?;
            put(registry, &tag, IMAGE_MANIFEST, &image.bytes())?;
            (Descriptor::of(IMAGE_MANIFEST, &image.bytes()), true)
        }
        Err(error) => return Err(error.into()),
    };
    let known = registry.referrers(&descriptor)?;
    let mut pushed = Pushed { is_new, envelopes: 0 };
    for (name, bytes) in envelopes {
        let layer = layer(name, bytes);
        let is_there = |known: &&Descriptor| {
            known.title() == name && known.annotations.get(OF_ENVELOPE) == Some(&layer.digest)
        };
        if known.iter().any(|known| is_there(&known)) {
            continue;
        }
        push_blob(registry, EMPTY_BYTES)?;
        push_blob(registry, bytes)?;
        refer(registry, name, layer, &descriptor, now)?;
        pushed.envelopes += 1;
    }
    Ok(pushed)
}

/// An envelope that refers to the image.
fn refer(
    registry: &Registry<'_>,
    name: &str,
    layer: Descriptor,
    image: &Descriptor,
    now: UnixSeconds,
) -> Result<(), PublishError> {
    let annotations =
        [(TITLE, name.to_owned()), (CREATED, now.to_string()), (OF_ENVELOPE, layer.digest.clone())];
    let annotations = annotations.map(|(name, text)| (name.to_owned(), text));
    let mut manifest = ImageManifest::new(ENVELOPE, vec![layer], annotations.into());
    manifest.subject = Some(image.clone());
    let bytes = manifest.bytes();
    let descriptor = Descriptor {
        artifact_type: Some(ENVELOPE.to_owned()),
        annotations: manifest.annotations,
        ..Descriptor::of(IMAGE_MANIFEST, &bytes)
    };
    let answer = put(registry, &descriptor.digest, IMAGE_MANIFEST, &bytes)?;
    if !answer.header("oci-subject").is_empty() {
        return Ok(());
    }
    // A registry without the API: whoever asks looks under the tag of the image's digest.
    let mut index: ImageIndex = registry.referrers_by_tag(image)?;
    index.manifests.retain(|known| known.title() != name && known.digest != descriptor.digest);
    index.manifests.push(descriptor);
    let bytes = serde_json::to_vec(&index).unwrap_or_default();
    put(registry, &image.digest.replace(':', "-"), IMAGE_INDEX, &bytes).map(|_| ())
}

fn push_blob(registry: &Registry<'_>, bytes: &[u8]) -> Result<(), PublishError> {
    let digest = Descriptor::of("", bytes).digest;
    let at = registry.at(&format!("blobs/{digest}"))?;
    let there = registry.ask(&Method::HEAD, &at, HeaderMap::new(), Bytes::new(), DOCUMENT_BYTES_MAX)?;
    if there.status == StatusCode::OK {
        return Ok(());
    }
    let at = registry.at("blobs/uploads/")?;
    let begun = registry.ask(&Method::POST, &at, HeaderMap::new(), Bytes::new(), DOCUMENT_BYTES_MAX)?;
    let begun = registry.checked(begun, "an upload")?;
    let place =
        at.join(begun.header(LOCATION.as_str())).map_err(FetchError::from).map_err(SourceError::from)?;
    let mark = if place.uri().query().is_some() { '&' } else { '?' };
    let place = place.join(&format!("{place}{mark}digest={digest}")).map_err(FetchError::from);
    let headers = Registry::content("application/octet-stream");
    let body = Bytes::copy_from_slice(bytes);
    let put =
        registry.ask(&Method::PUT, &place.map_err(SourceError::from)?, headers, body, DOCUMENT_BYTES_MAX)?;
    registry.checked(put, "a blob")?;
    Ok(())
}

fn put(
    registry: &Registry<'_>,
    tag: &str,
    media_type: &'static str,
    bytes: &[u8],
) -> Result<Answer, PublishError> {
    let at = registry.at(&format!("manifests/{tag}"))?;
    let body = Bytes::copy_from_slice(bytes);
    let answer = registry.ask(&Method::PUT, &at, Registry::content(media_type), body, DOCUMENT_BYTES_MAX)?;
    Ok(registry.checked(answer, "a manifest")?)
}
