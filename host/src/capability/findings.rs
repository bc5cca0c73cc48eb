//! `orch:findings`: findings besides those that a verifier returns.
//!
//! In -> out: WIT findings -> the journal's, kept with the call's result.
//! Limits: 1000 a call; message 4096 bytes, longer is cut; location 1024 bytes.
//! Not here: what findings lead to (`drive`).

use orch_journal::event;
use orch_trust::interfaces::Import;
use orch_trust::permission::FindingsPermission;
use wasmtime::component::Linker;

use super::environment::HostEnvironment;
use super::shape::{Capability, HasView, Holds, Kept, Opening, View};
use super::trial::Watched;
use crate::bindings::findings::findings::{Host, add_to_linker};
use crate::bindings::types::types::{Category, Error, Finding, Severity};
use crate::cut::cut;

pub const FINDINGS_MAX: usize = 1000;
const LOCATION_BYTES_MAX: usize = 1024;

/// State of this capability in one store.
#[derive(Default)]
pub struct Findings {
    reported: Vec<event::Finding>,
}

/// The journal's finding, or which field is over its limit.
pub(crate) fn check_finding(finding: Finding) -> Result<event::Finding, String> {
    if let Some(location) = finding.location.as_ref().filter(|location| location.len() > LOCATION_BYTES_MAX) {
        return Err(format!("location of {} bytes, limit is {LOCATION_BYTES_MAX}", location.len()));
    }
    Ok(event::Finding {
        severity: match finding.severity {
            Severity::Major => event::Severity::Major,
            Severity::Medium => event::Severity::Medium,
            Severity::Minor => event::Severity::Minor,
        },
        category: match finding.category {
            Category::Build => event::Category::Build,
            Category::Test => event::Category::Test,
            Category::Lint => event::Category::Lint,
            Category::Security => event::Category::Security,
            Category::Custom => event::Category::Custom,
        },
        message: cut(&finding.message),
        location: finding.location,
    })
}

/// The same the other way.
pub(crate) fn finding_to_wit(finding: &event::Finding) -> Finding {
    Finding {
        severity: match finding.severity {
            event::Severity::Major => Severity::Major,
            event::Severity::Medium => Severity::Medium,
            event::Severity::Minor => Severity::Minor,
        },
        category: match finding.category {
            event::Category::Build => Category::Build,
            event::Category::Test => Category::Test,
            event::Category::Lint => Category::Lint,
            event::Category::Security => Category::Security,
            event::Category::Custom => Category::Custom,
        },
        message: finding.message.clone(),
        location: finding.location.clone(),
    }
}

impl Capability for Findings {
    type Permission = FindingsPermission;
    type Granted = ();

    fn grant(_permission: FindingsPermission, _host: &HostEnvironment) {}

    fn open(_granted: &(), _opening: Opening<'_>) -> Self {
        Self::default()
    }

    fn link<S: Holds<Self>>(linker: &mut Linker<S>, _import: Import<'_>) -> wasmtime::Result<()> {
        add_to_linker::<_, HasView<Self>>(linker, S::view)
    }

    fn keep(self, kept: &mut Kept) {
        kept.writes.findings = self.reported;
    }

    fn beyond(granted: Option<&FindingsPermission>, watched: &Watched<'_>) -> Vec<String> {
        match granted.is_none() && !watched.writes.findings.is_empty() {
            true => vec!["findings were reported".to_owned()],
            false => Vec::new(),
        }
    }
}

impl Host for View<'_, Findings> {
    async fn report(&mut self, finding: Finding) -> wasmtime::Result<Result<(), Error>> {
        if self.state.reported.len() >= FINDINGS_MAX {
            return Ok(Err(Error::Limit("findings".to_owned())));
        }
        Ok(check_finding(finding).map(|finding| self.state.reported.push(finding)).map_err(Error::Invalid))
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::component::ResourceTable;

    use super::*;
    use crate::capability::bench::Bench;

    fn finding(message: String, location: Option<String>) -> Finding {
        Finding { severity: Severity::Major, category: Category::Test, message, location }
    }

    #[tokio::test]
    async fn the_thousand_and_first_is_refused_and_long_texts_are_bounded() {
        let mut findings = Findings::default();
        let (mut table, mut ledger) = (ResourceTable::new(), Bench::new().ledger());
        let mut view = View::of(&mut findings, &mut table, &mut ledger);
        assert!(view.report(finding("x".repeat(5000), Some("a.py:1".to_owned()))).await.unwrap().is_ok());
        let long = view.report(finding(String::new(), Some("x".repeat(1025)))).await.unwrap();
        assert!(matches!(long, Err(Error::Invalid(_))));
        for _ in 1..FINDINGS_MAX {
            assert!(view.report(finding(String::new(), None)).await.unwrap().is_ok());
        }
        let over = view.report(finding(String::new(), None)).await.unwrap();
        assert!(matches!(over, Err(Error::Limit(_))));
        let reported = findings.reported;
        assert_eq!((reported.len(), reported[0].message.len()), (FINDINGS_MAX, 4096));
    }
}
