//! What the setting and the standard variables mean together.

use super::*;

fn given(firm: Option<&str>, variables: &[(&str, &str)]) -> Given {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Given { firm: firm.map(str::to_owned), variables: variables.collect(), ..Given::default() }
}

fn read(variables: &[(&str, &str)]) -> Config {
    Config::read(&given(None, variables)).expect("sound")
}

fn faults(variables: &[(&str, &str)]) -> String {
    Config::read(&given(Some("localhost:4318"), variables)).expect_err("unsound").to_string()
}

fn faults_of(endpoint: &str) -> String {
    Config::read(&given(Some(endpoint), &[])).expect_err(endpoint).to_string()
}

fn endpoints(config: &Config) -> [String; 3] {
    Signal::ALL.map(|signal| config.destination(signal).map(|to| to.endpoint.to_string()).unwrap_or_default())
}

#[test]
fn nothing_is_sent_unless_a_receiver_is_named() {
    let config = read(&[("OTEL_SERVICE_NAME", "mine"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "")]);
    assert!(!config.is_on());
    assert_eq!(config.service, "mine");
}

#[test]
fn an_address_gets_its_scheme_and_each_signals_path() {
    for text in ["localhost:4318", "http://localhost:4318", "http://localhost:4318/"] {
        let config = Config::read(&given(Some(text), &[])).expect(text);
        let expected = ["traces", "metrics", "logs"].map(|name| format!("http://localhost:4318/v1/{name}"));
        assert_eq!(endpoints(&config), expected, "{text}");
    }
    let below = Config::read(&given(Some("https://otel.example.org/a/b"), &[])).expect("sound");
    assert_eq!(endpoints(&below)[0], "https://otel.example.org/a/b/v1/traces");
}

#[test]
fn the_command_line_wins_over_the_variables_and_they_over_a_file() {
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:4318"),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://logs:9/own"),
    ];
    let fallback = Some("http://file:4318".to_owned());
    let file = Given { fallback: fallback.clone(), ..given(None, &variables) };
    let config = Config::read(&file).expect("sound");
    assert_eq!(
        endpoints(&config),
        ["http://all:4318/v1/traces", "http://all:4318/v1/metrics", "http://logs:9/own"]
    );
    assert_eq!(config.to_string(), "traces, metrics to all:4318; logs to logs:9");
    let flag = Given { fallback: fallback.clone(), ..given(Some("flag:1"), &variables) };
    assert_eq!(endpoints(&Config::read(&flag).expect("sound"))[2], "http://flag:1/v1/logs");
    let alone = Given { fallback, ..Given::default() };
    assert_eq!(endpoints(&Config::read(&alone).expect("sound"))[1], "http://file:4318/v1/metrics");
}

#[test]
fn a_signals_own_variables_win_over_those_of_all() {
    let config = read(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:4318"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "2000"),
        ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "500"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b%3D, x = y ,"),
        ("OTEL_LOGS_EXPORTER", "none"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "250"),
    ]);
    let [traces, metrics] = [config.traces, config.metrics].map(|to| to.expect("it is sent"));
    assert_eq!((traces.timeout.as_millis(), metrics.timeout.as_millis()), (2_000, 500));
    let headers: Vec<_> =
        traces.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().expect("text"))).collect();
    assert_eq!(headers, [("api-key", "a b="), ("x", "y")]);
    assert_eq!(config.logs, None);
    assert_eq!(config.metric_interval.as_millis(), 250);
}

#[test]
fn the_resource_takes_its_name_from_either_variable() {
    let attributes =
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=te%C3%A4st,service.name=theirs");
    let config = read(&[attributes]);
    assert_eq!(config.service, "theirs");
    assert_eq!(config.attributes, [("deployment.environment.name".to_owned(), "teäst".to_owned())]);
    assert_eq!(read(&[attributes, ("OTEL_SERVICE_NAME", "mine")]).service, "mine");
    assert_eq!(read(&[]).service, "glitchlab");
}

#[test]
fn a_disabled_sdk_sends_nothing_whoever_asked() {
    let disabled = |value| given(Some("localhost:4318"), &[("OTEL_SDK_DISABLED", value)]);
    assert!(!Config::read(&disabled("TRUE")).expect("sound").is_on());
    let odd = Config::read(&disabled("yes")).expect("sound");
    assert!(odd.is_on());
    assert_eq!(odd.notes, ["OTEL_SDK_DISABLED is neither true nor false and counts as false"]);
}

#[test]
fn everything_that_is_wrong_is_named_once_and_no_secret_is_repeated() {
    let all = faults(&[
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=fine,s3cret"),
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
    ]);
    assert_eq!(all.lines().count(), 4, "{all}");
    for part in ["`soon` is no time in ms", "zipkin", "http/json", "an entry is not name=value"] {
        assert!(all.contains(part), "{part}: {all}");
    }
    assert!(!all.contains("s3cret") && !all.contains("fine"), "{all}");
    let addresses = ["ftp://x", "http://", "http://user:pass@x", "http://x y", "http://x/?key=1"];
    let ports =
        ["localhost:99999", "localhost:0", "localhost:", "bad:url:x", "http://[::1]:4318x", "::1:4318"];
    for wrong in addresses.into_iter().chain(ports) {
        let error = Config::read(&given(Some(wrong), &[])).expect_err(wrong).to_string();
        assert!(error.starts_with("telemetry.otlp_endpoint (--otlp-endpoint): "), "{error}");
        assert!(!error.contains("pass@") && error.lines().count() == 1, "{error}");
    }
}

#[test]
fn an_address_may_be_in_brackets_and_without_a_port() {
    for (text, whole) in [
        ("[::1]:4318", "http://[::1]:4318/v1/traces"),
        ("https://[::1]", "https://[::1]/v1/traces"),
        ("https://otel.example.org", "https://otel.example.org/v1/traces"),
    ] {
        assert_eq!(endpoints(&Config::read(&given(Some(text), &[])).expect(text))[0], whole);
    }
}

#[test]
fn an_address_of_all_signals_that_is_one_of_a_single_signal_is_refused() {
    for (path, signal) in [("traces", "TRACES"), ("metrics/", "METRICS"), ("logs", "LOGS")] {
        let error = faults_of(&format!("http://x:4318/v1/{path}"));
        let own = format!("OTEL_EXPORTER_OTLP_{signal}_ENDPOINT");
        assert!(error.contains(&own) && error.contains("is appended"), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    let own = read(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://x:4318/v1/traces")]);
    assert_eq!(endpoints(&own), ["http://x:4318/v1/traces", "", ""]);
}

#[test]
fn headers_that_the_client_writes_itself_are_refused() {
    for header in ["content-length", "Host", "transfer-encoding", "Content-Type", "connection"] {
        let error = faults(&[("OTEL_EXPORTER_OTLP_HEADERS", &format!("api-key=s3cret,{header}=s3cret"))]);
        let named = format!("OTEL_EXPORTER_OTLP_HEADERS: `{}` is written", header.to_lowercase());
        assert!(error.starts_with(&named) && !error.contains("s3cret"), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn variables_of_the_sdk_that_are_not_followed_are_named() {
    let names = [
        "OTEL_BLRP_SCHEDULE_DELAY",
        "OTEL_BSP_MAX_QUEUE_SIZE",
        "OTEL_METRIC_EXPORT_TIMEOUT",
        "OTEL_TRACES_SAMPLER",
        "OTEL_TRACES_SAMPLER_ARG",
    ];
    let set = names.map(|name| (name, "1"));
    let config = Config::read(&given(Some("localhost:4318"), &set)).expect("sound");
    let noted: Vec<_> = config.notes.iter().filter_map(|note| note.split_once(" does not count: ")).collect();
    assert_eq!(noted.iter().map(|(name, _)| *name).collect::<Vec<_>>(), names);
    assert!(noted.iter().all(|(_, why)| !why.is_empty()));
    let followed = [("OTEL_METRIC_EXPORT_INTERVAL", "1000"), ("OTEL_BSP_SCHEDULE_DELAY", "")];
    assert_eq!(Config::read(&given(Some("localhost:4318"), &followed)).expect("sound").notes, [""; 0]);
    assert_eq!(read(&set).notes, [""; 0], "nothing is sent, so nothing is asked of it");
}

#[test]
fn a_file_without_certificates_is_refused_by_its_name() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/tls/");
    let with = |file: &str| {
        let path = format!("{folder}{file}");
        Config::read(&given(Some("https://x"), &[("OTEL_EXPORTER_OTLP_CERTIFICATE", &path)]))
    };
    assert!(with("certificate.pem").expect("sound").logs.is_some_and(|to| to.trusted.is_some()));
    for (file, why) in [("key.pem", "no certificate that can be used"), ("none.pem", "cannot be read")] {
        let error = with(file).expect_err(file).to_string();
        assert!(error.starts_with("OTEL_EXPORTER_OTLP_CERTIFICATE: ") && error.contains(why), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn what_is_set_and_not_used_is_noted() {
    let config = read(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:4318"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "none"),
        ("OTEL_EXPORTER_OTLP_TRACES_INSECURE", "false"),
    ]);
    assert_eq!(
        config.notes,
        [
            "OTEL_EXPORTER_OTLP_COMPRESSION does not count: what is sent is not compressed",
            "OTEL_EXPORTER_OTLP_TRACES_INSECURE does not count: the address says whether the way is encrypted: write https:// or http://",
        ]
    );
}

#[cfg(not(feature = "otlp-grpc"))]
#[test]
fn a_build_without_grpc_says_how_to_get_it() {
    let error = faults(&[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]);
    assert!(error.contains("OTEL_EXPORTER_OTLP_PROTOCOL: this build does not speak grpc"), "{error}");
    assert!(error.contains("--features otlp-grpc"), "{error}");
}

#[cfg(feature = "otlp-grpc")]
#[test]
fn grpc_has_no_path() {
    let variables =
        [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:4317"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")];
    let traces = read(&variables).traces.expect("it is sent");
    assert_eq!((traces.endpoint.path(), traces.protocol), ("/", Protocol::Grpc));
}

#[test]
fn the_latest_names_for_models_are_opted_in_among_others() {
    let opted = |words| read(&[("OTEL_SEMCONV_STABILITY_OPT_IN", words)]).conventions;
    assert_eq!(opted("http"), Conventions::Released);
    assert_eq!(opted("http, gen_ai_latest_experimental"), Conventions::Latest);
}
