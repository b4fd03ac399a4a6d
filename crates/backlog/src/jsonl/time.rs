//! Instants as backlogs write them.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Reads an instant as ms UTC: RFC 3339 with any offset, or a date with or without a time, which is taken as UTC.
pub(super) fn millis(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant.as_millisecond());
    }
    let local: DateTime = text.parse().ok()?;
    Some(TimeZone::UTC.to_timestamp(local).ok()?.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_read_with_its_offset_and_without_one_as_utc() {
        for (text, expected) in [
            ("2026-02-23T22:20:05.916508038-05:00", Some(1_771_903_205_916)),
            ("2026-02-24T03:20:05.916Z", Some(1_771_903_205_916)),
            ("2026-02-24 03:20:05.916", Some(1_771_903_205_916)),
            (" 2026-02-24T03:20:05.916+00:00 ", Some(1_771_903_205_916)),
            ("2026-02-24", Some(1_771_891_200_000)),
            ("0001-01-01T00:00:00Z", Some(-62_135_596_800_000)),
            ("tomorrow", None),
            ("2026-02-30T00:00:00Z", None),
            ("", None),
        ] {
            assert_eq!(millis(text), expected, "{text}");
        }
    }
}
