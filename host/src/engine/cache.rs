//! Native code on disk, so that a second start compiles nothing.
//!
//! In -> out: the digest of a component that may run -> its native code, if this very host kept it.
//! Limits: 512 MiB a file. Folder 0700, files 0600.
//! Invariant: the engine believes native code, so nothing is handed to it whose receipt this host's key did not
//! make, or that belongs to another component, engine, version or machine; what does not fit is deleted.
//! Not here: the key (`config/secret.rs`); candidates are never kept (`compile.rs` takes `Runnable` only).

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use orch_trust::digest::Sha256Digest;
use rustix::fs::OFlags;
use sha2::{Digest, Sha256};
use wasmtime::component::Component;
use zeroize::Zeroizing;

use super::Engine;

const LABEL: &[u8] = b"orch native code 1\0";
const FILE_BYTES_MAX: u64 = 512 << 20;
/// MAC, digest of the component, of the engine, of the code.
const RECEIPT_BYTES: usize = 4 * 32;

/// A folder of native code.
pub struct NativeCache {
    folder: PathBuf,
    key: Zeroizing<[u8; 32]>,
}

impl NativeCache {
    /// The cache in that folder, which is made if it is not there. `key`: of this host, for nothing else.
    pub fn open(folder: &Path, key: [u8; 32]) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        Ok(Self { folder: folder.to_owned(), key: Zeroizing::new(key) })
    }

    /// The component's native code, if it was kept by this host for this engine and is unchanged.
    pub(super) fn load(&self, engine: &Engine, component: &Sha256Digest) -> Option<Component> {
        let path = self.path(engine, component);
        let bytes = match read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(_) => return discard(&path),
        };
        let Some(code) = self.checked(engine, component, &bytes) else { return discard(&path) };
        // SAFETY: `checked` found that this host wrote exactly these bytes, from `Component::serialize`, for this
        // component, this engine's settings and this version; they are in memory of our own and cannot change.
        match unsafe { Component::deserialize(engine.inner(), code) } {
            Ok(found) => Some(found),
            Err(_) => discard(&path),
        }
    }

    /// Keeps native code. Failing to is no fault: the next start compiles again.
    pub(super) fn keep(&self, engine: &Engine, component: &Sha256Digest, compiled: &Component) {
        let path = self.path(engine, component);
        let written = compiled.serialize().map_err(io::Error::other).and_then(|code| {
            let receipt = self.receipt(engine, component, &code);
            write(&path, &[&receipt, &code])
        });
        if let Err(error) = written {
            tracing::warn!(%error, "native code was not kept");
        }
    }

    fn path(&self, engine: &Engine, component: &Sha256Digest) -> PathBuf {
        self.folder.join(format!("{component}.{}", engine.kind().as_str()))
    }

    fn receipt(&self, engine: &Engine, component: &Sha256Digest, code: &[u8]) -> Vec<u8> {
        let body = receipt_body(engine, component, code);
        let mut receipt = self.mac(&body).finalize().into_bytes().to_vec();
        receipt.extend_from_slice(&body);
        receipt
    }

    /// The code, if receipt and code are what they must be.
    fn checked<'a>(&self, engine: &Engine, component: &Sha256Digest, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let (receipt, code) = bytes.split_at_checked(RECEIPT_BYTES)?;
        let (mac, body) = receipt.split_at_checked(32)?;
        self.mac(body).verify_slice(mac).ok()?;
        (body == receipt_body(engine, component, code)).then_some(code)
    }

    fn mac(&self, body: &[u8]) -> Hmac<Sha256> {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.key.as_slice()) else {
            unreachable!("HMAC takes keys of every length")
        };
        mac.update(LABEL);
        mac.update(body);
        mac
    }
}

fn receipt_body(engine: &Engine, component: &Sha256Digest, code: &[u8]) -> Vec<u8> {
    let engine = engine_digest(engine);
    [component.as_bytes().as_slice(), &engine, Sha256Digest::of(code).as_bytes()].concat()
}

/// Of everything that native code depends on: the engine's version and settings, the processor's features.
fn engine_digest(engine: &Engine) -> [u8; 32] {
    let mut hasher = Sha256Hasher(Sha256::new());
    engine.kind().as_str().hash(&mut hasher);
    engine.inner().precompile_compatibility_hash().hash(&mut hasher);
    hasher.0.finalize().into()
}

struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        unreachable!("the digest is taken whole")
    }
}

fn discard(path: &Path) -> Option<Component> {
    tracing::warn!(file = %path.display(), "native code does not fit its receipt and is compiled again");
    if let Err(error) = fs::remove_file(path) {
        tracing::warn!(%error, "it could not be deleted");
    }
    None
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::options().read(true).custom_flags(OFlags::NOFOLLOW.bits() as i32).open(path)?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn write(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let unique = getrandom::u64().map_err(io::Error::other)?;
    let fresh = path.with_extension(format!("{unique:016x}.new"));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    let written = parts.iter().try_for_each(|part| file.write_all(part));
    match written.and_then(|()| fs::rename(&fresh, path)) {
        Ok(()) => Ok(()),
        Err(error) => {
            fs::remove_file(&fresh).unwrap_or_default();
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::engine::fixture::{component, executor};

    struct Kept {
        engine: Engine,
        folder: tempfile::TempDir,
        digest: Sha256Digest,
        cache: NativeCache,
    }

    impl Kept {
        fn new() -> Self {
            let (engine, folder) = (Engine::run(1, 0).unwrap(), tempfile::tempdir().unwrap());
            let cache = NativeCache::open(&folder.path().join("native"), [7; 32]).unwrap();
            let bytes = component("executor", &executor("", ""));
            let digest = Sha256Digest::of(&bytes);
            cache.keep(&engine, &digest, &Component::from_binary(engine.inner(), &bytes).unwrap());
            Self { engine, folder, digest, cache }
        }

        fn file(&self) -> PathBuf {
            self.cache.path(&self.engine, &self.digest)
        }
    }

    #[test]
    fn what_this_host_kept_is_loaded_and_nobody_else_may_look() {
        let kept = Kept::new();
        assert!(kept.cache.load(&kept.engine, &kept.digest).is_some());
        assert!(kept.cache.load(&kept.engine, &Sha256Digest::of(b"other")).is_none());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&kept.file()), mode(&kept.folder.path().join("native"))), (0o600, 0o700));
        assert_eq!(fs::read_dir(kept.folder.path().join("native")).unwrap().count(), 1);
    }

    #[test]
    fn a_changed_byte_anywhere_is_not_believed_and_deleted() {
        let kept = Kept::new();
        let bytes = fs::read(kept.file()).unwrap();
        for place in [0, 31, 32, 64, 96, 127, 128, bytes.len() / 2, bytes.len() - 1] {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            fs::write(kept.file(), changed).unwrap();
            assert!(kept.cache.load(&kept.engine, &kept.digest).is_none(), "byte {place}");
            assert!(!kept.file().exists(), "byte {place}");
        }
        for length in [0, 10, 128, bytes.len() - 1] {
            fs::write(kept.file(), &bytes[..length]).unwrap();
            assert!(kept.cache.load(&kept.engine, &kept.digest).is_none(), "{length} bytes");
        }
        fs::write(kept.file(), &bytes).unwrap();
        assert!(kept.cache.load(&kept.engine, &kept.digest).is_some());
    }

    #[test]
    fn native_code_of_another_key_component_or_engine_is_not_believed() {
        let kept = Kept::new();
        let bytes = fs::read(kept.file()).unwrap();
        let other_key = NativeCache::open(&kept.folder.path().join("native"), [8; 32]).unwrap();
        assert!(other_key.load(&kept.engine, &kept.digest).is_none());

        let other = Sha256Digest::of(b"other");
        fs::write(kept.cache.path(&kept.engine, &other), &bytes).unwrap();
        assert!(kept.cache.load(&kept.engine, &other).is_none());

        let large = Engine::large().unwrap();
        fs::write(kept.cache.path(&large, &kept.digest), &bytes).unwrap();
        assert!(kept.cache.load(&large, &kept.digest).is_none());
    }

    #[test]
    fn a_link_in_place_of_the_file_is_not_followed() {
        let kept = Kept::new();
        let elsewhere = kept.folder.path().join("elsewhere");
        fs::rename(kept.file(), &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, kept.file()).unwrap();
        assert!(kept.cache.load(&kept.engine, &kept.digest).is_none());
        assert!(elsewhere.exists());
    }
}
