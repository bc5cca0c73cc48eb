//! `orch:artifacts`: what a call made, by name.
//!
//! In -> out: WIT calls -> [`Artifact`]s, kept with the call's result.
//! Limits: the grant's types, count and bytes for each call; names and media types of 128 bytes; 1 MiB of handed bytes.
//! Invariant: a file is one in the workspace, reached over no link, and none of the host's own; a plugin learns no more
//! of it than that it is there.
//! Not here: the table of artifacts (`orch-journal`'s `artifacts`), how files are opened (`files/beneath.rs`).

use std::path::PathBuf;
use std::sync::Arc;

use orch_journal::artifacts::Artifact;
use orch_trust::digest::Sha256Digest;
use orch_trust::interfaces::Import;
use orch_trust::permission::ArtifactsPermission;
use sha2::{Digest, Sha256};
use wasmtime::component::Linker;

use super::environment::HostEnvironment;
use super::files::beneath::{FileError, Workspace, WorkspacePath};
use super::files::{Protected, aside, is_hidden};
use super::shape::{Capability, HasView, Holds, Kept, Opening, View};
use super::trial::Watched;
use crate::bindings::artifacts::artifacts::{Host, Label, add_to_linker};
use crate::bindings::types::types::Error;

const NAME_BYTES_MAX: usize = 128;
const TYPE_BYTES_MAX: usize = 128;
const CONTENT_BYTES_MAX: usize = 1 << 20;
const CHUNK_BYTES: usize = 1 << 20;

/// State of this capability in one store.
pub struct Artifacts {
    granted: Arc<ArtifactsPermission>,
    folder: Arc<PathBuf>,
    protected: Arc<Protected>,
    added: Vec<Artifact>,
    bytes: u64,
}

impl Artifacts {
    /// The label is well formed and no other's.
    fn check(&self, label: &Label) -> Result<(), Error> {
        let plain = |text: &str, most: usize| {
            (1..=most).contains(&text.len()) && !text.contains('/') && !text.chars().any(char::is_control)
        };
        if !plain(&label.name, NAME_BYTES_MAX) {
            let expected = "without `/` and control characters";
            return Err(Error::Invalid(format!("name is not 1 to {NAME_BYTES_MAX} bytes {expected}")));
        }
        if label.media_type.len() > TYPE_BYTES_MAX {
            let found = label.media_type.len();
            return Err(Error::Invalid(format!("media type of {found} bytes, limit is {TYPE_BYTES_MAX}")));
        }
        if self.added.iter().any(|other| other.name == label.name) {
            return Err(Error::Invalid(format!("name `{}` is taken", label.name)));
        }
        Ok(())
    }

    /// There is room for one more.
    fn check_count(&self) -> Result<(), Error> {
        match self.added.len() < self.granted.count as usize {
            true => Ok(()),
            false => Err(Error::Limit("artifacts.count".to_owned())),
        }
    }

    fn add(&mut self, label: Label, path: Option<String>, size: u64, sha256: String) -> Result<(), Error> {
        let bytes = self.bytes.saturating_add(size);
        if bytes > self.granted.bytes {
            return Err(Error::Limit("artifacts.bytes".to_owned()));
        }
        self.bytes = bytes;
        let Label { name, media_type } = label;
        self.added.push(Artifact { name, kind: media_type, path, size: Some(size), sha256, content: None });
        Ok(())
    }
}

impl Capability for Artifacts {
    type Permission = ArtifactsPermission;
    type Granted = Arc<ArtifactsPermission>;

    fn grant(permission: ArtifactsPermission, _host: &HostEnvironment) -> Arc<ArtifactsPermission> {
        Arc::new(permission)
    }

    fn open(granted: &Arc<ArtifactsPermission>, opening: Opening<'_>) -> Self {
        let (folder, protected) = (opening.lent.workspace.clone(), opening.lent.protected.clone());
        Self { granted: granted.clone(), folder, protected, added: Vec::new(), bytes: 0 }
    }

    fn link<S: Holds<Self>>(linker: &mut Linker<S>, _import: Import<'_>) -> wasmtime::Result<()> {
        add_to_linker::<_, HasView<Self>>(linker, S::view)
    }

    fn keep(self, kept: &mut Kept) {
        kept.writes.artifacts = self.added;
    }

    fn beyond(granted: Option<&ArtifactsPermission>, watched: &Watched<'_>) -> Vec<String> {
        let beyond = |artifact: &&Artifact| !granted.is_some_and(|granted| granted.allows(&artifact.kind));
        let kinds = watched.writes.artifacts.iter().filter(beyond);
        let mut found: Vec<String> =
            kinds.map(|one| format!("one of type `{}` was added", one.kind)).collect();
        let (count, bytes) = granted.map_or((0, 0), |granted| (granted.count as usize, granted.bytes));
        let sum: u64 = watched.writes.artifacts.iter().filter_map(|artifact| artifact.size).sum();
        if watched.writes.artifacts.len() > count || sum > bytes {
            found.push(format!("{} of {sum} bytes were added", watched.writes.artifacts.len()));
        }
        found
    }
}

impl View<'_, Artifacts> {
    fn check(&mut self, label: &Label) -> Result<(), Error> {
        self.state.check(label)?;
        match self.state.granted.allows(&label.media_type) {
            true => self.state.check_count(),
            false => Err(self.ledger.deny("artifacts", format!("type `{}`", label.media_type))),
        }
    }

    async fn add_file(&mut self, label: Label, path: String) -> Result<(), Error> {
        self.check(&label)?;
        let path = WorkspacePath::parse(&path).map_err(Error::Invalid)?;
        if is_hidden(path.as_str(), &self.state.protected) {
            return Err(self.ledger.deny("artifacts", format!("file `{}`", path.as_str())));
        }
        let (folder, shown) = (self.state.folder.clone(), path.as_str().to_owned());
        let left = self.state.granted.bytes.saturating_sub(self.state.bytes);
        let digested = aside(move || digest(&Workspace::open(&folder)?, &path, left)).await;
        let (size, sha256) = digested.map_err(|error| self.unreadable(&shown, &error))?;
        self.state.add(label, Some(shown), size, sha256)
    }

    fn add_bytes(&mut self, label: Label, content: &[u8]) -> Result<(), Error> {
        self.check(&label)?;
        if content.len() > CONTENT_BYTES_MAX {
            let found = content.len();
            return Err(Error::Invalid(format!("content of {found} bytes, limit is {CONTENT_BYTES_MAX}")));
        }
        let sha256 = Sha256Digest::of(content).to_string();
        self.state.add(label, None, content.len() as u64, sha256)?;
        if let Some(added) = self.state.added.pop() {
            self.state.added.push(added.with_bytes(content));
        }
        Ok(())
    }
}

/// Size and SHA-256 of a file; of one that has more than `most` bytes no more is read than shows it.
fn digest(workspace: &Workspace, path: &WorkspacePath, most: u64) -> Result<(u64, String), FileError> {
    let (mut size, mut hasher) = (0, Sha256::new());
    loop {
        let chunk = workspace.read(path, size, CHUNK_BYTES)?;
        if chunk.is_empty() || size > most {
            return Ok((size, hex::encode(hasher.finalize())));
        }
        hasher.update(&chunk);
        size += chunk.len() as u64;
    }
}

impl Host for View<'_, Artifacts> {
    async fn add_file(&mut self, label: Label, path: String) -> wasmtime::Result<Result<(), Error>> {
        self.ledger.forget_reason();
        Ok(View::add_file(self, label, path).await)
    }

    async fn add_bytes(&mut self, label: Label, content: Vec<u8>) -> wasmtime::Result<Result<(), Error>> {
        Ok(View::add_bytes(self, label, &content))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use wasmtime::component::ResourceTable;

    use super::*;
    use crate::capability::Ledger;
    use crate::capability::bench::Bench;

    struct Open {
        artifacts: Artifacts,
        table: ResourceTable,
        ledger: Ledger,
        folder: tempfile::TempDir,
    }

    fn label(name: &str, media_type: &str) -> Label {
        Label { name: name.to_owned(), media_type: media_type.to_owned() }
    }

    impl Open {
        fn new(count: u32, bytes: u64) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let types = vec!["text/*".to_owned()];
            let artifacts = Artifacts {
                granted: Arc::new(ArtifactsPermission { types, count, bytes }),
                folder: Arc::new(folder.path().to_owned()),
                protected: Arc::default(),
                added: Vec::new(),
                bytes: 0,
            };
            Self { artifacts, table: ResourceTable::new(), ledger: Bench::new().ledger(), folder }
        }

        fn view(&mut self) -> View<'_, Artifacts> {
            View::of(&mut self.artifacts, &mut self.table, &mut self.ledger)
        }

        async fn file(&mut self, name: &str, path: &str) -> Result<(), Error> {
            self.view().add_file(label(name, "text/plain"), path.to_owned()).await
        }
    }

    #[tokio::test]
    async fn a_file_and_bytes_are_kept_with_size_and_digest() {
        let mut open = Open::new(2, 100);
        fs::write(open.folder.path().join("a.txt"), "hello").unwrap();
        open.file("greeting", "a.txt").await.unwrap();
        open.view().add_bytes(label("note", "text/markdown"), b"# hi").unwrap();
        let mut kept = Kept::default();
        open.artifacts.keep(&mut kept);
        let [file, bytes] = kept.writes.artifacts.as_slice() else { panic!("{kept:?}") };
        assert_eq!((file.path.as_deref(), file.size), (Some("a.txt"), Some(5)));
        assert_eq!(file.sha256, Sha256Digest::of(b"hello").to_string());
        assert_eq!((bytes.path.as_deref(), bytes.bytes()), (None, Some(b"# hi".to_vec())));
    }

    #[tokio::test]
    async fn types_names_and_places_that_are_not_granted_are_refused() {
        let mut open = Open::new(9, 100);
        fs::create_dir(open.folder.path().join(".orch")).unwrap();
        for name in [".orch/state.db", "a.txt"] {
            fs::write(open.folder.path().join(name), "x").unwrap();
        }
        std::os::unix::fs::symlink("/etc/passwd", open.folder.path().join("link")).unwrap();
        let denied = open.view().add_bytes(label("a", "image/png"), b"");
        assert!(matches!(denied, Err(Error::Denied(_))));
        assert!(matches!(open.file("a", ".orch/state.db").await, Err(Error::Denied(_))));
        assert!(matches!(open.file("a", ".ORCH/state.db").await, Err(Error::Denied(_))));
        assert!(matches!(open.file("a", "link").await, Err(Error::NotFound)));
        assert!(matches!(open.file("a", "gone").await, Err(Error::NotFound)));
        assert!(matches!(open.file("a", "../x").await, Err(Error::Invalid(_))));
        for name in ["", "a/b", "a\nb", &"x".repeat(129)] {
            assert!(matches!(open.file(name, "a.txt").await, Err(Error::Invalid(_))), "{name}");
        }
        open.file("a", "a.txt").await.unwrap();
        assert!(matches!(open.file("a", "a.txt").await, Err(Error::Invalid(_))), "the name is taken");
        let denials = [
            "artifacts: type `image/png`",
            "artifacts: file `.orch/state.db`",
            "artifacts: file `.ORCH/state.db`",
        ];
        assert_eq!(open.ledger.into_parts().0, denials);
    }

    #[tokio::test]
    async fn count_and_bytes_end_where_the_grant_says() {
        let mut open = Open::new(2, 5);
        fs::write(open.folder.path().join("five"), "12345").unwrap();
        fs::write(open.folder.path().join("six"), "123456").unwrap();
        assert!(matches!(open.file("a", "six").await, Err(Error::Limit(what)) if what == "artifacts.bytes"));
        open.file("a", "five").await.unwrap();
        let one_more = open.view().add_bytes(label("b", "text/plain"), b"x");
        assert!(matches!(one_more, Err(Error::Limit(what)) if what == "artifacts.bytes"));
        open.view().add_bytes(label("b", "text/plain"), b"").unwrap();
        let third = open.view().add_bytes(label("c", "text/plain"), b"");
        assert!(matches!(third, Err(Error::Limit(what)) if what == "artifacts.count"));
        let mut open = Open::new(2, u64::MAX);
        let large = vec![0; CONTENT_BYTES_MAX + 1];
        assert!(matches!(open.view().add_bytes(label("b", "text/plain"), &large), Err(Error::Invalid(_))));
        open.view().add_bytes(label("b", "text/plain"), &large[1..]).unwrap();
    }
}
