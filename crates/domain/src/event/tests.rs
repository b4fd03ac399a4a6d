use super::*;

/// Events as versions wrote them that knew less of them.
#[test]
fn events_of_earlier_versions_are_read() {
    let usage = r#"{"reserved":0,"hour":1,"day":1,"total":1,"cap_hour":9,"cap_day":9}"#;
    let settled = format!(
        r#"{{"kind":"budget.settled","model":"m","bound":2,"actual":1,"input_tokens":3,"output_tokens":4,"latency_ms":5,"ok":true,"unknown":false,"usage":{usage}}}"#
    );
    let EventKind::BudgetSettled { stage: None, charged_tokens: 0, input_tokens: 3, .. } = read(&settled)
    else {
        panic!("{settled}");
    };
    let finished = r#"{"kind":"task.finished","status":"retried","detail":"","until_ms":null,"tokens":7,"cost":1,"took_ms":1,"attempts":1}"#;
    let EventKind::TaskFinished { failure: None, size: None, attempts: 1, .. } = read(finished) else {
        panic!("{finished}");
    };
    let EventKind::TaskClosed { merged: false, .. } = read(r#"{"kind":"task.closed","why":"merged as 1"}"#)
    else {
        panic!("task.closed");
    };
    let step = r#"{"kind":"stage.finished","stage":"budget_gate","n":2,"ok":true,"summary":"","took_ms":1,"size":null}"#;
    let EventKind::StageFinished { decision: None, .. } = read(step) else { panic!("{step}") };
}

fn read(event: &str) -> EventKind {
    serde_json::from_str(event).unwrap_or_else(|error| panic!("{event}: {error}"))
}
