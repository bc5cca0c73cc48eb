//! What comes and goes where a task's files are, while it runs.
//!
//! In -> out: what a task reads, as it was looked at -> [`Watch`], from before its attempt -> the first name that was there in
//! between, or was another one, though everything is as it was.
//! Limits: what the system gives of watches (inotify), one a folder; a folder without one is compared by inode and times, and
//! then any change of it counts.
//! Invariant: what cannot be told is said to have happened. A folder that is made meanwhile is followed as soon as it is heard of.
//! Not here: the bytes of files (`files.rs`), who waits for it (`fresh.rs`).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io::Error;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use orch_journal::event::FileMark;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

use super::files::{came_or_went, moved_on};
use super::tree::{Meant, Tree, Walk, below};

/// Between two looks at whether anybody still wants to hear.
const PAUSE: Duration = Duration::from_secs(1);
const BUFFER_BYTES: usize = 16 * 1024;

/// Watches of all attempts, on one queue of the system.
pub(super) struct Comings(Arc<Shared>);

struct Shared {
    tree: Arc<Tree>,
    /// None: the system gives none.
    queue: Option<OwnedFd>,
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    /// By the system's numbers.
    folders: HashMap<i32, Vec<Subscription>>,
    watches: HashMap<u64, Watched>,
    /// Number of the last watch.
    last: u64,
    is_followed: bool,
}

/// Which watch a folder belongs to, and as what.
#[derive(Clone)]
struct Subscription {
    watch: u64,
    path: String,
}

/// What one attempt reads, and what was heard of it.
#[derive(Default)]
struct Watched {
    meant: Vec<Meant>,
    folders: BTreeMap<String, Folder>,
    /// Links on the way, and which they are: inode and time of change.
    links: BTreeMap<PathBuf, (u64, i64, i64)>,
    /// Folders that were moved away.
    moved: Vec<String>,
    /// What came or went first, in words.
    first: Option<String>,
}

struct Folder {
    /// Inode and time of change.
    identity: (u64, i64, i64),
    /// Its files are meant; else it only leads to them.
    is_walked: bool,
    is_watched: bool,
    /// Whatever changed its times was heard.
    is_heard: bool,
}

/// While it lives, what comes and goes is heard.
pub struct Watch {
    number: u64,
    shared: Arc<Shared>,
}

impl Comings {
    pub(super) fn below(tree: Arc<Tree>) -> Self {
        let queue = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok();
        Self(Arc::new(Shared { tree, queue, told: Mutex::default() }))
    }

    /// Hears from now on of what comes and goes; `before`: the files as they were looked at.
    pub(super) fn watch(&self, names: &[String], before: &[FileMark]) -> Watch {
        let shared = &self.0;
        let mut told = shared.told();
        if !told.is_followed && shared.queue.is_some() {
            told.is_followed = follow(shared);
        }
        told.last += 1;
        let number = told.last;
        told.watches.insert(number, Watched::default());
        let first = shared.begin(&mut told, number, names, before);
        if let Some(watched) = told.watches.get_mut(&number)
            && watched.first.is_none()
        {
            watched.first = first;
        }
        Watch { number, shared: shared.clone() }
    }
}

/// Takes what is heard off the queue in time; true if somebody does.
fn follow(shared: &Arc<Shared>) -> bool {
    let shared = Arc::downgrade(shared);
    std::thread::Builder::new().name("comings".to_owned()).spawn(move || listen(&shared)).is_ok()
}

fn listen(shared: &Weak<Shared>) {
    let pause = Timespec::try_from(PAUSE).ok();
    while let Some(shared) = shared.upgrade() {
        let Some(queue) = &shared.queue else { return };
        match poll(&mut [PollFd::new(queue, PollFlags::IN)], pause.as_ref()) {
            Ok(_) | Err(Errno::INTR) => shared.drain(&mut shared.told()),
            Err(_) => return,
        }
    }
}

impl Shared {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches all folders that lead to what is meant; gives what is not as it was before, in words.
    fn begin(&self, told: &mut Told, number: u64, names: &[String], before: &[FileMark]) -> Option<String> {
        let mut seen = HashSet::new();
        for name in names {
            match Meant::of(name) {
                Ok(meant) => {
                    let start = match &meant {
                        Meant::Pattern(pattern) => &pattern.start,
                        Meant::Path(path) => path,
                    };
                    self.lead(told, number, Path::new(start), &mut seen);
                    if let Some(watched) = told.watches.get_mut(&number) {
                        watched.meant.push(meant);
                    }
                }
                Err(why) => return Some(why),
            }
        }
        let found = self.tree.collect(names, &mut |folder| {
            self.enter(told, number, folder, true);
        });
        let found = match found {
            Ok(found) => found,
            Err(why) => return Some(why),
        };
        for (path, _) in &found {
            self.lead(told, number, Path::new(path), &mut seen);
        }
        moved_on(before, found)
    }

    /// Notes the links on the way to a path, and watches the folders. `seen`: of this watch, which were on the way before.
    fn lead(&self, told: &mut Told, number: u64, path: &Path, seen: &mut HashSet<PathBuf>) {
        let mut way = PathBuf::new();
        for part in path.components() {
            way.push(part);
            if seen.contains(&way) {
                continue;
            }
            seen.insert(way.clone());
            let full = self.tree.folder.join(&way);
            let Ok(meta) = full.symlink_metadata() else { return };
            if meta.is_symlink() {
                if let Some(watched) = told.watches.get_mut(&number) {
                    watched.links.insert(way.clone(), identity(&meta));
                }
                if let Ok(target) = fs::read_link(full) {
                    let from = way.parent().unwrap_or(Path::new(""));
                    self.lead(told, number, &from.join(target), seen);
                }
            } else if meta.is_dir()
                && let Some(way) = way.to_str()
            {
                self.enter(told, number, way, false);
            }
        }
    }

    /// Watches a folder; false if it is not there.
    fn enter(&self, told: &mut Told, number: u64, path: &str, is_walked: bool) -> bool {
        let full = self.tree.folder.join(path);
        let mut flags = WatchFlags::MOVE_SELF | WatchFlags::ONLYDIR | WatchFlags::MASK_ADD;
        if is_walked {
            flags |= WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::MOVE;
        }
        let watch = match &self.queue {
            Some(queue) => inotify::add_watch(queue, &full, flags),
            None => Err(Errno::NOSYS),
        };
        if matches!(watch, Err(Errno::NOENT | Errno::NOTDIR)) {
            return false;
        }
        if let Ok(of_system) = watch {
            let folders = told.folders.entry(of_system).or_default();
            if !folders.iter().any(|known| known.watch == number && known.path == path) {
                folders.push(Subscription { watch: number, path: path.to_owned() });
            }
        }
        let Ok(meta) = fs::metadata(&full) else { return false };
        if let Some(watched) = told.watches.get_mut(&number) {
            let folder = watched.folders.entry(path.to_owned()).or_insert(Folder {
                identity: identity(&meta),
                is_walked,
                is_watched: true,
                is_heard: false,
            });
            folder.is_walked |= is_walked;
            folder.is_watched &= watch.is_ok();
        }
        true
    }

    /// Takes in what was heard so far.
    fn drain(&self, told: &mut Told) {
        let Some(queue) = &self.queue else { return };
        let mut buffer = vec![MaybeUninit::uninit(); BUFFER_BYTES];
        let mut reader = Reader::new(queue, &mut buffer);
        loop {
            match reader.next() {
                Ok(event) => {
                    let name = event.file_name().map(|name| name.to_str().map(str::to_owned));
                    self.hear(told, event.wd(), event.events(), name.transpose().ok());
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Err(error) => return told.lose(&format!("cannot be watched: {}", Error::from(error))),
            }
        }
    }

    /// `name`: in the folder; none if it is no UTF-8.
    fn hear(&self, told: &mut Told, of_system: i32, what: ReadFlags, name: Option<Option<String>>) {
        if what.contains(ReadFlags::QUEUE_OVERFLOW) {
            return told.lose("more came and went than could be heard:");
        }
        let folders = match what.contains(ReadFlags::IGNORED) {
            true => told.folders.remove(&of_system),
            false => told.folders.get(&of_system).cloned(),
        };
        for Subscription { watch, path: folder } in folders.unwrap_or_default() {
            let Some(watched) = told.watches.get_mut(&watch) else { continue };
            if what.contains(ReadFlags::MOVE_SELF) {
                watched.was_moved(&folder);
            }
            watched.heard(&folder);
            let path = match &name {
                Some(Some(name)) => below(&folder, name),
                Some(None) => continue,
                None => {
                    watched.say(came_or_went(&below(&folder, "?")));
                    continue;
                }
            };
            match what.contains(ReadFlags::ISDIR) {
                true => self.hear_of_folder(told, watch, &path, what),
                false => {
                    let is_link = |meta: fs::Metadata| meta.is_symlink();
                    let is_link = self.tree.folder.join(&path).symlink_metadata().map_or(true, is_link);
                    if watched.meant.iter().any(|meant| meant.may_mean(&path, is_link)) {
                        watched.say(came_or_went(&path));
                    }
                }
            }
        }
    }

    fn hear_of_folder(&self, told: &mut Told, watch: u64, path: &str, what: ReadFlags) {
        let Some(watched) = told.watches.get_mut(&watch) else { return };
        if self.tree.is_own(path) || !watched.meant.iter().any(|meant| meant.leads_into(path)) {
            return;
        }
        if what.contains(ReadFlags::MOVED_FROM) {
            watched.moved.push(path.to_owned());
        }
        if !what.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO) {
            return;
        }
        let meant = std::mem::take(&mut watched.meant);
        let (mut found, mut is_there, mut fault) = (Vec::new(), true, None);
        for meant in meant.iter().filter(|meant| meant.leads_into(path)) {
            let mut enter = |folder: &str| {
                is_there &= self.enter(told, watch, folder, true);
                // What it was before is said by the folder that it is in.
                if let Some(watched) = told.watches.get_mut(&watch) {
                    watched.heard(folder);
                }
            };
            let mut walk = Walk { pattern: meant.pattern(), enough: 0, enter: &mut enter };
            let depth = path.matches('/').count();
            fault = fault.or(self.tree.walk(path, depth, &mut walk, &mut found).err());
        }
        let Some(watched) = told.watches.get_mut(&watch) else { return };
        watched.meant = meant;
        // One that was gone before it could be followed may have had anything in it.
        let what = found.first().map(|(path, _)| path.as_str()).or((!is_there).then_some(path));
        if let Some(what) = what.map(came_or_went).or(fault) {
            watched.say(what);
        }
    }
}

impl Told {
    /// Nothing is known of what is watched.
    fn lose(&mut self, why: &str) {
        for watched in self.watches.values_mut() {
            let folder = watched.folders.keys().next().cloned().unwrap_or_default();
            watched.say(format!("{why} `{}`", folder.escape_debug()));
        }
    }
}

impl Watched {
    fn say(&mut self, what: String) {
        self.first.get_or_insert(what);
    }

    fn heard(&mut self, folder: &str) {
        if let Some(folder) = self.folders.get_mut(folder) {
            folder.is_heard = true;
        }
    }

    /// One that is walked is moved by its name in the folder that it is in, if that is walked as well.
    fn was_moved(&mut self, folder: &str) {
        let parent = folder.rsplit_once('/').map_or("", |(parent, _)| parent);
        let is_walked = |folder: &str| self.folders.get(folder).is_some_and(|folder| folder.is_walked);
        if folder.is_empty() || !is_walked(folder) || !is_walked(parent) {
            self.say(came_or_went(folder));
        }
    }
}

impl Watch {
    /// What came or went since, in words.
    pub(super) fn touched(&self, inputs: &[FileMark]) -> Option<String> {
        let mut told = self.shared.told();
        self.shared.drain(&mut told);
        let watched = told.watches.get(&self.number)?;
        let is_in = |file: &FileMark, folder: &str| {
            file.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
        };
        let moved = watched.moved.iter().find(|folder| inputs.iter().any(|file| is_in(file, folder)));
        let root = &self.shared.tree.folder;
        let other = |(path, folder): &(&String, &Folder)| folder.is_other(&root.join(path));
        let leads_elsewhere = |(path, before): &(&PathBuf, &(u64, i64, i64))| {
            root.join(path).symlink_metadata().map(|meta| identity(&meta)).ok() != Some(**before)
        };
        let link = || watched.links.iter().find(leads_elsewhere).map(|(path, _)| path.display().to_string());
        let folder = || watched.folders.iter().find(other).map(|(path, _)| path.clone());
        let what = || moved.cloned().or_else(link).or_else(folder);
        watched.first.clone().or_else(|| what().map(|path| came_or_went(&path)))
    }
}

impl Folder {
    /// Whether it is not what it was, or changed without a word.
    fn is_other(&self, path: &Path) -> bool {
        match fs::metadata(path).map(|meta| identity(&meta)) {
            // That it is gone was heard, or that one was in which it lay.
            Err(_) => !(self.is_walked && self.is_watched),
            Ok(now) if self.is_walked || !self.is_watched => now != self.identity && !self.is_heard,
            Ok(now) => now.0 != self.identity.0,
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut told = self.shared.told();
        told.watches.remove(&self.number);
        told.folders.retain(|of_system, folders| {
            folders.retain(|folder| folder.watch != self.number);
            if folders.is_empty()
                && let Some(queue) = &self.shared.queue
            {
                // It may be gone with its folder.
                let _ = inotify::remove_watch(queue, *of_system);
            }
            !folders.is_empty()
        });
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Watch({})", self.number)
    }
}

fn identity(meta: &fs::Metadata) -> (u64, i64, i64) {
    (meta.ino(), meta.ctime(), meta.ctime_nsec())
}
