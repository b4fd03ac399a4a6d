//! What was settled, by stage and model.

use std::collections::BTreeMap;

use askama::Template;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::stage::Stage;
use glitchlab_domain::story::Story;

/// The table.
#[derive(Clone, Debug, Template)]
#[template(path = "fragments/costs.html")]
pub(crate) struct Costs {
    /// Each model in full, and without its provider.
    pub(crate) models: Vec<(String, String)>,
    pub(crate) rows: Vec<CostRow>,
    pub(crate) totals: Vec<String>,
    pub(crate) note: String,
}

/// One stage; blank where it did not ask a model.
#[derive(Clone, Debug)]
pub(crate) struct CostRow {
    pub(crate) name: String,
    pub(crate) cells: Vec<String>,
    pub(crate) total: String,
}

type Sums = BTreeMap<(Stage, String), MicroUsd>;

impl Costs {
    pub(crate) fn new(story: &Story) -> Self {
        let (sums, open) = sums(story);
        let mut models: Vec<String> = sums.keys().map(|(_, model)| model.clone()).collect();
        models.sort_unstable();
        models.dedup();
        let mut stages: Vec<Stage> = sums.keys().map(|(stage, _)| *stage).collect();
        stages.dedup();
        let mut rows: Vec<_> = stages.into_iter().map(|stage| row(stage, &models, &sums)).collect();
        let parts = story.whole_cost - story.cost;
        if parts != MicroUsd::ZERO {
            let cells = vec![String::new(); models.len()];
            rows.push(CostRow { name: "sub-tasks".to_owned(), cells, total: parts.to_string() });
        }
        Self {
            totals: totals(&models, &sums, parts),
            models: models.into_iter().map(|model| (model.clone(), short(&model))).collect(),
            rows,
            note: note(story, open),
        }
    }
}

fn sums(story: &Story) -> (Sums, usize) {
    let (mut sums, mut open) = (Sums::new(), 0);
    for step in story.attempts.iter().flat_map(|attempt| &attempt.steps) {
        for call in &step.calls {
            match call.cost {
                Some(cost) => *sums.entry((step.stage, call.model.clone())).or_default() += cost,
                None => open += 1,
            }
        }
    }
    (sums, open)
}

fn row(stage: Stage, models: &[String], sums: &Sums) -> CostRow {
    let cell = |model: &String| sums.get(&(stage, model.clone()));
    CostRow {
        name: stage.name().to_owned(),
        cells: models.iter().map(|model| cell(model).map_or(String::new(), MicroUsd::to_string)).collect(),
        total: models.iter().filter_map(cell).copied().sum::<MicroUsd>().to_string(),
    }
}

fn totals(models: &[String], sums: &Sums, parts: MicroUsd) -> Vec<String> {
    let of =
        |model: &String| sums.iter().filter(|((_, other), _)| other == model).map(|(_, cost)| *cost).sum();
    let each: Vec<MicroUsd> = models.iter().map(of).collect();
    let all: MicroUsd = each.iter().copied().chain([parts]).sum();
    each.into_iter().chain([all]).map(|cost| cost.to_string()).collect()
}

fn note(story: &Story, open: usize) -> String {
    let mut parts = vec!["settled".to_owned()];
    parts.extend((open > 0).then(|| format!("{open} calls are open")));
    parts.extend((story.earlier_attempts > 0).then(|| "of the attempts shown".to_owned()));
    parts.join(", ")
}

fn short(model: &str) -> String {
    model.rsplit('/').next().unwrap_or(model).to_owned()
}
