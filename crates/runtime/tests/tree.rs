//! The tree as a whole, and looking at it.

use glitchlab_runtime::{ChildSpec, ControlError, Strategy, TreeSnapshot};

use crate::probe::{Log, Probe, spec, start};

#[tokio::test(start_paused = true)]
async fn a_snapshot_goes_to_another_process_and_back() {
    let log = Log::default();
    let one = Probe::new("one", &log);
    let (tree, _events) = start(spec(Strategy::OneForOne, 1, [one.spec()])).await;
    let seen = tree.snapshot();
    let json = serde_json::to_string(&seen).unwrap();
    assert_eq!(serde_json::from_str::<TreeSnapshot>(&json).unwrap(), seen);
    assert!(
        json.contains(r#""kind":"worker","restart":"permanent","state":"running","incarnation":0"#),
        "{json}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_order_that_cannot_be_carried_out_says_why() {
    let log = Log::default();
    let one = Probe::new("one", &log);
    let inner = ChildSpec::supervisor("inner", spec(Strategy::OneForOne, 1, [one.spec()]));
    let (tree, _events) = start(spec(Strategy::OneForOne, 1, [inner])).await;
    let handle = tree.handle();
    let path = |path: &str| path.to_owned();
    assert_eq!(handle.kill("root/two"), Err(ControlError::Unknown { path: path("root/two") }));
    assert_eq!(handle.kill("root/inner"), Err(ControlError::Supervisor { path: path("root/inner") }));
    assert_eq!(handle.terminate_child("root").await, Err(ControlError::Supervisor { path: path("root") }));
    tree.stop().await;
    assert_eq!(handle.kill("root/inner/one"), Err(ControlError::Down { path: path("root/inner") }));
}
