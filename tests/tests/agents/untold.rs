//! A model whose server never says what it used: the agent works as ever, counts at its most, and is held by what it counts.

use super::*;

/// What the agent said of its attempts that were done, and the tokens in it.
fn tokens(project: &Project) -> Vec<u64> {
    let events = project.bench.0.events().into_iter();
    let said = events.filter_map(|event| match event {
        Event::AttemptFinished(finished) => match finished.ending {
            Ending::Done { summary } => Some(summary),
            _ => None,
        },
        _ => None,
    });
    let number = |summary: String| {
        let (before, _) = summary.split_once(" tokens, ").unwrap();
        before.rsplit_once(' ').unwrap().1.parse().unwrap()
    };
    said.map(number).collect()
}

#[test]
fn a_goal_is_reached_with_a_server_that_says_no_usage_and_the_run_is_the_same_again() {
    let project = Project::with(Chats::silent(coder::answer), 0x51_1e47, no_orders).keeping_texts();
    project.bench.0.run(&["--goal", &project.goal], 0);
    project.is_reached();
    let events = project.bench.0.events();
    let answered: Vec<_> = (events.iter())
        .filter_map(|event| match event {
            Event::ModelAnswered(answered) => Some(&answered.answer),
            _ => None,
        })
        .collect();
    assert!(answered.len() > 5 && answered.iter().all(|answer| answer.estimated && answer.cost > Some(0)));
    // What the plugin was told is what is recorded: two phases were done, and one attempt before them was not.
    let of_agent = answered.iter().filter(|answer| answer.consumer == "demo/executor-agent");
    let all: u64 = of_agent.map(|answer| answer.input + answer.output).sum();
    let done = tokens(&project);
    assert!(
        done.len() == 2 && done.iter().all(|one| *one > 0) && done.iter().sum::<u64>() < all,
        "{done:?} {all}"
    );
    let report = out(&project.bench.0.host(&["report"], 0));
    assert!(report.contains(" answers at their most, which do not say what they used"), "{report}");
    let run = project.bench.run_id();
    let said = project.replay(&run, &[], 0);
    assert!(said.contains(&format!("run {run} is the same again: ")), "{said}");
}

#[test]
fn the_agents_own_limit_of_tokens_holds_where_the_server_says_none() {
    let project = Project::with(Chats::silent(coder::answer), 0x1_1417, no_orders);
    let config = project.bench.0.read("config.yaml");
    let set = config.replacen("{programs:", "{tokens_max: 1000, programs:", 1);
    assert_ne!(set, config, "{config}");
    project.bench.0.write("config.yaml", &set);
    project.bench.git(&["commit", "--quiet", "--all", "--message=fewer tokens"]);
    project.bench.0.run(&["--goal", &project.goal], 1);
    let said = serde_json::to_string(&project.bench.0.events()).unwrap();
    assert!(said.contains("tokens are used, limit is 1000 (`tokens_max`)"), "{said}");
}
