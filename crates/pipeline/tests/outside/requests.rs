//! A request of the local forge is a branch, and what becomes of it is seen on the base.

use glitchlab_pipeline::forge::{Forge, ForgeError, OpenRequest, Request, RequestState};
use glitchlab_pipeline::workspace::{CommitMessage, Workspace};

use crate::support::{World, spec, write};

async fn branch_of(world: &World, attempt: &str, task: &str) -> String {
    let workspace = world.workspace().await;
    let at = workspace.open(&spec(attempt)).await.unwrap();
    write(&at.path.join(attempt), "x\n");
    let trailers = vec![("Glitchlab-Task".to_owned(), task.to_owned())];
    let message = CommitMessage { subject: "Work".into(), body: String::new(), trailers };
    workspace.commit(&at, &message).await.unwrap().unwrap();
    workspace.close(&at, false).await.unwrap();
    at.branch
}

fn open_request(branch: &str, task: &str) -> OpenRequest {
    OpenRequest { branch: branch.into(), base: "main".into(), task_id: task.into() }
}

#[tokio::test]
async fn a_request_names_the_branch_and_its_commit() {
    let world = World::new();
    let branch = branch_of(&world, "attempt1", "gl-1 g1").await;
    let mut request = Request {
        effect_key: "pr:gl-1:1".into(),
        bead_id: "gl-1".into(),
        branch: branch.clone(),
        base: "main".into(),
        title: "Work".into(),
        body: String::new(),
    };
    let forge = world.forge().await;
    let opened = forge.open_request(&request).await.unwrap();
    assert_eq!(
        (opened.reference.as_str(), opened.commit),
        (branch.as_str(), world.git(&["rev-parse", &branch]))
    );
    request.branch = "glitchlab/gone".into();
    assert!(matches!(forge.open_request(&request).await, Err(ForgeError::NoBranch { .. })));
}

#[tokio::test]
async fn the_poll_tells_open_merged_and_closed_requests_apart() {
    let world = World::new();
    let mut open = Vec::new();
    for n in 1..=4 {
        let task = format!("gl-{n} g1");
        open.push(open_request(&branch_of(&world, &format!("attempt{n}"), &task).await, &task));
    }
    let forge = world.forge().await;
    assert_eq!(forge.poll(&open).await.unwrap(), vec![RequestState::Open; 4]);
    world.git(&["merge", "--quiet", "--no-ff", "--no-edit", &open[1].branch]);
    world.git(&["merge", "--quiet", "--no-ff", "--no-edit", &open[2].branch]);
    world.git(&["branch", "--quiet", "-D", &open[2].branch]);
    world.git(&["branch", "--quiet", "-D", &open[3].branch]);
    let states = forge.poll(&open).await.unwrap();
    assert_eq!(states[0], RequestState::Open);
    assert!(matches!(states[1], RequestState::Merged { .. }));
    assert!(matches!(states[2], RequestState::Merged { .. }), "its branch was deleted after the merge");
    assert_eq!(states[3], RequestState::ClosedUnmerged);
}
