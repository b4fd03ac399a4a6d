//! Instants and spans as a command writes them.

/// Writes an instant, ms UTC, as its time of day, with the date when it is not today's, and how far away it is.
pub(crate) fn until(until_ms: i64, now_ms: i64) -> String {
    format!("{} (in {})", near(until_ms, now_ms), span(until_ms - now_ms))
}

/// Writes an instant that is past, ms UTC, and how long ago it was.
pub(crate) fn since(since_ms: i64, now_ms: i64) -> String {
    format!("{} ({} ago)", near(since_ms, now_ms), span(now_ms - since_ms))
}

/// Writes an instant, ms UTC, to the second.
pub(crate) fn instant(at_ms: i64) -> String {
    in_form(at_ms, "%Y-%m-%dT%H:%M:%SZ")
}

/// Writes the day of an instant, ms UTC.
pub(crate) fn day(at_ms: i64) -> String {
    in_form(at_ms, "%Y-%m-%d")
}

/// Writes an instant, ms UTC, as its time of day, with the date when it is not today's.
fn near(at_ms: i64, now_ms: i64) -> String {
    let day = |at_ms: i64| at_ms.div_euclid(86_400_000);
    in_form(at_ms, if day(at_ms) == day(now_ms) { "%H:%M:%SZ" } else { "%Y-%m-%d %H:%MZ" })
}

fn in_form(at_ms: i64, form: &str) -> String {
    jiff::Timestamp::from_millisecond(at_ms)
        .map_or_else(|_| "—".to_owned(), |at| at.strftime(form).to_string())
}

/// Writes a span in its two largest units.
pub(crate) fn span(ms: i64) -> String {
    let s = ms.max(0) / 1_000;
    match s {
        0..60 => format!("{s} s"),
        60..3_600 => format!("{} m {:02} s", s / 60, s % 60),
        3_600..86_400 => format!("{} h {:02} m", s / 3_600, s / 60 % 60),
        _ => format!("{} d {:02} h", s / 86_400, s / 3_600 % 24),
    }
}
