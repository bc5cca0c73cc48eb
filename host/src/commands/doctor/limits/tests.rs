//! The page that lists who goes beyond which limit.

use std::fs;

use super::*;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/limits.md");
const GUESTS: &str = "| limit | the guest | tried with | its call ends as |\n|---|---|---|---|\n";
const PROCESSES: &str = "| wall or limit | the process | tried with |\n|---|---|---|\n";

/// The page with that table in the place of the one that is there.
fn with_table(page: &str, head: &str, rows: &str) -> String {
    let begin = page.find(head).unwrap();
    let end = page[begin..].find("\n\n").map_or(page.len(), |end| begin + end + 1);
    format!("{}{head}{rows}{}", &page[..begin], &page[end..])
}

/// `BLESS=1` writes both tables.
#[test]
fn the_page_of_limits_lists_every_hostile_guest_and_process() {
    let guest = |guest: &guests::Guest| {
        let (tried, ends) = (guest.tried.shown(), guest.ends.shown());
        format!("| {} | {} | {tried} | {ends} |\n", guest.limit, guest.does)
    };
    let guests: String = guests::GUESTS.iter().map(guest).collect();
    let wall = |(wall, _, does): &(orch_supervisor::Wall, &str, &str)| {
        format!("| the wall `{wall}` | {does} | it alone |\n")
    };
    let bound = |bound: &programs::Bound| {
        let limit = bound.key.map_or_else(|| bound.limit.to_owned(), |key| format!("`{key}`"));
        format!("| {limit} | {} | {} |\n", bound.does, bound.tried)
    };
    let walls = programs::WALLS.iter().map(wall);
    let processes: String = walls.chain(programs::LIMITS.iter().map(bound)).collect();
    let page = fs::read_to_string(PAGE).unwrap();
    let made = with_table(&with_table(&page, GUESTS, &guests), PROCESSES, &processes);
    if std::env::var_os("BLESS").is_some() {
        fs::write(PAGE, made).unwrap();
        return;
    }
    assert!(page == made, "`docs/limits.md` has other tables: {made}");
}
