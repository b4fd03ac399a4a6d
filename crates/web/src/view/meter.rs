//! A bar of settled, reserved and free: the cap is its right edge.

use askama::Template;
use glitchlab_domain::money::MicroUsd;

use super::text;

/// A meter. With `bar` unset the value is unknown and the track stays empty.
#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(path = "fragments/meter.html")]
pub(crate) struct Meter {
    pub(crate) small: bool,
    pub(crate) label: String,
    pub(crate) bar: Option<Bar>,
}

/// The known part of a meter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bar {
    /// The whole and what is taken of it, as numbers for `aria-valuemax` and `aria-valuenow`.
    pub(crate) max: String,
    pub(crate) now: String,
    /// The sentence that is read instead of the numbers.
    pub(crate) says: String,
    /// The widths of the two parts in percent.
    pub(crate) used: String,
    pub(crate) reserved: Option<String>,
    /// An extra class: near the edge, or over it.
    pub(crate) class: &'static str,
}

impl Meter {
    /// Draws settled and reserved money against a cap.
    pub(crate) fn money(
        label: &str,
        small: bool,
        settled: MicroUsd,
        reserved: MicroUsd,
        cap: MicroUsd,
    ) -> Self {
        let taken = settled + reserved;
        let (settled_share, taken_share) = (settled.basis_points_of(cap), taken.basis_points_of(cap));
        let bar = Bar {
            max: dollars(cap),
            now: dollars(taken.min(cap)),
            says: format!("{settled} settled and {reserved} reserved of {cap}"),
            used: text::percent(settled_share),
            reserved: (reserved > MicroUsd::ZERO)
                .then(|| text::percent(taken_share.min(10_000) - settled_share.min(10_000))),
            class: edge(taken, cap),
        };
        Self { small, label: label.to_owned(), bar: Some(bar) }
    }

    /// Draws used tokens against a budget.
    pub(crate) fn tokens(label: String, used: u64, budget: u64) -> Self {
        let share = u128::from(used) * 10_000 / u128::from(budget.max(1));
        let bar = Bar {
            max: budget.to_string(),
            now: used.min(budget).to_string(),
            says: format!(
                "{} of {} tokens used, {} left",
                text::tokens(used),
                text::token_budget(budget),
                text::tokens(budget.saturating_sub(used))
            ),
            used: text::percent(i64::try_from(share).unwrap_or(10_000)),
            reserved: None,
            class: if used > budget {
                "over"
            } else if share >= 9_000 {
                "near"
            } else {
                ""
            },
        };
        Self { small: true, label, bar: Some(bar) }
    }

    /// Draws an empty track.
    pub(crate) fn unknown(label: &str, small: bool) -> Self {
        Self { small, label: label.to_owned(), bar: None }
    }
}

/// Tells how near the cap is; a cap of nothing is always reached.
pub(crate) fn edge(taken: MicroUsd, cap: MicroUsd) -> &'static str {
    if taken > cap {
        "over"
    } else if taken.basis_points_of(cap) >= 9_000 {
        "near"
    } else {
        ""
    }
}

/// Writes dollars without sign and symbol, for attributes that want a number.
fn dollars(amount: MicroUsd) -> String {
    let cents = amount.micro().max(0) / 10_000;
    format!("{}.{:02}", cents / 100, cents % 100)
}
