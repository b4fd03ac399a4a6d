//! Instants, durations, counts and shares as the pages write them.

use jiff::Timestamp;

/// What is shown where a value is unknown; never a zero.
pub(crate) const UNKNOWN: &str = "—";

/// An instant for `<time datetime>`: the full UTC instant, and its clock time as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Clock {
    /// Such as `2026-03-02T14:32:07Z`.
    pub(crate) iso: String,
    /// Such as `14:32:07`.
    pub(crate) text: String,
}

/// Writes an instant given in ms UTC; 0 stands for one that is not known, and so does one that no calendar has.
pub(crate) fn clock(at_ms: i64) -> Clock {
    let Some(at) = Timestamp::from_millisecond(at_ms).ok().filter(|_| at_ms != 0) else {
        return Clock { iso: String::new(), text: UNKNOWN.to_owned() };
    };
    Clock { iso: at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(), text: at.strftime("%H:%M:%S").to_string() }
}

/// Writes an instant given in ms UTC as its hour and minute, and as its date too when that is not today's.
pub(crate) fn moment(at_ms: i64, now_ms: i64) -> Clock {
    let Some(at) = Timestamp::from_millisecond(at_ms).ok().filter(|_| at_ms != 0) else { return clock(0) };
    let day = |at_ms: i64| at_ms.div_euclid(86_400_000);
    let form = if day(at_ms) == day(now_ms) { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    Clock { text: at.strftime(form).to_string(), ..clock(at_ms) }
}

/// Writes the hour and minute of an instant given in ms UTC.
pub(crate) fn hour_minute(at_ms: i64) -> String {
    Timestamp::from_millisecond(at_ms)
        .map_or_else(|_| UNKNOWN.to_owned(), |at| at.strftime("%H:%M").to_string())
}

/// Writes a running time as `m:ss`, from an hour on as `h:mm:ss`; what has not begun yet is `0:00`.
pub(crate) fn elapsed(ms: i64) -> String {
    let s = ms.max(0) / 1000;
    let (h, m, s) = (s / 3600, s / 60 % 60, s % 60);
    if h > 0 { format!("{h}:{m:02}:{s:02}") } else { format!("{m}:{s:02}") }
}

/// Writes a span in its two largest units: `4 s`, `6 m 56 s`, `2 h 07 m`, `3 d 04 h`.
pub(crate) fn span(ms: i64) -> String {
    let s = ms.max(0) / 1000;
    match s {
        0..60 => format!("{s} s"),
        60..3_600 => format!("{} m {:02} s", s / 60, s % 60),
        3_600..86_400 => format!("{} h {:02} m", s / 3_600, s / 60 % 60),
        _ => format!("{} d {:02} h", s / 86_400, s / 3_600 % 24),
    }
}

/// Writes how long a part of the work took, in ms below a second, with tenths below a minute: `3 ms`, `20.8 s`, `7 m 12 s`.
pub(crate) fn took(ms: i64) -> String {
    match ms.max(0) {
        ms @ 0..1_000 => format!("{ms} ms"),
        ms @ 1_000..60_000 => format!("{}.{} s", ms / 1_000, ms / 100 % 10),
        ms => span(ms),
    }
}

/// Writes a count of tokens with a fixed precision: `812`, `41.2k`, `1.3M`.
pub(crate) fn tokens(n: u64) -> String {
    match n {
        0..1_000 => n.to_string(),
        1_000..999_950 => format!("{}.{}k", (n + 50) / 1_000, (n + 50) / 100 % 10),
        _ => format!("{}.{}M", n.saturating_add(50_000) / 1_000_000, n.saturating_add(50_000) / 100_000 % 10),
    }
}

/// Writes a budget of tokens, without a decimal that says nothing: `60k`.
pub(crate) fn token_budget(n: u64) -> String {
    tokens(n).replace(".0k", "k")
}

/// Writes a share given in 1/10 000 as a percentage for SVG: `48.20%`. Kept within 0 and 100.
pub(crate) fn percent(basis_points: i64) -> String {
    let share = basis_points.clamp(0, 10_000);
    format!("{}.{:02}%", share / 100, share % 100)
}

/// Writes a count with its noun: `1 task`, `2 tasks`.
pub(crate) fn count(n: u64, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_times_are_minutes_and_seconds_and_never_negative() {
        assert_eq!(elapsed(-5_000), "0:00");
        assert_eq!(elapsed(59_999), "0:59");
        assert_eq!(elapsed(416_000), "6:56");
        assert_eq!(elapsed(3_723_000), "1:02:03");
    }

    #[test]
    fn spans_name_their_two_largest_units() {
        let written = [4_000, 416_000, 7_620_000, 273_600_000].map(span);
        assert_eq!(written, ["4 s", "6 m 56 s", "2 h 07 m", "3 d 04 h"]);
    }

    #[test]
    fn token_counts_round_without_ever_writing_a_thousand_thousands() {
        let written = [0, 999, 1_000, 41_249, 41_250, 999_949, 999_950, 1_250_000, u64::MAX].map(tokens);
        assert_eq!(written[..8], ["0", "999", "1.0k", "41.2k", "41.3k", "999.9k", "1.0M", "1.3M"]);
    }

    #[test]
    fn a_round_budget_has_no_decimal() {
        assert_eq!([60_000, 62_500, 900].map(token_budget), ["60k", "62.5k", "900"]);
    }

    #[test]
    fn instants_are_utc_and_one_outside_the_calendar_is_unknown() {
        let shown = clock(1_772_461_927_000);
        assert_eq!((shown.iso.as_str(), shown.text.as_str()), ("2026-03-02T14:32:07Z", "14:32:07"));
        assert_eq!([clock(i64::MAX).text, clock(0).text], [UNKNOWN; 2]);
        assert_eq!(hour_minute(1_772_461_927_000), "14:32");
    }

    #[test]
    fn shares_stay_inside_their_meter() {
        assert_eq!(
            [-3, 0, 4_820, 10_000, 12_345].map(percent),
            ["0.00%", "0.00%", "48.20%", "100.00%", "100.00%"]
        );
    }
}
