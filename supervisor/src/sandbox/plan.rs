//! Which steps build a command's root.
//!
//! In -> out: [`Walls`], what is there on this machine -> [`Plan`]: [`Step`]s, in order, with every text ready for the kernel.
//! Shape: what is kept for commands after this one, then what is this command's own. Kept are the root's folders, devices, and
//! places that are read, up to the first that is written, hidden, or lies in another; never what is mounted for one command.
//! Invariant: what no place names is not there. The steps end with the old root gone and the new one not writable.
//! Not here: taking them (`build.rs`), keeping them (`template.rs`).

use std::collections::HashSet;
use std::ffi::CString;
use std::fs::Metadata;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use super::{Access, Cache, Place, Wall, Walls};

/// Where the new root is put together: any folder that every machine has. What lies in it stays reachable.
const BASE: &str = "/tmp";
/// The old root, while there are both. An empty folder stays, as a command sees in its root: where one is removed the kernel
/// takes away what lies on it in every other namespace, and so from what is kept.
const OLD: &str = "/.old";
/// What stands for hidden files, which nobody opens, and folders, which are empty: whoever walks through them goes on. The folder
/// stays, as a command sees in its root.
pub(super) const NO_FILE: &str = "/.no-file";
pub(super) const NO_FOLDER: &str = "/.no-folder";

const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];
const DEVICE_LINKS: [(&str, &str); 5] = [
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
    ("pts/ptmx", "/dev/ptmx"),
];
/// Of `/proc`, what changes the machine: a file there asks who its writer is, not what it may.
const PROC_READ: [&str; 5] = ["sys", "sysrq-trigger", "irq", "bus", "fs"];
/// Of `/proc`, what tells of the machine's memory and keys.
const PROC_HIDDEN: [&str; 8] =
    ["kcore", "kmsg", "keys", "key-users", "timer_list", "sched_debug", "acpi", "scsi"];

/// The kernel keeps 300 for itself.
const PROCESS_IDS_MIN: u32 = 302;

/// One step; paths are as the command will see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing of what follows reaches the machine's own mounts.
    Private,
    Tmpfs {
        at: CString,
        options: CString,
    },
    /// One that is there already is as good.
    Dir(CString),
    File(CString),
    Link {
        to: CString,
        at: CString,
    },
    /// The base becomes the root, the old one lies beneath.
    Pivot {
        base: CString,
        old: CString,
    },
    /// With all that is mounted beneath.
    Bind {
        from: CString,
        at: CString,
        writable: bool,
        device: bool,
    },
    /// Over what is there already, and may be changed by whoever else writes there: no link is followed, and one that has
    /// become a link, or is gone, is left.
    Over {
        at: CString,
        shown: Shown,
    },
    /// Layers over one another, the uppermost written.
    Overlay {
        at: CString,
        options: CString,
    },
    Proc,
    /// As many process ids as that: held by the kernel where each namespace has a number of its own (6.14). Elsewhere it
    /// refuses, and the limit of processes and the look at them are what holds.
    ProcessIds(CString),
    Devpts,
    /// Mode 000, and nobody can change it.
    Close(CString),
    /// A file.
    Remove(CString),
    Detach(CString),
    ReadOnlyRoot,
}

/// What is put over something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Itself.
    Readable,
    /// Itself, as a mount of its own: nothing else comes into its place.
    Writable,
    NoFile,
    NoFolder,
}

/// The steps for these walls.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The same for all commands that see the same; the old root is still there.
    pub(crate) kept: Vec<Step>,
    /// Device and inode of what each of its mounts leads to.
    pub(crate) sources: Vec<(u64, u64)>,
    pub(crate) own: Vec<Step>,
}

/// None without a mount wall.
///
/// # Errors
/// A path that is none.
pub(crate) fn of(walls: &Walls) -> io::Result<Option<Plan>> {
    if !walls.has(Wall::Mounts) {
        return Ok(None);
    }
    let mut planning = Planning {
        plan: Plan { kept: Vec::new(), sources: Vec::new(), own: Vec::new() },
        made: HashSet::new(),
        hidden: HashSet::new(),
        bound: HashSet::new(),
        covered: Vec::new(),
        has_own_places: false,
        shown: Vec::new(),
    };
    planning.root()?;
    planning.devices(walls.limits.tmp_bytes)?;
    let processes = walls.limits.processes.filter(|_| walls.has(Wall::Limits));
    planning.proc(walls.has(Wall::Processes), processes)?;
    // Before the places, which may lie in it.
    planning.folder(Path::new("/tmp"))?;
    planning.tmpfs("/tmp", &format!("mode=1777,size={}", walls.limits.tmp_bytes / 2))?;
    planning.folder(Path::new("/var"))?;
    planning.link("../tmp", "/var/tmp")?;
    planning.folder(Path::new("/run"))?;
    for place in &walls.places {
        planning.place(place)?;
    }
    for cache in &walls.caches {
        planning.cache(cache)?;
    }
    // Not the folder: one that is removed cannot be listed, and whoever asks the kernel itself hears of an error.
    planning.own(Step::Remove(text(NO_FILE)?));
    planning.own(Step::Detach(text(OLD)?));
    planning.own(Step::ReadOnlyRoot);
    Ok(Some(planning.plan))
}

struct Planning {
    plan: Plan,
    /// Folders of the new root that are there.
    made: HashSet<PathBuf>,
    /// Once is enough: what covers it would be covered.
    hidden: HashSet<PathBuf>,
    /// Where something of the machine's is shown, but devices.
    bound: HashSet<PathBuf>,
    /// Where the command's own is mounted.
    covered: Vec<PathBuf>,
    /// What follows may lie over it, or in it.
    has_own_places: bool,
    /// Paths that show what lies elsewhere, and where.
    shown: Vec<(PathBuf, PathBuf)>,
}

impl Planning {
    fn kept(&mut self, step: Step) {
        self.plan.kept.push(step);
    }

    fn own(&mut self, step: Step) {
        self.plan.own.push(step);
    }

    fn root(&mut self) -> io::Result<()> {
        self.kept(Step::Private);
        self.kept(Step::Tmpfs { at: text(BASE)?, options: text("mode=0755,size=4m")? });
        self.kept(Step::Dir(text(&format!("{BASE}{OLD}"))?));
        self.kept(Step::Pivot { base: text(BASE)?, old: text(&format!("{BASE}{OLD}"))? });
        self.folder(Path::new(NO_FOLDER))?;
        // Removed from each command's root.
        self.own(Step::File(text(NO_FILE)?));
        self.own(Step::Close(text(NO_FILE)?));
        Ok(())
    }

    /// The command's own.
    fn tmpfs(&mut self, at: &str, options: &str) -> io::Result<()> {
        self.own(Step::Tmpfs { at: text(at)?, options: text(options)? });
        self.covered.push(at.into());
        Ok(())
    }

    /// What the root has: kept, unless the command's own is mounted above it.
    fn rooted(&mut self, path: &Path, step: Step) {
        match self.covered.iter().any(|own| path.starts_with(own)) {
            true => self.own(step),
            false => self.kept(step),
        }
    }

    /// With all above it.
    fn folder(&mut self, path: &Path) -> io::Result<()> {
        let is_new = |folder: &&Path| folder.parent().is_some() && !self.made.contains(*folder);
        let new: Vec<&Path> = path.ancestors().take_while(is_new).collect();
        for folder in new.into_iter().rev() {
            self.made.insert(folder.to_owned());
            self.rooted(folder, Step::Dir(text(folder)?));
        }
        Ok(())
    }

    fn file(&mut self, path: impl AsRef<Path>) -> io::Result<()> {
        let path = path.as_ref();
        if let Some(folder) = path.parent() {
            self.folder(folder)?;
        }
        self.rooted(path, Step::File(text(path)?));
        Ok(())
    }

    fn link(&mut self, to: &str, at: &str) -> io::Result<()> {
        self.kept(Step::Link { to: text(to)?, at: text(at)? });
        Ok(())
    }

    fn devices(&mut self, tmp_bytes: u64) -> io::Result<()> {
        self.folder(Path::new("/dev/pts"))?;
        self.folder(Path::new("/dev/shm"))?;
        for device in DEVICES {
            let at = format!("/dev/{device}");
            self.file(&at)?;
            let from = text(&format!("{OLD}{at}"))?;
            self.kept(Step::Bind { from, at: text(&at)?, writable: true, device: true });
            let found = Path::new(&at).metadata();
            self.plan.sources.push(found.map_or((0, 0), |found| (found.dev(), found.ino())));
        }
        for (to, at) in DEVICE_LINKS {
            self.link(to, at)?;
        }
        self.own(Step::Devpts);
        self.covered.push("/dev/pts".into());
        self.tmpfs("/dev/shm", &format!("mode=1777,size={}", tmp_bytes / 2))
    }

    fn proc(&mut self, is_its_own: bool, processes: Option<u32>) -> io::Result<()> {
        self.folder(Path::new("/proc"))?;
        if !is_its_own {
            // The machine's would show everybody's.
            return Ok(());
        }
        self.own(Step::Proc);
        self.covered.push("/proc".into());
        if let Some(processes) = processes {
            self.own(Step::ProcessIds(text(&processes.max(PROCESS_IDS_MIN).to_string())?));
        }
        for (names, is_hidden) in [(&PROC_READ[..], false), (&PROC_HIDDEN[..], true)] {
            for name in names {
                let path = Path::new("/proc").join(name);
                let Ok(found) = path.symlink_metadata() else { continue };
                let from = match (is_hidden, found.is_dir()) {
                    (true, true) => text(NO_FOLDER)?,
                    (true, false) => text(NO_FILE)?,
                    (false, _) => text(&path)?,
                };
                self.own(Step::Bind { from, at: text(&path)?, writable: false, device: false });
                self.bound.insert(path);
            }
        }
        Ok(())
    }

    fn place(&mut self, place: &Place) -> io::Result<()> {
        let Place { path, access, source } = place;
        let access = *access;
        [Some(path), source.as_ref()].into_iter().flatten().try_for_each(|path| check(path))?;
        let real = source.clone().unwrap_or_else(|| self.real(path));
        let Ok(found) = real.symlink_metadata() else { return Ok(()) };
        // A link of the machine's own root, such as `/bin`, stays one. Elsewhere what it leads to stands in its place.
        if found.is_symlink() && real == *path && path.components().count() == 2 && access == Access::Read {
            let to = path.read_link()?;
            self.kept(Step::Link { to: text(&to)?, at: text(path)? });
            return Ok(());
        }
        if access == Access::Hidden && !self.hidden.insert(path.to_owned()) {
            return Ok(());
        }
        if source.is_none() && self.is_beneath_a_place(path) {
            let shown = match (access, found.is_dir()) {
                (Access::Read, _) => Shown::Readable,
                (Access::Write, _) => Shown::Writable,
                (Access::Hidden, true) => Shown::NoFolder,
                (Access::Hidden, false) => Shown::NoFile,
            };
            self.own(Step::Over { at: text(path)?, shown });
            self.has_own_places = true;
            return Ok(());
        }
        let (Ok(target), Access::Read | Access::Write) = (real.canonicalize(), access) else { return Ok(()) };
        let Ok(found) = target.metadata() else { return Ok(()) };
        if let Some(source) = source {
            self.shown.push((path.clone(), source.clone()));
        }
        let is_kept = access == Access::Read && source.is_none() && self.may_keep(path);
        match found.is_dir() {
            true => self.folder(path)?,
            false => self.file(path)?,
        }
        let writable = access == Access::Write;
        let bind = Step::Bind { from: text(&old(&target))?, at: text(path)?, writable, device: false };
        self.bound.insert(path.clone());
        self.bind(path, bind, is_kept.then_some(&found));
        Ok(())
    }

    /// Kept, if it is known what it leads to.
    fn bind(&mut self, path: &Path, bind: Step, found: Option<&Metadata>) {
        if let Some(found) = found {
            self.plan.sources.push((found.dev(), found.ino()));
            return self.kept(bind);
        }
        self.has_own_places = true;
        self.covered.push(path.to_owned());
        self.own(bind);
    }

    /// True if nothing of the command's own lies above or beneath that path.
    fn may_keep(&self, path: &Path) -> bool {
        let is_apart = |own: &PathBuf| !path.starts_with(own) && !own.starts_with(path);
        !self.has_own_places && self.covered.iter().all(is_apart)
    }

    /// Written into a layer of its own.
    fn cache(&mut self, cache: &Cache) -> io::Result<()> {
        check(&cache.path)?;
        let is_there = cache.path.symlink_metadata().is_ok_and(|found| found.is_dir());
        match self.is_beneath_a_place(&cache.path) {
            true if !is_there => return Ok(()),
            true => {}
            false => self.folder(&cache.path)?,
        }
        let layer = |path: &PathBuf| escaped(&old(path));
        let mut options = b"userxattr,lowerdir=".to_vec();
        options.extend(cache.beneath.iter().map(layer).collect::<Vec<_>>().join(&b':'));
        for (key, path) in [(",upperdir=", &cache.upper), (",workdir=", &cache.work)] {
            options.extend(key.as_bytes());
            options.extend(layer(path));
        }
        self.own(Step::Overlay { at: text(&cache.path)?, options: CString::new(options)? });
        self.covered.push(cache.path.clone());
        Ok(())
    }

    /// What lies on the machine where the command sees that path.
    fn real(&self, path: &Path) -> PathBuf {
        let found =
            self.shown.iter().rev().find_map(|(at, source)| Some(source.join(path.strip_prefix(at).ok()?)));
        found.unwrap_or_else(|| path.to_owned())
    }

    /// What lies in something that is bound is there already.
    fn is_beneath_a_place(&self, path: &Path) -> bool {
        path.ancestors().skip(1).any(|above| self.bound.contains(above))
    }
}

fn check(path: &Path) -> io::Result<()> {
    let is_plain = path.is_absolute()
        && path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    if is_plain && path.parent().is_some() {
        return Ok(());
    }
    let what = format!("`{}` is no place for a sandbox", path.display());
    Err(io::Error::new(io::ErrorKind::InvalidInput, what))
}

/// As overlayfs takes a path among others.
fn escaped(path: &Path) -> Vec<u8> {
    let bytes = path.as_os_str().as_bytes().iter();
    bytes.flat_map(|byte| b",:\\".contains(byte).then_some(b'\\').into_iter().chain([*byte])).collect()
}

fn old(path: &Path) -> PathBuf {
    let mut old = std::ffi::OsString::from(OLD);
    old.push(path);
    old.into()
}

fn text(path: &(impl AsRef<std::ffi::OsStr> + ?Sized)) -> io::Result<CString> {
    Ok(CString::new(path.as_ref().as_bytes())?)
}
