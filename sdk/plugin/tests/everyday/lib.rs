//! Executor: uses what plugins of others use, and answers with what each found.

use std::collections::HashMap;
use std::io::Read;

use orch_sdk::{Attempt, Completion, Executor, Failure, Task};

struct Plugin;

impl Executor for Plugin {
    fn execute(task: Task, _attempt: Attempt) -> Result<Completion, Failure> {
        if task.description == "exit" {
            std::process::exit(3);
        }
        println!("printed {}", task.id);
        eprint!("without an end");
        let year = chrono::Utc::now().format("%Y");
        let same_year = time::OffsetDateTime::now_utc().year();
        let ids = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()];
        let number: u8 = rand::random_range(1..=6);
        let words = regex::Regex::new("[a-z]+").map_err(failed)?.find_iter("one two 3").count();
        let mut page = String::new();
        pulldown_cmark::html::push_html(&mut page, pulldown_cmark::Parser::new("*it*"));
        let rendered = minijinja::render!("{{ 1 + 1 }}");
        let seen: HashMap<&str, u8> = HashMap::from([("a", 1), ("b", 2)]);
        let mut input = String::new();
        let read = std::io::stdin().read_to_string(&mut input).map_err(failed)?;
        let outside = [
            std::env::vars().count(),
            std::env::args().count(),
            read,
            usize::from(std::fs::read_dir("/").is_ok()),
            usize::from(std::fs::write("made", "x").is_ok()),
            usize::from(std::net::TcpStream::connect("127.0.0.1:80").is_ok()),
            usize::from(std::net::TcpListener::bind("127.0.0.1:0").is_ok()),
            usize::from(std::net::UdpSocket::bind("127.0.0.1:0").is_ok()),
        ];
        Ok(Completion::new(format!(
            "{year} {same_year} {} {} {words} {} {rendered} {} {outside:?}",
            ids[0] != ids[1],
            (1..=6).contains(&number),
            page.trim(),
            seen.len(),
        )))
    }
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(error.to_string())
}

orch_sdk::export!(executor: Plugin);
