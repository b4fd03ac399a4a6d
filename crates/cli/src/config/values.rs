//! Reading times, sizes and amounts as people write them, and the patterns that say the same to a schema.

use std::time::Duration;

/// The most digits of a number before its unit: no such time or size overflows.
const DIGITS: usize = 9;
/// The same before `TiB`.
const TIB_DIGITS: usize = 6;

/// Reads a time such as `250ms`, `30s`, `5m` or `2h`.
///
/// # Errors
///
/// Returns what to write instead.
pub(crate) fn duration(key: &str, text: &str) -> anyhow::Result<Duration> {
    time(text).map_err(|what| anyhow::anyhow!("{key}: {what}"))
}

/// Reads a time; on failure says what to write instead.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];
    let ms = units.iter().find_map(|(unit, ms)| Some(number(text.strip_suffix(unit)?, DIGITS)? * ms));
    ms.filter(|ms| *ms > 0).map(Duration::from_millis).ok_or_else(|| {
        format!("`{text}` is not a time; write a whole number above 0 and a unit, such as 30s, 5m or 2h")
    })
}

/// The pattern of [`time`], of at least so many ms, which is a power of ten.
pub(crate) fn time_pattern(least_ms: u64) -> String {
    let more = least_ms.ilog10();
    format!("^(?=[0-9]{{1,9}}[a-z])(0*[1-9][0-9]{{{more},}}ms|0*[1-9][0-9]*[smh])$")
}

/// Reads a size such as `500MiB`, `5GiB` or `0`.
///
/// # Errors
///
/// Says what to write instead.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let units = [
        ("KiB", 1_u64 << 10, DIGITS),
        ("MiB", 1 << 20, DIGITS),
        ("GiB", 1 << 30, DIGITS),
        ("TiB", 1 << 40, TIB_DIGITS),
        ("B", 1, DIGITS),
        ("", 1, DIGITS),
    ];
    let read = |(unit, factor, digits): &(&str, u64, usize)| {
        Some(number(text.strip_suffix(unit)?, *digits)?.saturating_mul(*factor))
    };
    units.iter().find_map(read).ok_or_else(|| {
        format!("`{text}` is not a size; write a whole number and a unit, such as 500MiB or 5GiB")
    })
}

/// The pattern of [`bytes`].
pub(crate) const BYTES_PATTERN: &str = "^([0-9]{1,9}(B|KiB|MiB|GiB)?|[0-9]{1,6}TiB)$";

/// Says what is wrong with an amount of dollars, if anything.
pub(crate) fn dollars(text: &str, zero: bool) -> Result<(), String> {
    let bad = || {
        format!("`{text}` is not an amount of dollars; write digits with at most six decimals, such as 5.00")
    };
    let digits = text.strip_prefix('$').unwrap_or(text);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !(1..=12).contains(&whole.len()) || part.len() > 6 || !all_digits(whole) || !all_digits(part) {
        return Err(bad());
    }
    let is_zero = digits.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    if is_zero && !zero {
        Err("an amount of 0 lets nothing run; write some dollars, such as 5.00".to_owned())
    } else {
        Ok(())
    }
}

/// The pattern of [`dollars`]; `empty` allows no text at all, too.
pub(crate) fn dollars_pattern(zero: bool, empty: bool) -> String {
    let some = if zero { "" } else { "(?=.*[1-9])" };
    let none = if empty { "|^$" } else { "" };
    format!("^{some}\\$?[0-9]{{1,12}}(\\.[0-9]{{0,6}})?${none}")
}

fn number(text: &str, digits: usize) -> Option<u64> {
    let is_number = (1..=digits).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_read_as_people_write_them() {
        assert_eq!(duration("k", "5m").ok(), Some(Duration::from_secs(300)));
        assert_eq!(time("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(bytes("5GiB"), Ok(5 << 30));
        assert_eq!(bytes("0"), Ok(0));
        assert_eq!(bytes("999999TiB"), Ok(999_999 << 40));
    }

    #[test]
    fn what_is_no_time_or_size_names_its_key_and_an_example() {
        for bad in ["", "5", "m", "-1s", "0s", "1.5h", "99999999999999999999h", " 5m"] {
            let error = duration("poll_interval", bad).expect_err(bad).to_string();
            assert!(error.contains("poll_interval") && error.contains("5m"), "{error}");
        }
        assert!(bytes("5 gigs").is_err());
    }

    #[test]
    fn an_amount_of_nothing_is_one_only_where_nothing_means_no_limit() {
        assert!(dollars("0.00", false).is_err() && dollars("0.00", true).is_ok());
        for bad in ["", "five", "-1", "1e3", "0.0000001", "1234567890123"] {
            assert!(dollars(bad, true).is_err(), "{bad}");
        }
    }
}
