//! A second reading of what our providers send: `litellm`, which takes questions in the formats of both companies, checks and
//! translates them, and asks the server that others wrote behind it.
//!
//! In -> out: a question by chat completions, one by messages -> `litellm` -> `llmock`, which judges it -> an answer of each.
//! Not here: where it comes from (`tests/litellm/requirements.txt`, only with `cargo xtask test --full`).

use orch_tests::left_out;

use super::*;

/// In front of `peer`, until it is dropped.
struct Litellm {
    child: Child,
    port: u16,
}

impl Litellm {
    fn start(folder: &Path, certificate: &Certificate, peer: &Peer) -> Self {
        let program = root().join("target/litellm/bin/litellm");
        assert!(program.exists(), "`{}` is missing: run `cargo xtask test --full`", program.display());
        let model = |name: &str| {
            let behind = json!({ "model": format!("openai/{name}"), "api_base": format!("https://127.0.0.1:{}/v1", peer.port), "api_key": "k" });
            json!({ "model_name": name, "litellm_params": behind })
        };
        let config = folder.join("litellm.yaml");
        fs::write(&config, json!({ "model_list": [model("m-small"), model("m-large")] }).to_string())
            .unwrap();
        let mut proxy = Command::new(program);
        proxy.arg("--config").arg(config).args(["--host", "127.0.0.1", "--port", "0"]);
        proxy
            .arg("--ssl_certfile_path")
            .arg(&certificate.cert)
            .arg("--ssl_keyfile_path")
            .arg(&certificate.key);
        // Nothing of it is looked up elsewhere; whoever asks needs no key of its own.
        proxy.envs([
            ("LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY", "true"),
            ("LITELLM_LOCAL_MODEL_COST_MAP", "True"),
            ("LITELLM_MODE", "PRODUCTION"),
            ("NO_COLOR", "1"),
        ]);
        proxy.env("SSL_CERT_FILE", &peer.cert);
        let mut child =
            proxy.current_dir(folder).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        let port = lines.by_ref().find_map(|line| {
            let line = line.unwrap();
            let port = line
                .split("running on https://127.0.0.1:")
                .nth(1)
                .map(|rest| rest.split(' ').next().unwrap().parse());
            said.push(line);
            Some(port?.unwrap())
        });
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Self { child, port: port.unwrap_or_else(|| panic!("it did not start: {said:#?}")) }
    }
}

impl Drop for Litellm {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn both_providers_are_understood_by_a_proxy_of_others_and_by_the_server_behind_it() {
    if !left_out::is_full("all of it: `litellm`, 760 MB") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let certificate = certificate(folder.path());
    let peer = Peer::start(&certificate, &[("LLMOCK_RESPONSE_STYLE", "echo")]);
    let proxy = Litellm::start(folder.path(), &certificate, &peer);
    let tasks = ["small how many?", "large how many?"];
    let (said, answered) = Bench::new(&tasks, proxy.port, ["/v1", ""], &certificate.cert).run();
    assert!(said.iter().all(|said| said.starts_with("Ok(\"") && said.contains("how many?")), "{said:?}");
    assert_eq!(answered.len(), 2);
    for answer in &answered {
        assert_eq!(answer.fault, None);
        assert!(answer.output > 0 && answer.input > 0 && answer.cost.unwrap() > 0, "{answer:?}");
    }
    assert_eq!(peer.judged(), [""; 0]);
}
