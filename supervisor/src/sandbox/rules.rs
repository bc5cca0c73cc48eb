//! Landlock: what of the files may be opened, whatever is mounted where.
//!
//! In -> out: [`Walls`] -> a rule set of this process, for good and for all that it starts.
//! Invariant: with it a path that no place covers is not read, written, made or removed; signals and abstract sockets end
//! at its edge, as far as the kernel knows these rules.
//! Not here: what is there at all (`plan.rs`).

use std::io;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
};

use super::{Access, Wall, Walls};

/// The newest that these rules are written for; an older kernel holds what it knows.
const KNOWN: ABI = ABI::V6;
/// Without truncation, of the third, a file that may only be read could be emptied.
const NEEDED: ABI = ABI::V3;

/// Confines this process. No new privileges can be gained by then.
pub(crate) fn enter(walls: &Walls) -> io::Result<()> {
    let ruleset = ruleset(walls).map_err(|error| {
        error.downcast::<io::Error>().map_or_else(|_| io::Error::from_raw_os_error(libc::ENOSYS), |io| *io)
    })?;
    match ruleset {
        RulesetStatus::NotEnforced => Err(io::Error::from_raw_os_error(libc::ENOSYS)),
        RulesetStatus::PartiallyEnforced | RulesetStatus::FullyEnforced => Ok(()),
    }
}

type Fault = Box<dyn std::error::Error + Send + Sync>;

fn ruleset(walls: &Walls) -> Result<RulesetStatus, Fault> {
    let has_mounts = walls.has(Wall::Mounts);
    let mut set = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(NEEDED))?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(KNOWN))?
        .scope(Scope::from_all(KNOWN))?;
    // Where a namespace has a loopback of its own, programs talk to themselves.
    if walls.listen.is_empty() && !walls.has(Wall::Network) {
        set = set.handle_access(AccessNet::BindTcp | AccessNet::ConnectTcp)?;
    }
    let mut set = set.create()?;
    let (read, all) = (AccessFs::from_read(KNOWN), AccessFs::from_all(KNOWN));
    for (nth, place) in walls.places.iter().enumerate() {
        // What lies in something that is written is covered by its rule; a link that a command made there is followed by none.
        let earlier = walls.places.iter().take(nth).filter(|earlier| earlier.access == Access::Write);
        if earlier.into_iter().any(|earlier| place.path.starts_with(&earlier.path)) {
            continue;
        }
        let access = match place.access {
            Access::Read => read,
            Access::Write => all,
            Access::Hidden => continue,
        };
        let Ok(opened) = PathFd::new(&place.path) else { continue };
        let access = match place.path.is_dir() {
            true => access,
            false => access & AccessFs::from_file(KNOWN),
        };
        set = set.add_rule(PathBeneath::new(opened, access))?;
    }
    for cache in walls.caches.iter().filter(|_| has_mounts) {
        if let Ok(opened) = PathFd::new(&cache.path) {
            set = set.add_rule(PathBeneath::new(opened, all))?;
        }
    }
    let devices = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::ReadDir | AccessFs::IoctlDev;
    let mut more: Vec<(&str, BitFlags<AccessFs>)> = Vec::new();
    if has_mounts {
        // All that is there is the command's own, or hidden.
        more.extend([("/", AccessFs::ReadDir.into()), ("/tmp", all), ("/dev", devices), ("/dev/shm", all)]);
        more.extend(walls.has(Wall::Processes).then_some(("/proc", read)));
    } else {
        let usual = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];
        more.extend(usual.map(|path| (path, AccessFs::ReadFile | AccessFs::WriteFile)));
    }
    for (path, access) in more {
        if let Ok(opened) = PathFd::new(path) {
            set = set.add_rule(PathBeneath::new(opened, access))?;
        }
    }
    Ok(set.restrict_self()?.ruleset)
}
