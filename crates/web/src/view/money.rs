//! The caps, what is spent of them, and the last 24 hours.

use askama::Template;
use glitchlab_domain::money::MicroUsd;
use glitchlab_domain::snapshot::{Activity, Snapshot};

use super::Moment;
use super::meter::{self, Meter};
use super::text::{self, Clock, UNKNOWN};

const HOUR_MS: i64 = 3_600_000;
const HOURS: i64 = 24;

/// The money panel.
#[derive(Clone, Debug, Template)]
#[template(path = "fragments/money.html")]
pub(crate) struct Money {
    pub(crate) as_of: Clock,
    pub(crate) windows: [WindowMoney; 2],
    pub(crate) spark: Option<Spark>,
}

/// One rolling window.
#[derive(Clone, Debug)]
pub(crate) struct WindowMoney {
    pub(crate) label: &'static str,
    pub(crate) class: &'static str,
    pub(crate) meter: Meter,
    /// The numbers; unset while they are unknown.
    pub(crate) sums: Option<Sums>,
}

/// What a window holds.
#[derive(Clone, Debug)]
pub(crate) struct Sums {
    pub(crate) free: String,
    pub(crate) cap: String,
    pub(crate) settled: String,
    pub(crate) reserved: String,
    /// When room comes back and how much, such as `+$0.42 at 14:39`.
    pub(crate) returns: Option<String>,
}

/// The spend of each of the last 24 hours as bars.
#[derive(Clone, Debug)]
pub(crate) struct Spark {
    pub(crate) says: String,
    /// What the dashed line means.
    pub(crate) note: String,
    /// The height of the cap's line, when it fits.
    pub(crate) cap_y: Option<String>,
    pub(crate) bars: Vec<HourBar>,
    pub(crate) ticks: Vec<String>,
}

/// One hour.
#[derive(Clone, Debug)]
pub(crate) struct HourBar {
    pub(crate) last: bool,
    pub(crate) x: String,
    pub(crate) y: String,
    pub(crate) height: String,
    pub(crate) from: String,
    pub(crate) spend: String,
}

impl Money {
    pub(crate) fn new(moment: &Moment) -> Self {
        let snapshot = &*moment.snapshot;
        let known = snapshot.activity != Activity::Starting;
        Self {
            as_of: text::clock(snapshot.as_of_ms),
            windows: windows(snapshot, known),
            spark: known.then(|| spark(snapshot, moment.now_ms)),
        }
    }
}

fn windows(snapshot: &Snapshot, known: bool) -> [WindowMoney; 2] {
    let (money, usage) = (&snapshot.money, snapshot.money.usage);
    let hour = ("Rolling hour", usage.hour, usage.cap_hour, money.hour_returns);
    let day = ("Rolling 24 hours", usage.day, usage.cap_day, money.day_returns);
    [hour, day].map(|(label, settled, cap, returns)| {
        if known {
            window(label, settled, usage.reserved, cap, returns)
        } else {
            WindowMoney { label, class: "", meter: Meter::unknown(label, false), sums: None }
        }
    })
}

fn window(
    label: &'static str,
    settled: MicroUsd,
    reserved: MicroUsd,
    cap: MicroUsd,
    returns: Option<(i64, MicroUsd)>,
) -> WindowMoney {
    let sums = Sums {
        free: (cap - settled - reserved).max(MicroUsd::ZERO).to_string(),
        cap: cap.to_string(),
        settled: settled.to_string(),
        reserved: reserved.to_string(),
        returns: returns.map(|(at_ms, amount)| format!("+{amount} at {}", text::hour_minute(at_ms))),
    };
    let class = meter::edge(settled + reserved, cap);
    WindowMoney { label, class, meter: Meter::money(label, false, settled, reserved, cap), sums: Some(sums) }
}

fn spark(snapshot: &Snapshot, now_ms: i64) -> Spark {
    let hours = hours(&snapshot.money.by_hour, now_ms);
    let cap = snapshot.money.usage.cap_hour;
    let most = hours.iter().map(|(_, sum)| *sum).max().unwrap_or(MicroUsd::ZERO);
    let scale = scale(most, cap);
    let fits = cap <= scale && cap > MicroUsd::ZERO;
    let note = if fits { format!("dashed line: cap {cap}") } else { format!("cap {cap}, above the scale") };
    Spark {
        says: format!("Spend for each of the last 24 hours, at most {most} against a cap of {cap}"),
        note,
        cap_y: fits.then(|| text::percent(10_000 - cap.basis_points_of(scale))),
        bars: hours.iter().zip(0..).map(|((from_ms, sum), n)| bar(*from_ms, *sum, n, scale)).collect(),
        ticks: ticks(&hours),
    }
}

/// Lays the known hours on the last 24 clock hours up to now; an hour that is not listed cost nothing.
fn hours(known: &[(i64, MicroUsd)], now_ms: i64) -> Vec<(i64, MicroUsd)> {
    let current = now_ms - now_ms.rem_euclid(HOUR_MS);
    let spend = |from_ms: i64| known.iter().filter(|(at_ms, _)| *at_ms == from_ms).map(|(_, sum)| *sum).sum();
    (1 - HOURS..=0).map(|back| current + back * HOUR_MS).map(|from_ms| (from_ms, spend(from_ms))).collect()
}

/// Chooses what the full height means: the cap, unless the bars would be too low to read against it.
fn scale(most: MicroUsd, cap: MicroUsd) -> MicroUsd {
    let readable = MicroUsd::new(most.micro().saturating_mul(6));
    let top = if most > MicroUsd::ZERO && cap > readable { most } else { cap.max(most) };
    MicroUsd::new(top.micro().saturating_add(top.micro() / 50).max(1))
}

fn bar(from_ms: i64, sum: MicroUsd, n: i64, scale: MicroUsd) -> HourBar {
    let height = sum.basis_points_of(scale);
    HourBar {
        last: n == HOURS - 1,
        x: text::percent(20 + n * 10_000 / HOURS),
        y: text::percent(10_000 - height),
        height: text::percent(height),
        from: text::hour_minute(from_ms),
        spend: sum.to_string(),
    }
}

fn ticks(hours: &[(i64, MicroUsd)]) -> Vec<String> {
    let marks = hours.iter().step_by(6).map(|(from_ms, _)| text::hour_minute(*from_ms));
    marks.chain(["now".to_owned()]).collect()
}

impl WindowMoney {
    /// Returns what is left, or the sign for unknown.
    pub(crate) fn free(&self) -> &str {
        self.sums.as_ref().map_or(UNKNOWN, |sums| &sums.free)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::live;
    use crate::view::NOW_MS;

    fn dollars(amount: i64) -> MicroUsd {
        MicroUsd::new(amount * 1_000_000)
    }

    fn spark_of(by_hour: Vec<(i64, MicroUsd)>, cap: MicroUsd) -> Spark {
        let mut snapshot = live(NOW_MS);
        snapshot.money.by_hour = by_hour;
        snapshot.money.usage.cap_hour = cap;
        spark(&snapshot, NOW_MS)
    }

    #[test]
    fn hours_without_spend_are_bars_of_nothing_and_older_ones_are_left_out() {
        let current = NOW_MS - NOW_MS.rem_euclid(HOUR_MS);
        let known = vec![(current - 24 * HOUR_MS, dollars(9)), (current - 2 * HOUR_MS, dollars(2))];
        let spark = spark_of(known, dollars(5));
        let spends: Vec<_> = spark.bars.iter().map(|bar| bar.spend.as_str()).collect();
        assert_eq!((spends.len(), spends[21]), (24, "$2.00"));
        assert_eq!(spends.iter().filter(|spend| **spend == "$0.00").count(), 23);
        assert_eq!(spark.ticks, ["15:00", "21:00", "03:00", "09:00", "now"]);
    }

    #[test]
    fn the_cap_is_drawn_unless_the_bars_would_vanish_below_it() {
        let spent = vec![(NOW_MS - NOW_MS.rem_euclid(HOUR_MS), dollars(2))];
        let near = spark_of(spent.clone(), dollars(5));
        assert_eq!((near.note.as_str(), near.cap_y.is_some()), ("dashed line: cap $5.00", true));
        let far = spark_of(spent.clone(), dollars(100));
        assert_eq!((far.note.as_str(), far.cap_y), ("cap $100.00, above the scale", None));
        assert_eq!(far.bars[23].height, "98.03%");
        let over = spark_of(spent, dollars(1));
        assert_eq!((over.cap_y.as_deref(), over.bars[23].height.as_str()), (Some("50.99%"), "98.03%"));
    }

    #[test]
    fn without_any_spend_the_cap_is_the_scale() {
        assert!(spark_of(Vec::new(), dollars(5)).cap_y.is_some());
        assert!(spark_of(Vec::new(), MicroUsd::ZERO).cap_y.is_none());
    }
}
