//! Real commands under real supervisors. Modules by what they try: `start` and `output` what a command gets and gives,
//! `descendants` that none is left, `crash` that this holds when host or supervisor are killed, `reuse` many in a row.

mod bench;
mod crash;
mod descendants;
mod output;
mod reuse;
mod start;
