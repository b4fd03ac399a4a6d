//! Alerts reach real receivers: signed, in order, once each as far as a receiver can tell; and Debian's Alertmanager.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};

use http::HeaderMap;
use serde_json::Value;
use standardwebhooks::Webhook;

use crate::support::server::{Server, free_address};
use crate::support::{LIMIT, Run, Scratch, bead, get, skipped, text, wait_for};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A message as it came.
#[derive(Clone, Debug)]
struct Message {
    headers: HeaderMap,
    body: String,
}

impl Message {
    fn id(&self) -> String {
        self.headers["webhook-id"].to_str().expect("it is plain text").to_owned()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("it is JSON")
    }

    /// Checks the signature as a receiver would, with the library that others use.
    fn verify(&self) {
        let webhook = Webhook::new(SECRET).expect("a secret");
        webhook.verify(self.body.as_bytes(), &self.headers).expect("the signature is ours");
    }
}

/// A receiver on loopback that answers with these statuses, one after the other, and then with 204. It ends with the
/// program that tests it.
struct Receiver {
    address: String,
    messages: Arc<Mutex<Vec<Message>>>,
}

impl Receiver {
    fn start(statuses: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let messages: Arc<Mutex<Vec<Message>>> = Arc::default();
        let (kept, statuses) = (Arc::clone(&messages), statuses.to_vec());
        std::thread::spawn(move || {
            let statuses = statuses.into_iter().chain(std::iter::repeat(204));
            for (stream, status) in listener.incoming().zip(statuses) {
                let stream = stream.expect("a connection");
                kept.lock().expect("nobody panicked").push(exchange(stream, status));
            }
        });
        Self { address, messages }
    }

    fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    fn messages(&self) -> Vec<Message> {
        self.messages.lock().expect("nobody panicked").clone()
    }

    fn until(&self, count: usize) -> Vec<Message> {
        let there = || Some(self.messages()).filter(|messages| messages.len() >= count);
        wait_for(LIMIT, there).unwrap_or_else(|| panic!("only {:?}", self.messages()))
    }
}

fn exchange(mut stream: TcpStream, status: u16) -> Message {
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut line = String::new();
    reader.read_line(&mut line).expect("a request");
    let mut headers = HeaderMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line).expect("a header");
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        let name: http::HeaderName = name.parse().expect("a name");
        headers.insert(name, value.parse().expect("a value"));
    }
    let length = headers.get("content-length").and_then(|length| length.to_str().ok()?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).expect("a body");
    let answer = format!("HTTP/1.1 {status} Said\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).expect("it listens");
    Message { headers, body: String::from_utf8(body).expect("text") }
}

/// Sets the receivers up: each by a variable for its address, a format, and the one secret.
fn configure(scratch: &Scratch, formats: &[&str]) {
    let entry = |(n, format): (usize, &&str)| {
        format!(r#"{{ url_env = "HOOK_{n}", secret_env = "HOOK_SECRET", format = "{format}" }}"#)
    };
    let entries: Vec<_> = formats.iter().enumerate().map(entry).collect();
    fs::create_dir_all(scratch.repo().join(".glitchlab")).expect("a folder");
    let text = format!("[alerts]\nwebhooks = [{}]\n", entries.join(", "));
    fs::write(scratch.repo().join(".glitchlab/config.toml"), text).expect("it is written");
}

fn variables(urls: &[String]) -> Vec<(String, String)> {
    let urls = urls.iter().enumerate().map(|(n, url)| (format!("HOOK_{n}"), url.clone()));
    urls.chain([("HOOK_SECRET".to_owned(), SECRET.to_owned())]).collect()
}

fn ask(scratch: &Scratch, words: &[&str], urls: &[String]) -> (i32, String) {
    let repo = scratch.repo();
    let mut command = scratch.program(&[words, &["--repo", text(&repo)]].concat());
    let output = command.envs(variables(urls)).output().expect("the program runs");
    let printed = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (output.status.code().expect("it ended by itself"), printed.concat())
}

/// Starts an engine whose only task fails and waits for a person.
fn start(scratch: &Scratch, urls: &[String]) -> Run {
    let backlog = scratch.backlog(&bead("a", 1, ""));
    fs::write(
        scratch.repo().join(".glitchlab/config.toml"),
        fs::read_to_string(scratch.repo().join(".glitchlab/config.toml")).expect("it is there")
            + "[work]\nattempts = 1\n",
    )
    .expect("it is written");
    let own = ["--model", "simulated/fast", "--test", "false", "--backlog", text(&backlog)];
    scratch.start_with(&variables(urls), &own)
}

fn drop_task(scratch: &Scratch) {
    let store = scratch.store();
    let (code, said) = ask(scratch, &["drop", "a", "--store", text(&store)], &[]);
    assert_eq!(code, 0, "{said}");
}

#[test]
fn a_test_alert_is_signed_and_its_answer_is_said_without_a_secret() {
    let scratch = Scratch::new();
    let (good, bad) = (Receiver::start(&[]), Receiver::start(&[500]));
    configure(&scratch, &["json", "alertmanager"]);
    let urls = [good.url(), bad.url()];
    let (code, said) = ask(&scratch, &["alerts", "test"], &urls);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("HOOK_0: taken: answered 204"), "{said}");
    assert!(said.contains("HOOK_1: not taken: answered 500"), "{said}");
    for message in good.messages().iter().chain(&bad.messages()) {
        message.verify();
    }
    assert_eq!(good.messages()[0].json()["alert"], "Test");
    assert_eq!(bad.messages()[0].json()["alerts"][0]["labels"]["alertname"], "Test");

    let (code, said) = ask(&scratch, &["alerts", "test", "--json"], &urls);
    assert_eq!(code, 0, "{said}");
    let gone = ["http://127.0.0.1:9/hook".to_owned(), bad.url()];
    let (code, said) = ask(&scratch, &["alerts", "test"], &gone);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("HOOK_0: not taken: no answer: Connection refused"), "{said}");
    for (words, urls) in [(&["alerts", "test"][..], &urls[..1]), (&["config"], &urls[..])] {
        let (code, said) = ask(&scratch, words, urls);
        assert_eq!(code, if urls.len() == 1 { 78 } else { 0 }, "{said}");
        assert!(!said.contains("/hook") && !said.contains("MfKQ"), "{said}");
    }
}

#[test]
fn what_waits_for_a_person_is_told_signed_and_in_order_until_it_is_over() {
    let scratch = Scratch::new();
    let receiver = Receiver::start(&[503]);
    configure(&scratch, &["json"]);
    let run = start(&scratch, &[receiver.url()]);
    let address = run.address();
    let messages = receiver.until(2);
    assert_eq!(messages[0].id(), messages[1].id(), "sent again under the same id");
    assert_eq!(messages[0].body, messages[1].body);
    let delivered = || get(&address, "/alerts").contains("delivered").then_some(());
    assert!(wait_for(LIMIT, delivered).is_some(), "{}", get(&address, "/alerts"));
    assert!(get(&address, "/").contains(r#"<span id="alarms"><span class="st" data-s="warn">1"#));
    drop_task(&scratch);
    let messages = receiver.until(3);
    messages.iter().for_each(Message::verify);
    let [firing, resolved] = [&messages[1], &messages[2]].map(Message::json);
    assert_eq!([&firing["type"], &resolved["type"]], ["alert.firing", "alert.resolved"]);
    assert_eq!(firing["incident_id"], resolved["incident_id"]);
    assert_eq!(firing["evidence"]["tasks"][0], "a");
    let link = firing["evidence"]["links"][0].as_str().expect("a link");
    assert!(link.starts_with(&format!("http://{address}")), "{link}");

    let store = scratch.store();
    let (code, said) = ask(&scratch, &["alerts", "list", "--json", "--store", text(&store)], &[]);
    assert_eq!(code, 0, "{said}");
    let list: Value = serde_json::from_str(&said).expect("it is JSON");
    assert_eq!(list["alerts"][0]["state"], "resolved", "{said}");
    let page = get(&address, "/api/v1/alerts");
    assert!(page.contains(list["alerts"][0]["incident_id"].as_str().expect("an id")));
    run.signal("INT");
    let ended = run.wait().expect_code(0);
    let everything = format!("{}{}{said}{page}", ended.stdout, ended.stderr);
    assert!(!everything.contains("/hook") && !everything.contains("MfKQ"), "a secret was shown");
    // What was not yet moved into the file itself is beside it.
    let beside = scratch.store().with_extension("db-wal");
    let stored = [scratch.store(), beside].map(|path| fs::read(path).unwrap_or_default()).concat();
    let has = |text: &str| stored.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(has("alert.firing"), "it is the store");
    assert!(!has("/hook"), "an address was stored");
    assert!(!has("MfKQ9r8"), "a secret was stored");
}

const ALERTS: &str = "/api/v2/alerts";

/// Starts Debian's Alertmanager, so that it tells `receiver` of everything; none where it is not installed.
fn alertmanager(scratch: &Scratch, receiver: &Receiver) -> Option<Server> {
    let config = scratch.path().join("alertmanager.yml");
    let text = format!(
        "route: {{ receiver: hook, group_wait: 0s, group_interval: 1s, repeat_interval: 1h }}\nreceivers:\n- name: hook\n  webhook_configs: [{{ url: '{}', send_resolved: true }}]\n",
        receiver.url()
    );
    fs::write(&config, text).expect("it is written");
    let address = free_address();
    let mut command = Command::new("prometheus-alertmanager");
    command
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.path={}", scratch.path().join("alertmanager").display()))
        .arg(format!("--web.listen-address={address}"))
        .arg("--cluster.listen-address=");
    let server = Server::start(command, address, scratch.path().join("alertmanager.log"))?;
    Some(server.ready_at("/-/ready"))
}

#[test]
fn alertmanager_takes_a_firing_and_a_resolved_alert_and_tells_others_what_we_would_have_told_them() {
    let scratch = Scratch::new();
    let (behind, direct) = (Receiver::start(&[]), Receiver::start(&[]));
    let Some(alertmanager) = alertmanager(&scratch, &behind) else {
        return skipped(
            "alertmanager_takes_a_firing_and_a_resolved_alert",
            "prometheus-alertmanager is absent",
        );
    };
    configure(&scratch, &["alertmanager-api", "alertmanager"]);
    let api = format!("http://{}{ALERTS}", alertmanager.address);
    let run = start(&scratch, &[api, direct.url()]);
    let firing = [behind.until(1)[0].json(), direct.until(1)[0].json()];
    let known = alertmanager.json(ALERTS);
    assert_eq!(known[0]["labels"]["alertname"], "HumanNeeded", "{known}");
    assert_eq!(known[0]["status"]["state"], "active", "{known}");
    drop_task(&scratch);
    let resolved = [behind.until(2)[1].json(), direct.until(2)[1].json()];
    for [theirs, ours] in [firing, resolved] {
        assert_eq!(theirs["version"], ours["version"]);
        assert_eq!(theirs["status"], ours["status"]);
        let (theirs, ours) = (&theirs["alerts"][0], &ours["alerts"][0]);
        for field in ["status", "labels", "annotations", "startsAt", "generatorURL"] {
            assert_eq!(theirs[field], ours[field], "{field}");
        }
        let fields = |alert: &Value| alert.as_object().expect("an alert").keys().cloned().collect::<Vec<_>>();
        assert_eq!(fields(theirs), fields(ours));
    }
    let no_alerts = || alertmanager.json(ALERTS).as_array().is_some_and(Vec::is_empty).then_some(());
    assert!(wait_for(LIMIT, no_alerts).is_some(), "{}", alertmanager.json(ALERTS));
    run.signal("INT");
    run.wait().expect_code(0);
    let ids: BTreeMap<String, usize> = direct.messages().iter().map(|message| (message.id(), 1)).collect();
    assert_eq!(ids.len(), 2);
}
