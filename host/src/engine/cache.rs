//! Native code on disk, so that a second start compiles nothing.
//!
//! In -> out: the digest of a component that may run -> its native code, if this very host kept it.
//! Limits: 512 MiB a file. Folder 0700, files 0600.
//! Invariant: the engine believes native code, so nothing is handed to it whose receipt this host's key did not
//! make, or that belongs to another component, engine, version or machine; what does not fit is deleted. A receipt
//! says nothing of trust: the package is verified at each load, whatever is kept here.
//! Not here: the key (`config/secret.rs`); candidates are never kept (`compile.rs` takes `Runnable` only).

use std::fs::{self, DirBuilder, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use orch_trust::digest::Sha256Digest;
use sha2::{Digest, Sha256};
use wasmtime::component::Component;
use zeroize::Zeroizing;

use super::Engine;
use super::version::WASMTIME_VERSION;
use crate::regular_file::{self, Links};

/// Of the MAC. Another number for another form of receipt.
const LABEL: &[u8] = b"orch native code 2\0";
const FILE_BYTES_MAX: u64 = 512 << 20;
/// MAC, digest of the component, of the engine, size of the code, digest of the code.
const RECEIPT_BYTES: usize = 32 + 32 + 32 + 8 + 32;

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
        let bytes = match regular_file::read_public(&path, Links::Refused, FILE_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(error) if error.is_missing() => return None,
            Err(_) => return discard(&path),
        };
        let Some(code) = self.checked(&engine_digest(engine), component, &bytes) else {
            return discard(&path);
        };
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
            let receipt = self.receipt(&engine_digest(engine), component, &code);
            write(&path, &[&receipt, &code])
        });
        if let Err(error) = written {
            tracing::warn!(%error, "native code was not kept");
        }
    }

    fn path(&self, engine: &Engine, component: &Sha256Digest) -> PathBuf {
        self.folder.join(format!("{component}.{}", engine.kind().as_str()))
    }

    fn receipt(&self, engine: &[u8; 32], component: &Sha256Digest, code: &[u8]) -> Vec<u8> {
        let body = receipt_body(engine, component, code);
        let mut receipt = self.mac(&body).finalize().into_bytes().to_vec();
        receipt.extend_from_slice(&body);
        receipt
    }

    /// The code, if receipt and code are what they must be.
    fn checked<'a>(&self, engine: &[u8; 32], component: &Sha256Digest, bytes: &'a [u8]) -> Option<&'a [u8]> {
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

fn receipt_body(engine: &[u8; 32], component: &Sha256Digest, code: &[u8]) -> Vec<u8> {
    let size = (code.len() as u64).to_be_bytes();
    [component.as_bytes().as_slice(), engine, &size, Sha256Digest::of(code).as_bytes()].concat()
}

/// Of everything that native code depends on: the engine's version, sort and settings, the machine and the features of
/// its processor, which the engine's own hash holds beside its settings.
fn engine_digest(engine: &Engine) -> [u8; 32] {
    let mut hasher = Sha256Hasher(Sha256::new());
    (WASMTIME_VERSION, std::env::consts::ARCH, std::env::consts::OS).hash(&mut hasher);
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
    let is_folder = fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
    let removed = if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    if let Err(error) = removed {
        tracing::warn!(%error, "it could not be deleted");
    }
    None
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
    use std::os::unix::fs::{PermissionsExt, symlink};

    use rustix::fs::{CWD, Mode, mkfifoat};

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

        fn loads(&self) -> bool {
            self.cache.load(&self.engine, &self.digest).is_some()
        }

        /// Not believed, and nothing is left in its place.
        #[track_caller]
        fn refuses(&self, what: &str) {
            assert!(!self.loads(), "{what}");
            assert!(fs::symlink_metadata(self.file()).is_err(), "{what} is left");
        }

        #[track_caller]
        fn refuses_bytes(&self, bytes: &[u8], what: &str) {
            fs::write(self.file(), bytes).unwrap();
            self.refuses(what);
        }
    }

    #[test]
    fn what_this_host_kept_is_loaded_and_nobody_else_may_look() {
        let kept = Kept::new();
        assert!(kept.loads());
        assert!(kept.cache.load(&kept.engine, &Sha256Digest::of(b"other")).is_none());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&kept.file()), mode(&kept.folder.path().join("native"))), (0o600, 0o700));
        assert_eq!(fs::read_dir(kept.folder.path().join("native")).unwrap().count(), 1);
    }

    #[test]
    fn a_changed_byte_anywhere_is_not_believed_and_deleted() {
        let kept = Kept::new();
        let bytes = fs::read(kept.file()).unwrap();
        // Every byte of the receipt, and of the code the 64th, another bit of each.
        let places =
            (0..RECEIPT_BYTES).chain((RECEIPT_BYTES..bytes.len()).step_by(64)).chain([bytes.len() - 1]);
        let mut tried = 0;
        for place in places {
            let mut changed = bytes.clone();
            changed[place] ^= 1 << (place % 8);
            kept.refuses_bytes(&changed, &format!("byte {place}"));
            tried += 1;
        }
        assert!(tried > 300, "{tried} of {}", bytes.len());
        for length in [0, 10, RECEIPT_BYTES - 1, RECEIPT_BYTES, RECEIPT_BYTES + 1, bytes.len() - 1] {
            kept.refuses_bytes(&bytes[..length], &format!("{length} bytes"));
        }
        kept.refuses_bytes(&bytes[RECEIPT_BYTES..], "code without a receipt");
        kept.refuses_bytes(&[bytes.clone(), vec![0]].concat(), "a byte more");
        kept.refuses_bytes(&[bytes.clone(), bytes.clone()].concat(), "twice");
        fs::write(kept.file(), &bytes).unwrap();
        assert!(kept.loads());
    }

    #[test]
    fn native_code_of_another_key_component_or_engine_is_not_believed() {
        let kept = Kept::new();
        let bytes = fs::read(kept.file()).unwrap();
        let code = &bytes[RECEIPT_BYTES..];
        let other_key = NativeCache::open(&kept.folder.path().join("native"), [8; 32]).unwrap();
        assert!(other_key.load(&kept.engine, &kept.digest).is_none());
        assert!(!kept.file().exists());

        let other = Sha256Digest::of(b"other");
        fs::write(kept.cache.path(&kept.engine, &other), &bytes).unwrap();
        assert!(kept.cache.load(&kept.engine, &other).is_none());

        let large = Engine::large().unwrap();
        fs::write(kept.cache.path(&large, &kept.digest), &bytes).unwrap();
        assert!(kept.cache.load(&large, &kept.digest).is_none());

        // Receipts with this host's key, each with one other field than it must be.
        let engine = engine_digest(&kept.engine);
        let with = |engine: &[u8; 32], component: &Sha256Digest, of: &[u8]| {
            [kept.cache.receipt(engine, component, of), code.to_vec()].concat()
        };
        fs::write(kept.file(), with(&engine, &kept.digest, code)).unwrap();
        assert!(kept.loads(), "the forger's own work is good, so what follows is refused for its field");
        kept.refuses_bytes(&with(&engine_digest(&large), &kept.digest, code), "another engine");
        kept.refuses_bytes(&with(&[0; 32], &kept.digest, code), "an engine of before");
        kept.refuses_bytes(&with(&engine, &other, code), "another component");
        kept.refuses_bytes(&with(&engine, &kept.digest, b"other"), "other code");
        // Labels keep keys of one purpose from making receipts of another form.
        let mut mac = Hmac::<Sha256>::new_from_slice(&[7; 32]).unwrap();
        let body = receipt_body(&engine, &kept.digest, code);
        mac.update(b"orch native code 1\0");
        mac.update(&body);
        let mac = mac.finalize().into_bytes().to_vec();
        kept.refuses_bytes(&[mac, body, code.to_vec()].concat(), "a receipt of another form");
    }

    #[test]
    fn engines_that_are_set_up_otherwise_have_another_digest() {
        let digests: std::collections::BTreeSet<[u8; 32]> =
            [Engine::run(1, 0), Engine::large(), Engine::certification()]
                .map(|engine| engine_digest(&engine.unwrap()))
                .into();
        assert_eq!(digests.len(), 3);
        // The number of slots is the pool's, and no native code depends on it.
        assert_eq!(engine_digest(&Engine::run(1, 0).unwrap()), engine_digest(&Engine::run(2, 1).unwrap()));
    }

    #[test]
    fn what_is_no_regular_file_is_not_followed_nor_waited_for_and_deleted() {
        let kept = Kept::new();
        let elsewhere = kept.folder.path().join("elsewhere");
        fs::rename(kept.file(), &elsewhere).unwrap();
        symlink(&elsewhere, kept.file()).unwrap();
        kept.refuses("a link to good native code");
        assert!(elsewhere.exists());
        mkfifoat(CWD, kept.file(), Mode::RUSR | Mode::WUSR).unwrap();
        kept.refuses("a pipe that nobody writes to");
        let socket = std::os::unix::net::UnixListener::bind(kept.file()).unwrap();
        kept.refuses("a socket");
        drop(socket);
        fs::create_dir_all(kept.file().join("full")).unwrap();
        symlink(&elsewhere, kept.file().join("full/link")).unwrap();
        kept.refuses("a folder");
        assert!(elsewhere.exists());
        fs::rename(&elsewhere, kept.file()).unwrap();
        assert!(kept.loads());
        let file = fs::OpenOptions::new().write(true).open(kept.file()).unwrap();
        file.set_len(FILE_BYTES_MAX + 1).unwrap();
        kept.refuses("a file larger than any");
    }
}
