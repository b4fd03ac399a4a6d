//! `decompose`: splits a task that is too large for one change.

use glitchlab_domain::outcome::SubTask;
use glitchlab_domain::stage::Stage;
use glitchlab_models::reply::{Decomposition, Plan};
use serde::Serialize;

use crate::call::Conversation;
use crate::ending::Stop;
use crate::prompt;
use crate::run::Run;
use crate::step::{Report, Step};

#[derive(Serialize)]
pub(crate) struct Decompose {
    pub(crate) plan: Plan,
}

impl Step for Decompose {
    type Output = Decomposition;

    fn stage(&self) -> Stage {
        Stage::Decompose
    }

    async fn work(&self, run: &mut Run<'_>, n: u32) -> Result<Decomposition, Stop> {
        let most = run.job.settings.limits.subtasks;
        let values = [
            ("task", &*prompt::task(&run.job.task)),
            ("plan", &prompt::plan(&self.plan)),
            ("most", &most.to_string()),
        ];
        let turns = prompt::open(prompt::DECOMPOSE, &values);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let check = move |reply: &Decomposition| check(&reply.subtasks, most);
        Conversation::new(run.job, self.stage(), n, turns).ask(check).await
    }

    fn report(decomposition: &Decomposition) -> Report {
        let titles: Vec<&str> = decomposition.subtasks.iter().map(|sub| sub.title.as_str()).collect();
        Report::new(true, format!("{} sub-tasks: {}", titles.len(), titles.join("; ")))
    }
}

fn check(parts: &[SubTask], most: usize) -> Result<(), String> {
    if parts.len() < 2 || parts.len() > most {
        return Err(format!("there are {} sub-tasks; write 2 to {most}", parts.len()));
    }
    for (place, part) in parts.iter().enumerate() {
        if part.title.trim().is_empty() || part.description.trim().is_empty() {
            return Err(format!("sub-task {place} needs a title and a description"));
        }
        if let Some(before) = part.after.iter().find(|before| **before >= parts.len()) {
            return Err(format!("sub-task {place} comes after {before}, which is not in the list"));
        }
    }
    match first_in_a_circle(parts) {
        Some(place) => Err(format!("sub-task {place} waits for itself by its `after`")),
        None => Ok(()),
    }
}

/// Takes away what waits for nothing, again and again; what is left waits in a circle.
fn first_in_a_circle(parts: &[SubTask]) -> Option<usize> {
    let mut done = vec![false; parts.len()];
    for _ in parts {
        for (place, part) in parts.iter().enumerate() {
            done[place] = done[place] || part.after.iter().all(|before| done[*before]);
        }
    }
    done.iter().position(|done| !done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(after: &[&[usize]]) -> Vec<SubTask> {
        let part = |after: &&[usize]| SubTask {
            title: "title".into(),
            description: "description".into(),
            after: after.to_vec(),
        };
        after.iter().map(part).collect()
    }

    #[test]
    fn a_list_in_any_order_is_taken() {
        assert_eq!(check(&parts(&[&[1], &[2], &[]]), 12), Ok(()));
    }

    #[test]
    fn one_part_too_many_parts_a_circle_and_a_place_outside_are_refused() {
        let refused = |after: &[&[usize]]| check(&parts(after), 3).unwrap_err();
        assert!(refused(&[&[]]).contains("2 to 3"));
        assert!(refused(&[&[], &[], &[], &[]]).contains("2 to 3"));
        assert!(refused(&[&[], &[2], &[1]]).contains("sub-task 1 waits for itself"));
        assert!(refused(&[&[0], &[]]).contains("sub-task 0 waits for itself"));
        assert!(refused(&[&[], &[7]]).contains("not in the list"));
    }
}
