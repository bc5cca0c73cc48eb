//! Runs build, test, lint and security commands and reads findings from their output.
pub mod check;
pub mod judge;
pub mod parsed;
pub mod path_line_col;
pub mod pytest;
pub mod rustc_json;
pub mod unittest;
