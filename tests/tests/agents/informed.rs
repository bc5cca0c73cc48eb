//! A model is told passages of the repository that may matter: the files are indexed first, and whoever plans and works finds them.

use super::*;

/// The block of `docs/retrieval.md` that is that file, without its first line.
fn retrieval(name: &str) -> String {
    let text = fs::read_to_string(root().join("docs/retrieval.md")).unwrap();
    let rest = text.split_once(&format!("\n# {name}\n")).unwrap().1;
    rest.split_once("```").unwrap().0.to_owned()
}

#[test]
fn who_plans_and_who_works_tell_their_model_passages_of_what_was_indexed() {
    let project = Project::new(0x1dea, no_orders);
    let (workspace, operator) = (&project.bench.0, project.bench.0.operator());
    for name in ["policy.toml", "models.toml"] {
        let before = fs::read_to_string(operator.join(name)).unwrap();
        // Tables may stand in any order; `[sandbox]` is the last one of the policy and has no keys.
        fs::write(operator.join(name), before + "\n" + &retrieval(name)).unwrap();
    }
    let config = workspace.read("config.yaml");
    let config = config
        .replace("executors: {", "executors: {index: demo/executor-index, ")
        .replace(
            "providers: {",
            "providers: {embed: demo/provider-embed-hash, retrieve: demo/provider-retrieve, ",
        )
        .replace("settings:\n", "settings:\n  demo/executor-index: {paths: [\"*/*.py\"]}\n");
    workspace.write("config.yaml", &config);
    project.bench.git(&["commit", "--quiet", "--all", "--message=files are indexed"]);

    workspace.write("tasks.yml", "- {id: index, kind: index}\n");
    // Everything is indexed, and the project's test fails as it did.
    workspace.run(&[], 1);
    fs::remove_file(workspace.path().join("tasks.yml")).unwrap();
    assert_eq!(project.sent().len(), 0, "no model is asked for it");
    workspace.run(&["--goal", &project.goal], 0);
    assert_eq!((project.chats.faults(), project.bench.commits()), (Vec::new(), 2));
    let path = project.module.replace('.', "/");
    let sent = project.sent();
    // Whoever plans is shown it among the files, whoever works under a head of its own.
    let told = |body: &String| {
        body.contains(&format!("----- {path}.py:1-"))
            && body.contains("Passages that may matter") != body.contains("json_schema")
    };
    let plans = sent.iter().filter(|body| body.contains("json_schema")).count();
    assert!(plans > 0 && plans < sent.len() && sent.iter().all(told), "{}", sent[0]);
    let report = out(&workspace.host(&["report"], 0));
    assert!(report.contains("demo/provider-retrieve asked vectors"), "{report}");
    project.is_taken_in();
}
