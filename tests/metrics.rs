//! What Prometheus, which we did not write, makes of the engine's metrics.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::server::{Server, free_address};
use crate::support::{LIMIT, Run, Scratch, get, skipped, text, wait_for};

/// The example that the documentation has.
fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/prometheus")
}

/// Runs `promtool`; none where it is not installed.
fn promtool(arguments: &[&str], input: Option<&Path>) -> Option<Output> {
    let stdin = input.map_or_else(Stdio::null, |path| fs::File::open(path).expect("a file").into());
    Command::new("promtool").args(arguments).current_dir(example()).stdin(stdin).output().ok()
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default()
}

/// The text of a scrape; a long one comes in one piece, because its length is known.
fn scrape(address: &str) -> String {
    let answer = get(address, "/metrics");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("content-type: text/plain; version=0.0.4"), "{answer}");
    body(&answer).to_owned()
}

/// Where the toolchain is with which the demo tests its repository: a scenario's home is empty.
#[expect(clippy::disallowed_methods, reason = "only the demo needs what is in the home of whoever runs this")]
fn toolchain() -> [PathBuf; 2] {
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")]
        .map(|(variable, folder)| std::env::var_os(variable).map_or_else(|| home.join(folder), PathBuf::from))
}

/// Runs the demo, which stays up, and waits until it has completed something.
fn demo(scratch: &Scratch) -> Run {
    let [cargo, rustup] = toolchain();
    // What the demo makes goes with the scenario.
    let variables =
        [("TMPDIR", text(scratch.path())), ("CARGO_HOME", text(&cargo)), ("RUSTUP_HOME", text(&rustup))];
    let run = scratch.launch_with(&variables, &["continuous", "--demo", "--listen", "127.0.0.1:0"]);
    run.until_printed("http://");
    let address = run.address();
    let none = r#"glitchlab_tasks_total{status="completed"} 0"#;
    let has_completed = || (!scrape(&address).lines().any(|line| line == none)).then_some(());
    assert!(wait_for(LIMIT, has_completed).is_some(), "the demo completes nothing:\n{}", scrape(&address));
    run
}

/// Every metric that a rule of the example asks for is one that an engine has.
fn assert_there_is_what_rules_ask_for(metrics: &str) {
    let rules = fs::read_to_string(example().join("rules.yml")).expect("the example");
    let is_of_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let words = rules.split(|letter| !is_of_name(letter));
    let names: Vec<&str> = words.filter(|word| word.starts_with("glitchlab_")).collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        assert!(metrics.contains(&format!("\n{name}")), "{name} is not in\n{metrics}");
    }
}

/// Starts Debian's Prometheus on the example's rules and one target; none where it is not installed.
fn prometheus(scratch: &Scratch, target: &str) -> Option<Server> {
    let config = scratch.path().join("prometheus.yml");
    let rules = example().join("rules.yml");
    let written = fs::read_to_string(example().join("prometheus.yml")).expect("the example");
    let written = written.replace("127.0.0.1:3000", target).replace("rules.yml", text(&rules));
    fs::write(&config, written.replace("15s", "1s")).expect("it is written");
    let address = free_address();
    let mut command = Command::new("prometheus");
    command
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", scratch.path().join("prometheus").display()))
        .arg(format!("--web.listen-address={address}"));
    let server = Server::start(command, address, scratch.path().join("prometheus.log"))?;
    Some(server.ready_at("/-/ready"))
}

/// Returns the value of a query without labels.
fn value(prometheus: &Server, query: &str) -> Option<f64> {
    let answer = prometheus.json(&format!("/api/v1/query?query={query}"));
    answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
}

#[test]
fn prometheus_scrapes_a_demo_and_promtool_has_nothing_to_say() {
    let name = "prometheus_scrapes_a_demo_and_promtool_has_nothing_to_say";
    let scratch = Scratch::new();
    let run = demo(&scratch);
    let address = run.address();
    let metrics = scrape(&address);
    assert_there_is_what_rules_ask_for(&metrics);

    let file = scratch.path().join("metrics.txt");
    fs::write(&file, metrics).expect("a file");
    let Some(said) = promtool(&["check", "metrics"], Some(&file)) else {
        return skipped(name, "promtool is absent");
    };
    let said_all =
        format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    assert!(said.status.success() && said_all.is_empty(), "{said_all}");

    let Some(prometheus) = prometheus(&scratch, &address) else {
        return skipped(name, "prometheus is absent");
    };
    let completed = || {
        let value = value(&prometheus, "sum(glitchlab_tasks_total{status=%22completed%22})");
        value.filter(|count| *count >= 1.0)
    };
    assert!(wait_for(LIMIT, completed).is_some(), "{}", prometheus.json("/api/v1/targets"));
    assert_eq!(value(&prometheus, "up"), Some(1.0));
    assert!(value(&prometheus, "sum(glitchlab_cost_usd_total)").is_some_and(|dollars| dollars > 0.0));
    assert!(value(&prometheus, "glitchlab_budget_limit_usd{window=%22day%22}").is_some());
    let rules = prometheus.json("/api/v1/rules");
    let known = rules["data"]["groups"][0]["rules"].as_array().map_or(0, Vec::len);
    assert_eq!(known, 6, "{rules}");
    run.signal("INT");
    let _ended = run.wait().expect_code(0);
}

#[test]
fn the_example_for_prometheus_is_what_promtool_accepts_and_its_alerts_fire_when_they_should() {
    for arguments in [
        &["check", "config", "prometheus.yml"][..],
        &["check", "rules", "rules.yml"],
        &["test", "rules", "rules.test.yml"],
    ] {
        let Some(said) = promtool(arguments, None) else {
            return skipped("the_example_for_prometheus", "promtool is absent");
        };
        assert!(said.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&said.stderr));
    }
}
