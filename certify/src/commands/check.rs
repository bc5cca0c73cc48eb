//! The hidden verb under which this binary runs one group of checks in a process of its own.
//!
//! In -> out: group, folder, an order on standard input -> the group's report as JSON on standard output.
//! Invariant: this process limits itself before it reads anything; it never opens a key.
//! Not here: who starts it (`sandbox.rs`).

use std::io::Read;
use std::path::PathBuf;

use anyhow::Context;
use orch_certify::check::Group;
use orch_certify::confine::{Ceilings, confine};
use orch_certify::group;
use orch_certify::sandbox::{Order, read_same};
use orch_host::console::Console;
use orch_host::exit::{Exit, Fault, Outcome};
use orch_trust::strict_json;

const ORDER_BYTES_MAX: u64 = 1 << 20;

#[derive(clap::Args)]
pub(crate) struct CheckArgs {
    /// Group of checks
    group: String,
    /// Package folder
    package: PathBuf,
}

pub(crate) fn run(args: &CheckArgs, console: &Console) -> Outcome {
    let Some(group) = Group::from_name(&args.group) else {
        let error = anyhow::anyhow!("`{}` is no group of checks", args.group.escape_default());
        return Err(Fault::new(Exit::Usage, "check-group", None, error));
    };
    confine(Ceilings::of(group)).context("cannot limit this process")?;
    let mut input = Vec::new();
    std::io::stdin().take(ORDER_BYTES_MAX).read_to_end(&mut input).context("cannot read the order")?;
    let order: Order = strict_json::parse(&input).context("order is malformed")?;
    let package = read_same(&args.package, &order)?;
    let report = group::run(group, &package, &order.beside, &order.outside, &order.workspace);
    let text = serde_json::to_vec(&report).context("cannot write the report")?;
    console.bytes(&text);
    Ok(Exit::Done)
}
