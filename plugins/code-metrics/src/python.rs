//! A Python file measured in one parse.
//!
//! In -> out: source -> [`FileMetrics`], or its blocks alone.
//! Not here: each count (`python_complexity.rs`, `python_halstead.rs`, `python_raw.rs`).

use ruff_python_ast::ModModule;
use ruff_python_parser::{Parsed, parse_module};

use crate::FileMetrics;
use crate::block::{Block, MeasureError};
use crate::maintainability;
use crate::python_complexity::Complexities;
use crate::python_nesting::check_python;
use crate::{python_halstead, python_raw};

pub(crate) fn measure(source: &str) -> Result<FileMetrics, MeasureError> {
    let module = parse(source)?;
    let body = &module.syntax().body;
    let (blocks, complexity) = Complexities::of(body).into_blocks(source);
    let (halstead, functions) = python_halstead::count(body);
    let raw = python_raw::count(source)?;
    let maintainability = maintainability::index(halstead.volume(), complexity, raw);
    Ok(FileMetrics { blocks, complexity, halstead, functions, raw, maintainability })
}

pub(crate) fn blocks(source: &str) -> Result<Vec<Block>, MeasureError> {
    let module = parse(source)?;
    Ok(Complexities::of(&module.syntax().body).into_blocks(source).0)
}

fn parse(source: &str) -> Result<Parsed<ModModule>, MeasureError> {
    check_python(source)?;
    parse_module(source).map_err(|error| MeasureError::Syntax(error.to_string()))
}
