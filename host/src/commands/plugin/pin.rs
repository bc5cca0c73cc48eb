//! What a workspace pins of what somebody said yes to.
//!
//! In -> out: an admitted package -> a pin in `orch.lock`, and an approval.
//! Invariant: both or neither: an approval is a decision that is recorded and not taken back, so it comes last; if it cannot be
//! made, `orch.lock` is as it was.
//! Not here: who said yes (`take_in.rs`), keeping the package (`keep.rs`).

use std::fs;
use std::io;

use orch_trust::evidence::{Admitted, Compilable};
use orch_trust::lock::{Lock, Origin};
use orch_trust::package::PackageBytes;

use super::approval_of;
use crate::config::operator::{Keeping, Operator};
use crate::exit::Fault;
use crate::place::{self, Place};
use crate::whole_file;

/// Approves what somebody said yes to, and pins it in the workspace.
///
/// # Errors
/// Those of [`take_from`].
pub(in crate::commands) fn take(
    operator: &Operator,
    bytes: &PackageBytes,
    admitted: &Admitted,
    place: &Place,
) -> Result<(), Fault> {
    let keeping = operator.keeping()?;
    take_from(operator, &keeping, bytes, admitted, place, Origin::default())
}

/// The same of what came from there, while nobody else changes what is kept.
///
/// # Errors
/// Of `orch.lock`, which cannot be read or written; of the operator's folder and journal.
pub(super) fn take_from(
    operator: &Operator,
    keeping: &Keeping,
    bytes: &PackageBytes,
    admitted: &Admitted,
    place: &Place,
    origin: Origin,
) -> Result<(), Fault> {
    let manifest = admitted.manifest();
    let mut lock = place.lock()?;
    let path = place.workspace.join("orch.lock");
    let before = fs::read(&path).ok();
    operator.saw([admitted])?;
    keeping.remember(&place.workspace)?;
    lock.pin_from(manifest, bytes, origin);
    write_lock(place, &lock)?;
    operator.approve(&approval_of(manifest), bytes, admitted.trust()).map_err(|error| {
        let mut fault = Fault::from(error);
        let put_back = match before {
            Some(before) => whole_file::write(&path, &before, whole_file::PUBLIC),
            None => fs::remove_file(&path),
        };
        say_kept(&mut fault, "orch.lock", put_back);
        fault
    })
}

pub(super) fn write_lock(place: &Place, lock: &Lock) -> Result<(), Fault> {
    let path = place.workspace.join("orch.lock");
    whole_file::write(&path, lock.render().as_bytes(), whole_file::PUBLIC)
        .map_err(|error| place::io(&path, "write", error))
}

/// If that file could not be put back, the fault says what is in it.
pub(super) fn say_kept(fault: &mut Fault, file: &str, put_back: io::Result<()>) {
    if let Err(error) = put_back {
        fault.lines.push(format!("`{file}` has what was to be added, for it cannot be put back: {error}"));
    }
}
