//! What no plugin reaches in a workspace, besides the host's own names.

/// Paths in the workspace that plugins do not reach, each with `/` between its parts; what lies below them neither.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protected {
    /// Neither read nor written: a state folder of another name.
    pub hidden: Vec<String>,
    /// Not written: a task file of another name.
    pub unwritten: Vec<String>,
}
