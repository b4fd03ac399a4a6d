//! Children that come and go at run time, beyond the table.

use glitchlab_runtime::{
    ChildSpec, ControlError, NodeState, Restart, Shutdown, StartError, Strategy, Template,
};

use crate::probe::{
    Log, Probe, ProbeMsg, SHORT, block, children, crash, fill, pool, probes, settle, spec, start,
    until_restarted,
};

#[tokio::test(start_paused = true)]
async fn a_supervisor_that_is_restarted_begins_with_the_children_of_its_spec() {
    let log = Log::default();
    let [fixed, deleted, added] = probes(["fixed", "deleted", "added"], &log);
    let inner = spec(Strategy::OneForOne, 0, [fixed.spec(), deleted.spec()]);
    let (tree, mut events) =
        start(spec(Strategy::OneForOne, 1, [ChildSpec::supervisor("inner", inner)])).await;
    let handle = tree.handle();
    handle.start_child("root/inner", added.spec()).await.unwrap();
    handle.terminate_child("root/inner/deleted").await.unwrap();
    handle.delete_child("root/inner/deleted").await.unwrap();
    let running = |ids: [&str; 2]| ids.map(|id| (id.to_owned(), NodeState::Running));
    assert_eq!(children(&tree, "root/inner"), running(["fixed", "added"]));
    assert_eq!(tree.snapshot().root.children[0].children[1].path, "root/inner/added");

    crash(&added).await;
    until_restarted(&mut events, "root/inner").await;
    assert_eq!(children(&tree, "root/inner"), running(["fixed", "deleted"]));
    assert_eq!((added.alive(), added.handle.is_up()), (0, false));
}

#[tokio::test(start_paused = true)]
async fn a_child_that_was_added_shares_the_fate_of_its_group_in_its_place() {
    let log = Log::default();
    let [one, two] = probes(["one", "two"], &log);
    let (tree, mut events) = start(spec(Strategy::RestForOne, 1, [one.spec()])).await;
    tree.handle().start_child("root", two.spec()).await.unwrap();
    one.tell(ProbeMsg::Fail("crash"));
    until_restarted(&mut events, "root/two").await;
    tree.stop().await;
    let expected = ["start one", "start two", "stop two", "start one", "start two", "stop two", "stop one"];
    assert_eq!(log.take(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_child_of_a_template_that_ends_well_is_forgotten_whatever_it_is() {
    for restart in [Restart::Transient, Restart::Temporary] {
        let log = Log::default();
        let one = Probe::new("one", &log);
        let (tree, _events) = start(pool(1, move |probe| probe.with(restart))).await;
        fill(&tree, std::slice::from_ref(&one)).await;
        one.tell(ProbeMsg::Stop);
        settle().await;
        assert!(children(&tree, "root").is_empty());
        assert!(tree.snapshot().root.children.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn supervisors_can_be_children_of_a_template_and_take_orders_themselves() {
    let log = Log::default();
    let [one, two] = probes(["one", "two"], &log);
    let template = Template::new(|id, probe: Probe| {
        ChildSpec::supervisor(id, spec(Strategy::OneForOne, 1, [probe.spec()]))
    });
    let (tree, _events) = start(glitchlab_runtime::SupervisorSpec::dynamic(template)).await;
    let handle = tree.handle();
    handle.start_child_with("root", "team-1", one.clone()).await.unwrap();
    handle.start_child("root/team-1", two.spec()).await.unwrap();
    assert_eq!(two.incarnation().await, Some(0));
    handle.terminate_child("root/team-1").await.unwrap();
    assert_eq!((one.alive(), two.alive()), (0, 0));
    let gone = handle.start_child("root/team-1", two.spec()).await;
    assert_eq!(gone, Err(ControlError::Unknown { path: "root/team-1".into() }));
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_a_new_child_is_built_is_the_answer_to_its_order() {
    let log = Log::default();
    let [one, two] = probes(["one", "two"], &log);
    let (tree, _events) = start(spec(Strategy::OneForOne, 0, [one.spec()])).await;
    let broken = ChildSpec::worker("two", &two.handle, |_| -> (Probe, ()) { panic!("cannot build it") });
    let refused = tree.handle().start_child("root", broken).await;
    assert!(matches!(refused, Err(ControlError::Start(StartError::Child { .. }))), "{refused:?}");
    assert_eq!(one.incarnation().await, Some(0), "no failure was counted");
}

#[tokio::test(start_paused = true)]
async fn an_order_to_a_supervisor_that_has_ended_says_so() {
    let log = Log::default();
    let one = Probe::new("one", &log);
    let (tree, _events) = start(spec(Strategy::OneForOne, 0, [])).await;
    assert_eq!(tree.handle().beat("root").await, Ok(()));
    tree.stop().await;
    let down = || ControlError::Down { path: "root".into() };
    assert_eq!(tree.handle().start_child("root", one.spec()).await, Err(down()));
    assert_eq!(tree.handle().beat("root").await, Err(down()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_forgotten_zombie_stays_in_sight_and_hands_its_count_to_the_next_with_its_id() {
    let log = Log::default();
    let one = Probe::new("one", &log).may_overlap();
    let stubborn = |probe: &Probe| probe.spec().shutdown(Shutdown::Timeout(SHORT)).kill_grace(SHORT);
    let (tree, _events) = start(pool(1, stubborn)).await;
    fill(&tree, std::slice::from_ref(&one)).await;
    let release = block(&one).await;
    tree.handle().terminate_child("root/one").await.unwrap();
    assert_eq!(children(&tree, "root"), [("one".to_owned(), NodeState::Zombie)]);
    fill(&tree, std::slice::from_ref(&one)).await;
    let node = tree.snapshot().root.children.remove(0);
    assert_eq!((node.state, node.zombies, node.incarnation), (NodeState::Running, 1, 1));
    drop(release);
}
