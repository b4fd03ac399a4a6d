//! `architect_triage`: is it already done, and how large is it?

use glitchlab_domain::stage::Stage;
use glitchlab_models::reply::Triage;
use serde::Serialize;

use crate::call::Conversation;
use crate::ending::Stop;
use crate::prompt;
use crate::run::Run;
use crate::step::{Report, Step};

#[derive(Serialize)]
pub(crate) struct Triaging;

impl Step for Triaging {
    type Output = Triage;

    fn stage(&self) -> Stage {
        Stage::ArchitectTriage
    }

    async fn work(&self, run: &mut Run<'_>, n: u32) -> Result<Triage, Stop> {
        let files = run.list_files().await?;
        let task = &run.job.task;
        let values = [
            ("task", &*prompt::task(task)),
            ("lessons", &prompt::lessons(&task.learned)),
            ("files", &prompt::files(&files)),
        ];
        let turns = prompt::open(prompt::TRIAGE, &values);
        Conversation::new(run.job, self.stage(), n, turns).ask(check).await
    }

    fn report(triage: &Triage) -> Report {
        let summary = if triage.already_done {
            format!("already done: {}", triage.evidence)
        } else {
            format!("size {}", triage.size.name())
        };
        Report { size: Some(triage.size), ..Report::new(true, summary) }
    }
}

fn check(triage: &Triage) -> Result<(), String> {
    if triage.already_done && triage.evidence.trim().is_empty() {
        return Err("`already_done` needs `evidence`".to_owned());
    }
    Ok(())
}
