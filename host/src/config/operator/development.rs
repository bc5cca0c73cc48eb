//! The operator's folder of a host of development, on which a plugin runs that its author is still writing.
//!
//! In -> out: a folder that is not there yet -> one with a mark, under which certificates of level `development` count.
//! Invariant: a folder is one of development from its first file on or never; no command, no policy and no workspace makes an
//! ordinary one so. The mark is of the folder's own secret: carried to another folder it refuses.
//! Not here: what such a host runs (`development.rs` of the host), what counts under the mark (`orch-trust`'s `admission.rs`).

use std::path::Path;

use orch_trust::authority::{Certifier, Level};
use orch_trust::state::TRUST_STATE;

use super::{Operator, OperatorError, make_folders, read, write_private};
use crate::config::secret::{HostSecret, KeyUse};

const MARK: &str = "development";

impl Operator {
    /// The folder of a host of development: made, or made so before.
    ///
    /// # Errors
    /// `NotDevelopment`: something else is there. Those of [`Operator::open`].
    pub fn develop(home: &Path) -> Result<Self, OperatorError> {
        let mark = home.join(MARK);
        if mark.symlink_metadata().is_err() {
            let is_new = match home.read_dir() {
                Ok(mut entries) => entries.next().is_none(),
                Err(error) => error.kind() == std::io::ErrorKind::NotFound,
            };
            if !is_new {
                return Err(OperatorError::NotDevelopment { path: home.to_owned() });
            }
            make_folders(home)?;
            let secret = HostSecret::read_or_make_beside(&home.join("secret"), &home.join(TRUST_STATE))?;
            write_private(&mark, text(&secret).as_bytes())?;
        }
        let operator = Self::open(home)?;
        match operator.development {
            true => Ok(operator),
            false => Err(OperatorError::NotDevelopment { path: home.to_owned() }),
        }
    }

    /// Succeeds on an ordinary host.
    ///
    /// # Errors
    /// `DevelopmentRunsOnly`.
    pub fn check_ordinary(&self) -> Result<(), OperatorError> {
        match self.development {
            true => Err(OperatorError::DevelopmentRunsOnly { path: self.home.clone() }),
            false => Ok(()),
        }
    }
}

/// Whether that folder is one of development.
///
/// # Errors
/// `DevelopmentMark`: the mark is another folder's. `DevelopmentBesideRoot`. `DevelopmentKey`: a certifier of that level in an
/// ordinary folder.
pub(super) fn check(
    home: &Path,
    secret: &HostSecret,
    has_root: bool,
    certifiers: &[Certifier],
) -> Result<bool, OperatorError> {
    let path = home.join(MARK);
    let marked = read(&path)?;
    match marked {
        Some(_) if has_root => Err(OperatorError::DevelopmentBesideRoot { path }),
        Some(found) if found == text(secret) => Ok(true),
        Some(_) => Err(OperatorError::DevelopmentMark { path }),
        None => match certifiers.iter().find(|certifier| certifier.profile == Level::Development) {
            Some(certifier) => {
                let path = home.join("trust/certifiers");
                Err(OperatorError::DevelopmentKey { path, key: certifier.id() })
            }
            None => Ok(false),
        },
    }
}

/// The mark's text: nobody without the secret knows it, and it is for nothing else.
fn text(secret: &HostSecret) -> String {
    format!("{}\n", hex::encode(secret.key(KeyUse::Development)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use orch_trust::key::SecretKey;

    use super::*;

    fn code(result: Result<Operator, OperatorError>) -> &'static str {
        result.err().map_or("", |error| error.code())
    }

    fn certifier(profile: Level) -> String {
        Certifier::new(SecretKey::from_seed(&[7; 32]).public(), "me".to_owned(), profile).render()
    }

    #[test]
    fn a_folder_is_one_of_development_from_its_first_file_on_or_never() {
        let folder = tempfile::tempdir().unwrap();
        let (ordinary, own) = (folder.path().join("ordinary"), folder.path().join("own"));
        assert!(!Operator::open(&ordinary).unwrap().development);
        assert_eq!(code(Operator::develop(&ordinary)), "development-folder");
        for _ in 0..2 {
            let made = Operator::develop(&own).unwrap();
            assert!(made.development && made.check_ordinary().is_err());
        }
        assert!(Operator::open(&own).unwrap().development && Operator::again(&own).unwrap().development);
        // Its mark is worth nothing elsewhere, nor is a text that somebody thought of.
        fs::copy(own.join(MARK), ordinary.join(MARK)).unwrap();
        assert_eq!(code(Operator::open(&ordinary)), "development-mark");
        assert_eq!(code(Operator::develop(&ordinary)), "development-mark");
        fs::write(ordinary.join(MARK), "yes\n").unwrap();
        assert_eq!(code(Operator::open(&ordinary)), "development-mark");
        fs::remove_file(ordinary.join(MARK)).unwrap();
        assert!(Operator::open(&ordinary).is_ok());
    }

    #[test]
    fn an_ordinary_folder_takes_no_certifier_of_development() {
        let folder = tempfile::tempdir().unwrap();
        for (make, refuses) in [(Operator::open as fn(&Path) -> _, true), (Operator::develop, false)] {
            let home = folder.path().join(if refuses { "ordinary" } else { "own" });
            assert!(make(&home).is_ok());
            let file = home.join("trust/certifiers/x.toml");
            fs::write(&file, certifier(Level::Development)).unwrap();
            assert_eq!(code(make(&home)), if refuses { "development-key" } else { "" });
            fs::write(&file, certifier(Level::Local)).unwrap();
            assert!(make(&home).is_ok());
        }
    }
}
