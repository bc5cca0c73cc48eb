//! A workspace's repository, and the folder that the host keeps of its own for it.
//!
//! In -> out: workspace, the host's folder -> [`Repository`].
//! Shape: objects are the repository's (`GIT_OBJECT_DIRECTORY`), so are refs (links); configuration, attributes, `HEAD` and
//! each index are the host's.
//! Invariant: of the repository's configuration two words are read, and by a reader that follows no include; nothing in
//! `.git` but objects and refs is written here.
//! Not here: its refs (`refs.rs`), its objects (`objects.rs`), the person's tree taken to another commit (`checkout.rs`).

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};

use super::program::{Call, Program};
use super::{GitError, Oid, Signed};
use crate::regular_file::{self, Links};
use crate::whole_file;

/// Of the file `.git`, and of `commondir`.
const POINTER_BYTES_MAX: u64 = 64 << 10;

/// For every path, over whatever a tree says: bytes are bytes.
const ATTRIBUTES: &str = "* -text !eol -ident !filter !working-tree-encoding !merge !diff !export-subst\n";

/// A repository that the host reads and writes.
#[derive(Clone, Debug)]
pub struct Repository {
    program: Program,
    workspace: PathBuf,
    /// `HEAD` and `index` of the person's checkout.
    pub(super) own: PathBuf,
    /// Its objects and refs.
    pub(super) common: PathBuf,
    /// The host's.
    pub(super) folder: PathBuf,
}

impl Repository {
    /// The repository of that workspace. `folder` is the host's, made if it is not there; `path`: where programs lie.
    ///
    /// # Errors
    /// `Missing`, `TooOld`, `NoRepository`, `Bare`, `Unfit`, `Io`.
    pub fn open(
        workspace: &Path,
        folder: &Path,
        path: impl IntoIterator<Item = PathBuf>,
    ) -> Result<Self, GitError> {
        let program = Program::find(path)?;
        let (own, common) = places(workspace)?;
        let (workspace, folder) = (workspace.to_owned(), folder.to_owned());
        let repository = Self { program, workspace, own, common, folder };
        repository.prepare()?;
        Ok(repository)
    }

    /// Where objects and refs lie.
    pub fn common(&self) -> &Path {
        &self.common
    }

    /// A call on the host's folder.
    pub(super) fn call<'a>(&self, args: &[&str]) -> Call<'a> {
        let call = self.program.call(args).folder(&self.folder);
        call.env("GIT_DIR", &self.folder).env("GIT_OBJECT_DIRECTORY", self.common.join("objects"))
    }

    /// What a call without much to say answers, without its line end.
    pub(super) fn line(&self, args: &[&str]) -> Result<String, GitError> {
        Ok(String::from_utf8_lossy(&self.call(args).run()?.out).trim_end().to_owned())
    }

    pub(super) fn unfit(&self, what: impl Into<String>) -> GitError {
        GitError::Unfit { repository: self.common.clone(), what: what.into() }
    }

    fn prepare(&self) -> Result<(), GitError> {
        let at = |what: &'static str, path: &Path| {
            let path = path.to_owned();
            move |source| GitError::Io { what, path, source }
        };
        let info = self.folder.join("info");
        let mut maker = fs::DirBuilder::new();
        maker.recursive(true).mode(0o700).create(&info).map_err(at("make", &info))?;
        let write = |name: &str, text: &str| {
            let path = self.folder.join(name);
            whole_file::write(&path, text.as_bytes(), whole_file::PRIVATE).map_err(at("write", &path))
        };
        write("HEAD", "ref: refs/heads/none\n")?;
        write("info/attributes", ATTRIBUTES)?;
        for name in ["refs", "packed-refs", "shallow"] {
            let (link, to) = (self.folder.join(name), self.common.join(name));
            if link.read_link().is_ok_and(|found| found == to) {
                continue;
            }
            match fs::remove_file(&link) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(at("replace", &link)(error)),
                _ => symlink(&to, &link).map_err(at("make", &link))?,
            }
        }
        let format = self.format()?;
        let excludes = quoted(&self.common.join("info/exclude"));
        let config = format!(
            "[core]\n\trepositoryformatversion = 1\n\tbare = false\n\tfilemode = true\n\tsymlinks = true\n\tignorecase = false\n\
             \tautocrlf = false\n\tsafecrlf = false\n\tfsync = all\n\tfsmonitor = false\n\tuntrackedCache = false\n\
             \tprotectHFS = true\n\tprotectNTFS = true\n\tquotePath = false\n\tlogAllRefUpdates = false\n\
             \thooksPath = /dev/null\n\tattributesFile = /dev/null\n\texcludesFile = {excludes}\n\
             [extensions]\n\tobjectFormat = {format}\n[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n\
             [submodule]\n\trecurse = false\n[diff]\n\tignoreSubmodules = all\n[status]\n\tsubmoduleSummary = false\n\
             [checkout]\n\tworkers = 1\n[protocol]\n\tallow = never\n[user]\n\tuseConfigOnly = true\n"
        );
        write("config", &config)
    }

    /// `sha1` or `sha256`, as the repository's own configuration says; refuses what the host could not read right.
    fn format(&self) -> Result<&'static str, GitError> {
        let file = self.common.join("config");
        let read = ["config", "--no-includes", "-z", "--list", "--file"];
        let mut args = read.map(str::to_owned).to_vec();
        args.push(file.to_str().ok_or_else(|| self.unfit("lies at a path that is no text"))?.to_owned());
        if !file.exists() {
            return Ok("sha1");
        }
        // In a folder that is no repository: nothing else is read.
        let call = self.program.call(&args).env("GIT_DIR", "/nonexistent");
        let found = call
            .run()
            .map_err(|error| self.unfit(format!("has a configuration that git does not read: {error}")))?;
        let mut format = "sha1";
        for entry in found.out.split(|byte| *byte == 0) {
            let text = String::from_utf8_lossy(entry);
            let (key, value) = text.split_once('\n').unwrap_or((&text, "true"));
            match (key, value.to_ascii_lowercase().as_str()) {
                ("core.bare", "true" | "yes" | "on" | "1") => {
                    return Err(GitError::Bare { repository: self.common.clone() });
                }
                ("extensions.objectformat", "sha1") => format = "sha1",
                ("extensions.objectformat", "sha256") => format = "sha256",
                ("extensions.objectformat", _) => {
                    return Err(self.unfit("names its objects in a way that is not known here"));
                }
                ("extensions.refstorage", "files") => {}
                ("extensions.refstorage", _) => {
                    return Err(self.unfit("keeps its refs in another way than as files"));
                }
                _ => {}
            }
        }
        Ok(format)
    }

    /// What of the person's tree is not committed, by path: git's own look, with the index that it keeps.
    ///
    /// # Errors
    /// `Unfit` for an index in several files; `Failed`.
    pub fn uncommitted(&self, index: &Path) -> Result<Vec<PathBuf>, GitError> {
        self.copy_index(index)?;
        let head = self.head()?;
        // The status is told against the host's own `HEAD`.
        let head_file = self.folder.join("HEAD");
        let at = |source| GitError::Io { what: "write", path: head_file.clone(), source };
        whole_file::write(&head_file, format!("{}\n", head.commit).as_bytes(), whole_file::PRIVATE)
            .map_err(at)?;
        let args = [
            "status",
            "--porcelain=v1",
            "-z",
            "--ignore-submodules=all",
            "--untracked-files=all",
            "--no-renames",
        ];
        let call = self.call(&args).folder(&self.workspace);
        let found = call.env("GIT_WORK_TREE", &self.workspace).env("GIT_INDEX_FILE", index).run();
        let found = found.map_err(|error| match self.has_shared_index() {
            true => {
                self.unfit("has its index in several files (`git update-index --no-split-index` joins them)")
            }
            false => error,
        });
        let found = found?.out;
        let entries = found.split(|byte| *byte == 0).filter_map(|entry| entry.get(3..));
        Ok(entries.map(|path| OsStr::from_bytes(path).into()).collect())
    }

    fn has_shared_index(&self) -> bool {
        let entries = fs::read_dir(&self.own).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name()).any(|name| name.to_string_lossy().starts_with("sharedindex."))
    }

    /// Copies the person's index, which says what of their tree is as it was written.
    pub(super) fn copy_index(&self, index: &Path) -> Result<(), GitError> {
        let of_person = self.own.join("index");
        let at = |source| GitError::Io { what: "copy", path: of_person.clone(), source };
        match whole_file::copy_index(&of_person, index) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // Nothing was ever added there: whatever is in `HEAD` is gone.
                match fs::remove_file(index) {
                    Err(error) if error.kind() != ErrorKind::NotFound => Err(at(error)),
                    _ => Ok(()),
                }
            }
            Err(error) => Err(at(error)),
        }
    }

    /// Who the person is to git: their name and address, as its configuration says without its includes.
    ///
    /// # Errors
    /// `Failed`, `Io`.
    pub fn person(&self, home: Option<&Path>, at_ms: u64) -> Result<Signed, GitError> {
        let global =
            home.into_iter().flat_map(|home| [home.join(".gitconfig"), home.join(".config/git/config")]);
        let files: Vec<PathBuf> = [self.common.join("config")].into_iter().chain(global).collect();
        let value = |key: &str| -> Result<Option<String>, GitError> {
            for file in files.iter().filter(|file| file.is_file()) {
                let args = [
                    OsStr::new("config"),
                    OsStr::new("--no-includes"),
                    OsStr::new("--file"),
                    file.as_os_str(),
                    OsStr::new("--get"),
                    OsStr::new(key),
                ];
                let answer = self.program.call(&args).env("GIT_DIR", "/nonexistent").answers(&[1]).run()?;
                if answer.code == 0 {
                    return Ok(Some(String::from_utf8_lossy(&answer.out).trim_end().to_owned()));
                }
            }
            Ok(None)
        };
        let host = Signed::by_host(at_ms);
        Ok(match (value("user.name")?, value("user.email")?) {
            (Some(name), Some(email)) => Signed { name, email, ..host },
            _ => host,
        })
    }

    pub fn workspace(&self) -> &Path {
        &self.workspace
    }

    /// A name of an object that this repository's git said.
    pub(super) fn oid(&self, verb: &str, text: &str) -> Result<Oid, GitError> {
        let failed = || GitError::Failed {
            verb: verb.to_owned(),
            said: format!("no name of an object: `{}`", text.escape_debug()),
        };
        Oid::parse(text.trim()).ok_or_else(failed)
    }
}

/// Where the checkout's own files lie, and where objects and refs do.
fn places(workspace: &Path) -> Result<(PathBuf, PathBuf), GitError> {
    let git = workspace.join(".git");
    let unfit = |what: &str| GitError::Unfit { repository: git.clone(), what: what.to_owned() };
    let own = match fs::metadata(&git) {
        Ok(found) if found.is_dir() => git.clone(),
        Ok(found) if found.is_file() => {
            let text = pointer(&git)?;
            let said = text.strip_prefix("gitdir: ").ok_or_else(|| unfit("is a file that leads nowhere"))?;
            workspace.join(said)
        }
        Ok(_) => return Err(unfit("is neither a folder nor a file")),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let is_bare = ["HEAD", "objects", "refs"].iter().all(|name| workspace.join(name).exists());
            let workspace = workspace.to_owned();
            return Err(match is_bare {
                true => GitError::Bare { repository: workspace },
                false => GitError::NoRepository { workspace },
            });
        }
        Err(source) => return Err(GitError::Io { what: "look at", path: git, source }),
    };
    let own = own.canonicalize().map_err(|_| unfit("leads to a folder that is not there"))?;
    let common = match own.join("commondir") {
        file if file.exists() => own.join(pointer(&file)?),
        _ => own.clone(),
    };
    let common = common.canonicalize().map_err(|_| unfit("leads to a folder that is not there"))?;
    match ["objects", "refs"].iter().all(|name| common.join(name).is_dir()) {
        true => Ok((own, common)),
        false => Err(unfit("has no objects or no refs")),
    }
}

fn pointer(path: &Path) -> Result<String, GitError> {
    let read = regular_file::read_text(path, Links::Refused, POINTER_BYTES_MAX);
    let (text, _) =
        read.map_err(|error| GitError::Io { what: "read", path: path.to_owned(), source: error.into() })?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

/// As a value of git's configuration.
fn quoted(path: &Path) -> String {
    let mut text = String::from("\"");
    for letter in path.to_string_lossy().chars() {
        match letter {
            '"' | '\\' => text.extend(['\\', letter]),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            other => text.push(other),
        }
    }
    text.push('"');
    text
}
