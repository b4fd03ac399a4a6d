//! `budget_gate`: passes a plan, has it split or made smaller, or rejects it. Asks no model.

use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::outcome::Size;
use glitchlab_domain::policy::Limits;
use glitchlab_domain::stage::{Decision, Stage};
use serde::{Deserialize, Serialize};

use crate::durable::Room;
use crate::ending::Stop;
use crate::run::Run;
use crate::step::{Report, Step};

/// What the gate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// It fits.
    Pass,
    /// It does not fit and can be split.
    Decompose,
    /// It does not fit and lies as deep as splits go: plan once more.
    Replan,
    /// It does not fit, and nothing is left to try.
    TooDeep,
    /// It costs more than its task may, or than a whole day may: neither waiting nor splitting helps.
    Reject,
}

impl Verdict {
    const fn decision(self) -> Decision {
        match self {
            Self::Pass => Decision::Pass,
            Self::Decompose => Decision::Decompose,
            Self::Replan => Decision::Replan,
            Self::TooDeep | Self::Reject => Decision::Reject,
        }
    }
}

/// What a plan costs at the very least, compared with what may be spent on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Funds {
    /// The estimate at the price of a prompt, the cheaper of the two: a plan that is rejected certainly does not fit.
    pub(crate) least: MicroUsd,
    /// What may be spent.
    pub(crate) room: Room,
}

impl Funds {
    /// Says what the plan cannot be paid from. Parts of a plan are paid from the same purse, but on different days.
    fn lacking(&self, decomposes: bool) -> Option<String> {
        let Self { least, room } = self;
        if let Some(left) = room.task.filter(|left| least > left) {
            return Some(format!("it takes at least {least}, and {left} are left of what the task may cost"));
        }
        let too_much_a_day = !decomposes && *least > room.cap_day;
        too_much_a_day
            .then(|| format!("it takes at least {least}, more than the cap of {} a day", room.cap_day))
    }
}

/// Compares a plan with what its size may take. XL always splits; where nothing splits any more, XL is for a person,
/// and any other size gets one smaller plan.
pub(crate) fn judge(
    size: Size,
    estimated_tokens: u64,
    depth: u32,
    replanned: bool,
    limits: &Limits,
) -> Verdict {
    if size != Size::Xl && estimated_tokens <= budget_tokens(size, limits) {
        Verdict::Pass
    } else if depth < limits.depth {
        Verdict::Decompose
    } else if size != Size::Xl && !replanned {
        Verdict::Replan
    } else {
        Verdict::TooDeep
    }
}

fn budget_tokens(size: Size, limits: &Limits) -> u64 {
    let [small, medium, large] = limits.size_tokens;
    match size {
        Size::S => small,
        Size::M => medium,
        Size::L | Size::Xl => large,
    }
}

#[derive(Serialize)]
pub(crate) struct Gate {
    pub(crate) size: Size,
    pub(crate) estimated_tokens: u64,
    pub(crate) replanned: bool,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Judged {
    pub(crate) verdict: Verdict,
    pub(crate) budget_tokens: u64,
    /// Why it is rejected.
    #[serde(default)]
    pub(crate) why: String,
}

impl Step for Gate {
    type Output = Judged;

    fn stage(&self) -> Stage {
        Stage::BudgetGate
    }

    async fn work(&self, run: &mut Run<'_>, _: u32) -> Result<Judged, Stop> {
        let limits = &run.job.settings.limits;
        let verdict = judge(self.size, self.estimated_tokens, run.job.task.depth, self.replanned, limits);
        let least = run.job.model.price().cost(self.estimated_tokens, 0);
        let funds = Funds { least, room: run.job.durable.room().await? };
        if run.job.task.approved {
            // A person has seen what this gate would say.
            let (verdict, why) = (Verdict::Pass, String::new());
            return Ok(Judged { verdict, budget_tokens: budget_tokens(self.size, limits), why });
        }
        let why = funds.lacking(verdict == Verdict::Decompose);
        let verdict = if why.is_some() { Verdict::Reject } else { verdict };
        Ok(Judged { verdict, budget_tokens: budget_tokens(self.size, limits), why: why.unwrap_or_default() })
    }

    fn report(judged: &Judged) -> Report {
        let summary = match judged.verdict {
            Verdict::Pass => "it fits".to_owned(),
            Verdict::Decompose => "too large: it is split".to_owned(),
            Verdict::Replan => format!("more than {} tokens: plan again", judged.budget_tokens),
            Verdict::TooDeep => "too large, and as deep as splits go".to_owned(),
            Verdict::Reject => format!("rejected: {}", judged.why),
        };
        let decision = judged.verdict.decision();
        Report { decision: Some(decision), ..Report::new(decision != Decision::Reject, summary) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_fits_passes_and_what_does_not_is_split_until_it_cannot_be() {
        let limits = Limits::default();
        let table = [
            (Size::S, 20_000, 0, false, Verdict::Pass),
            (Size::S, 20_001, 0, false, Verdict::Decompose),
            (Size::M, 60_000, 3, false, Verdict::Pass),
            (Size::L, 90_001, 2, false, Verdict::Decompose),
            (Size::L, 90_001, 3, false, Verdict::Replan),
            (Size::L, 90_001, 3, true, Verdict::TooDeep),
            (Size::Xl, 1, 0, false, Verdict::Decompose),
            (Size::Xl, 1, 3, false, Verdict::TooDeep),
        ];
        for (size, tokens, depth, replanned, expected) in table {
            let verdict = judge(size, tokens, depth, replanned, &limits);
            assert_eq!(verdict, expected, "{size:?}, {tokens} tokens at depth {depth}");
        }
    }

    #[test]
    fn a_plan_that_cannot_be_paid_is_rejected_and_one_that_is_split_may_take_more_than_a_day() {
        let usd = |dollars: i64| MicroUsd::new(dollars * 1_000_000);
        let funds = |least, task: Option<i64>, day| Funds {
            least: usd(least),
            room: Room { task: task.map(usd), cap_day: usd(day) },
        };
        let table = [
            (funds(4, Some(4), 40), false, false),
            (funds(5, Some(4), 40), false, true),
            (funds(5, Some(4), 40), true, true),
            (funds(41, None, 40), false, true),
            (funds(41, None, 40), true, false),
            (funds(40, None, 40), false, false),
        ];
        for (funds, decomposes, rejected) in table {
            assert_eq!(funds.lacking(decomposes).is_some(), rejected, "{funds:?}, {decomposes}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_split_below_the_deepest_level_and_nothing_is_planned_a_third_time(
            tokens: u64, depth in 0u32..6, replanned: bool, size in prop::sample::select(vec![Size::S, Size::M, Size::L, Size::Xl]),
        ) {
            let limits = Limits::default();
            let verdict = judge(size, tokens, depth, replanned, &limits);
            prop_assert!(verdict != Verdict::Decompose || depth < limits.depth);
            prop_assert!(verdict != Verdict::Replan || !replanned);
            prop_assert!(verdict != Verdict::Pass || size != Size::Xl);
        }
    }
}
