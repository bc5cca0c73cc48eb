//! What the kernel says about processes, from `/proc`.
//!
//! In -> out: pid -> [`Stat`], children, descendants.
//! Invariant: a process that ends while it is read about is left out, never an error.
//! Not here: signals (`descendants.rs`, `leftovers.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read};

/// More than a line of 52 numbers.
const SHORT_BYTES: usize = 2048;

/// The fields of `/proc/<pid>/stat` that are used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) state: u8,
    pub(crate) parent: u32,
    pub(crate) session: u32,
    /// Clock ticks from boot to its start.
    pub(crate) start_ticks: u64,
}

impl Stat {
    /// Over, and only waiting to be reaped.
    pub(crate) fn is_dead(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }

    /// By a signal, or by one who traces it.
    pub(crate) fn is_stopped(&self) -> bool {
        matches!(self.state, b'T' | b't')
    }

    /// The outer none is another form; the inner one a process that was reaped while the kernel wrote: it has no
    /// session any more.
    pub(crate) fn parse(text: &[u8]) -> Option<Option<Self>> {
        // The second field is the program's name in brackets, and may itself hold blanks and brackets.
        let after_name = text.iter().rposition(|byte| *byte == b')')? + 1;
        let rest = std::str::from_utf8(text.get(after_name..)?).ok()?;
        let mut fields = rest.split_ascii_whitespace();
        // Fields 3 (state), 4 (parent), 6 (session) and 22 (start), as proc(5) counts them.
        let state = *fields.next()?.as_bytes().first()?;
        let parent = fields.next()?.parse().ok()?;
        let session: i32 = fields.nth(1)?.parse().ok()?;
        let start_ticks = fields.nth(15)?.parse().ok()?;
        Some(u32::try_from(session).ok().map(|session| Self { state, parent, session, start_ticks }))
    }
}

/// None if there is no such process.
pub(crate) fn stat(pid: u32) -> io::Result<Option<Stat>> {
    match first_bytes(&format!("/proc/{pid}/stat")) {
        Ok(text) => match Stat::parse(&text) {
            Some(stat) => Ok(stat),
            None => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("`/proc/{pid}/stat` has another form"),
            )),
        },
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// In one read: the kernel gives a short file of `/proc` whole, and says no size before.
fn first_bytes(path: &str) -> io::Result<Vec<u8>> {
    let mut text = vec![0; SHORT_BYTES];
    let read = fs::File::open(path)?.read(&mut text)?;
    text.truncate(read);
    Ok(text)
}

/// Every process that can be seen, zombies too.
pub(crate) fn all() -> io::Result<BTreeMap<u32, Stat>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        match stat(pid) {
            Ok(Some(stat)) => drop(found.insert(pid, stat)),
            Ok(None) => {}
            // Another user's, where `/proc` is mounted with `hidepid=1`.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Whether its real user is the one of this process.
pub(crate) fn is_of_this_user(pid: u32) -> io::Result<bool> {
    match fs::read_to_string(format!("/proc/{pid}/status")) {
        Ok(text) => {
            let line = text.lines().find_map(|line| line.strip_prefix("Uid:"));
            let real = line.and_then(|line| line.split_ascii_whitespace().next());
            Ok(real.is_some_and(|real| real.parse() == Ok(rustix::process::getuid().as_raw())))
        }
        Err(error) if is_gone(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The children of every thread of `pid`, zombies too.
pub(crate) fn children(pid: u32) -> io::Result<Vec<u32>> {
    let mut found = Vec::new();
    let tasks = match fs::read_dir(format!("/proc/{pid}/task")) {
        Ok(tasks) => tasks,
        Err(error) if is_gone(&error) => return Ok(found),
        Err(error) => return Err(error),
    };
    for task in tasks {
        let path = match task {
            Ok(task) => task.path().join("children"),
            Err(error) if is_gone(&error) => break,
            Err(error) => return Err(error),
        };
        match fs::read_to_string(&path) {
            Ok(text) => found.extend(text.split_ascii_whitespace().filter_map(|pid| pid.parse::<u32>().ok())),
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Everything below `root` at one moment, parents before children; more may have started meanwhile.
pub(crate) fn descendants(root: u32) -> io::Result<Vec<u32>> {
    if !fs::exists("/proc/thread-self/children")? {
        return Ok(descendants_in(root, &all()?));
    }
    let mut found = children(root)?;
    let mut seen: BTreeSet<u32> = found.iter().copied().collect();
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        found.extend(children(pid)?.into_iter().filter(|child| seen.insert(*child)));
        next += 1;
    }
    Ok(found)
}

/// [`descendants`] in a table that was read before; also the way of a kernel without `children` files.
pub(crate) fn descendants_in(root: u32, table: &BTreeMap<u32, Stat>) -> Vec<u32> {
    let mut below: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (pid, stat) in table {
        below.entry(stat.parent).or_default().push(*pid);
    }
    let mut found = below.remove(&root).unwrap_or_default();
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        found.extend(below.remove(&pid).unwrap_or_default());
        next += 1;
    }
    found
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_blanks_does_not_shift_the_fields() {
        let tail = "7 8 9 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 5555 100 200";
        let text = format!("42 (a) S 1 (b) R {tail}");
        let found = Stat::parse(text.as_bytes()).unwrap();
        assert_eq!(found, Some(Stat { state: b'R', parent: 7, session: 9, start_ticks: 5555 }));
        let reaped = text.replace("7 8 9 ", "0 -1 -1 ");
        assert_eq!(Stat::parse(reaped.as_bytes()), Some(None));
        assert_eq!(Stat::parse(b"42 (a) R 7 8"), None);
        assert_eq!(Stat::parse(b""), None);
    }

    #[test]
    fn both_ways_to_find_descendants_agree() {
        let mut child = std::process::Command::new("/bin/sleep").arg("30").spawn().unwrap();
        let me = std::process::id();
        let by_files = descendants(me).unwrap();
        let by_table = descendants_in(me, &all().unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(by_files.contains(&child.id()), "{by_files:?}");
        assert!(by_table.contains(&child.id()), "{by_table:?}");
        assert_eq!(stat(child.id()).unwrap(), None);
    }
}
