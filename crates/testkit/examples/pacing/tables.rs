//! How much of the caps was used, by load shape and by how wrong the holds were.

use glitchlab_domain::ledger::Terms;
use glitchlab_domain::pacing::Spread;
use glitchlab_testkit::day::{Day, Shape, play};

/// Played with caps that only the hour limits: otherwise eight full hours would end the day.
pub(crate) fn shapes() -> String {
    let mut table = "| load | cap an hour, a day | spread | tasks | spent | most in an hour | least in a clock hour after the first | waits |\n|---|---|---|---|---|---|---|---|\n".to_owned();
    for shape in Shape::ALL {
        table += &row(&Day::ordinary(shape, 1));
    }
    let day_cap = Day { per_day: usd(40), ..Day::ordinary(Shape::Steady, 1) };
    table += &row(&day_cap);
    let spread = Terms { spread: Spread::Day, ..Terms::default() };
    table += &row(&Day { terms: spread, ..day_cap });
    table
}

pub(crate) fn holds() -> String {
    let mut table = "| holds | used of the cap after the first hour | least in a clock hour | most held or spent at an admission above the inflow |\n|---|---|---|---|\n".to_owned();
    for percent in [25, 50, 75, 100, 133, 170, 200, 400] {
        let day = Day { hold_percent: percent, ..Day::ordinary(Shape::Steady, 1) };
        let played = play(&day);
        let hours = played.by_hour(&day);
        let used: i64 = hours[1..].iter().sum();
        let part = used * 1_000 / (day.per_hour.micro() * i64::try_from(hours.len() - 1).unwrap_or(1));
        let above = played.most_above_inflow(&day);
        table += &format!(
            "| {} times the mean | {}.{} % | {} | {} |\n",
            hundredths(percent),
            part / 10,
            part % 10,
            dollars(least(&hours)),
            dollars(above)
        );
    }
    table
}

fn row(day: &Day) -> String {
    let played = play(day);
    let total: i64 = played.bills.iter().map(|(_, micro)| micro).sum();
    let hours = played.by_hour(day);
    format!(
        "| {} | {}, {} | {} | {} | {} | {} | {} | {} |\n",
        day.shape.name(),
        dollars(day.per_hour.micro()),
        dollars(day.per_day.micro()),
        day.terms.spread.name(),
        played.done,
        dollars(total),
        dollars(played.most_within(glitchlab_domain::reason::Window::Hour)),
        dollars(least(&hours)),
        played.waits,
    )
}

fn least(hours: &[i64]) -> i64 {
    hours[1..].iter().copied().min().unwrap_or(0)
}

fn usd(dollars: i64) -> glitchlab_domain::money::MicroUsd {
    glitchlab_domain::money::MicroUsd::new(dollars * 1_000_000)
}

fn hundredths(percent: i64) -> String {
    format!("{}.{:02}", percent / 100, percent % 100)
}

/// Says this played day's amounts with cents.
pub(crate) fn dollars(micro: i64) -> String {
    glitchlab_domain::money::MicroUsd::new(micro).to_string()
}
