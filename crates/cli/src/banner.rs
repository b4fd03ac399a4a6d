//! The first words of a run: what it works on, with what, for how much, and how to stop it.

use std::net::SocketAddr;

use glitchlab_actors::Engine;
use glitchlab_domain::ledger::Usage;
use glitchlab_pipeline::git::GitRepo;
use glitchlab_pipeline::implementer::Agent;

use crate::args::Merge;
use crate::boot::Found;
use crate::config::Config;
use crate::output::one_line;

/// Writes the banner.
pub(crate) fn text(
    config: &Config,
    engine: &Engine,
    repo: &GitRepo,
    found: &Found,
    counts: Option<(usize, usize)>,
    receivers: Option<String>,
    address: SocketAddr,
) -> String {
    let mut lines = vec![format!("GLITCHLAB {}, process {}", env!("CARGO_PKG_VERSION"), std::process::id())];
    if engine.tools.model.simulated() {
        lines.push(simulated(engine.tools.is_simulated()).to_owned());
    }
    lines.push(format!(
        "  repository {}, base {} at {}",
        config.repo.display(),
        repo.base,
        short(&repo.base_commit)
    ));
    if repo.dirty_files > 0 {
        lines.push(format!(
            "             {} files in your checkout are not committed: tasks start from {} and will not see them",
            repo.dirty_files, repo.base
        ));
    }
    lines.push(format!("  backlog    {}{}", engine.source.location(), counted(counts)));
    lines.push(format!(
        "  money      {} in any hour, {} in any day{}; {} and {} are used",
        found.usage.cap_hour,
        found.usage.cap_day,
        reach(&found.usage),
        found.usage.hour,
        found.usage.day,
    ));
    if (found.usage.cap_hour, found.usage.cap_day) != (config.per_hour, config.per_day) {
        lines.push(format!(
            "             not {} and {} as asked: while another engine lives on this store, caps only go down",
            config.per_hour, config.per_day
        ));
    }
    lines.push(format!("  model      {}, every call metered: BOUNDED", engine.tools.model.id()));
    lines.extend(engine.tools.stages.implementer.agent().map(agent));
    lines.push(format!("  tests      {}", config.test.as_deref().unwrap_or("none: changes are UNTESTED")));
    lines.push(format!("  merge      {}, {} workers", merge(config.merge), config.workers));
    lines.push(format!("  store      {}", config.store.display()));
    lines.extend(config.effective.notes.iter().map(|note| format!("  settings   {}", one_line(note))));
    lines.extend(recovered(found));
    lines.extend(receivers.map(|receivers| format!("  telemetry  {}", one_line(&receivers))));
    lines.push(format!("  watch      http://{address}"));
    lines.push(
        "  stop       Ctrl-C finishes what runs; a second Ctrl-C ends at once, nothing durable is lost"
            .to_owned(),
    );
    lines.join("\n")
}

const fn simulated(is_money: bool) -> &'static str {
    if is_money {
        "  SIMULATED  the model is pretended, and so is its money; the git work is real"
    } else {
        "  SIMULATED  the model that plans and reviews is pretended; the agent that edits and its money are real"
    }
}

/// Says what a run of the agent may cost as far as anybody here knows: nothing meters it.
fn agent(agent: &Agent) -> String {
    let told = if agent.command.passes_budget() { "is told" } else { "is NOT told" };
    format!(
        "  agent      {}, UNBOUNDED: it {told} to spend at most {} a run, nothing here meters it; {} are set aside; no sandbox",
        agent.name,
        agent.cap,
        agent.bound()
    )
}

fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}

const fn merge(merge: Merge) -> &'static str {
    match merge {
        Merge::Never => "never: branches wait for you",
        Merge::WhenGreen => "when tests and review are green",
    }
}

/// Says how many tasks are ready; nothing where the backlog could not be read, which the log says.
fn counted(counts: Option<(usize, usize)>) -> String {
    counts
        .map(|(ready, others)| format!(": {ready} ready, {others} not, `glitchlab why` says why"))
        .unwrap_or_default()
}

/// Says when the day's cap is reached at full speed.
fn reach(usage: &Usage) -> String {
    if usage.cap_day.micro() >= usage.cap_hour.micro().saturating_mul(24) {
        return String::new();
    }
    let minutes = usage.cap_day.micro().saturating_mul(60) / usage.cap_hour.micro().max(1);
    format!(" (at full speed the day's cap is reached after {} h {:02} min)", minutes / 60, minutes % 60)
}

fn recovered(found: &Found) -> Option<String> {
    (found.dead_boots + found.resumed > 0).then(|| {
        format!(
            "  recovered  {} attempts go on, {} left processes ended, {} open calls charged at their bound, {} stale locks and {} worktrees removed",
            found.resumed, found.processes, found.open_calls, found.locks, found.worktrees
        )
    })
}
