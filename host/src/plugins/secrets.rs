//! Which secrets the bound plugins may use, held against those that there are.
//!
//! Not here: reading them (`crate::secrets` of the host).

use orch_trust::evidence::Compilable;

use super::{AdmittedPlugins, PluginsError};
use crate::secrets::SecretSources;

impl AdmittedPlugins {
    /// Fails for a secret that one of them may use and nobody defines.
    pub fn check_secrets(&self, sources: &SecretSources) -> Result<(), PluginsError> {
        let uses = self.by_id.iter().flat_map(|(id, plugin)| {
            let secrets = plugin.grant().permissions().secrets.iter();
            secrets.flat_map(|secrets| &secrets.uses).map(move |one| (id, &one.name))
        });
        match uses.into_iter().find(|(_, name)| !sources.contains_key(*name)) {
            Some((id, name)) => Err(PluginsError::SecretUndefined { id: id.clone(), name: name.clone() }),
            None => Ok(()),
        }
    }
}
