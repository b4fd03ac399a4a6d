//! Reading times and sizes as people write them.

use std::time::Duration;

/// Reads a time such as `250ms`, `30s`, `5m` or `2h`.
///
/// # Errors
///
/// Returns what to write instead.
pub(crate) fn duration(key: &str, text: &str) -> anyhow::Result<Duration> {
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];
    let read = |(unit, factor): &(&str, u64)| {
        let number = text.trim().strip_suffix(unit)?;
        number.trim().parse::<u64>().ok()?.checked_mul(*factor)
    };
    let ms = units.iter().find_map(read).filter(|ms| *ms > 0);
    ms.map(Duration::from_millis).ok_or_else(|| {
        anyhow::anyhow!(
            "{key}: `{text}` is not a time; write a whole number above 0 and a unit, such as 30s, 5m or 2h"
        )
    })
}

/// Reads a size such as `500MiB`, `5GiB` or `0`.
///
/// # Errors
///
/// Returns what to write instead.
pub(crate) fn bytes(key: &str, text: &str) -> anyhow::Result<u64> {
    let units =
        [("KiB", 1_u64 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40), ("B", 1), ("", 1)];
    let read = |(unit, factor): &(&str, u64)| {
        let number = text.trim().strip_suffix(unit)?;
        number.trim().parse::<u64>().ok()?.checked_mul(*factor)
    };
    units.iter().find_map(read).ok_or_else(|| {
        anyhow::anyhow!(
            "{key}: `{text}` is not a size; write a whole number and a unit, such as 500MiB or 5GiB"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_read_as_people_write_them() {
        assert_eq!(duration("k", "5m").ok(), Some(Duration::from_secs(300)));
        assert_eq!(duration("k", " 250ms ").ok(), Some(Duration::from_millis(250)));
        assert_eq!(bytes("k", "5GiB").ok(), Some(5 << 30));
        assert_eq!(bytes("k", "0").ok(), Some(0));
    }

    #[test]
    fn what_is_no_time_or_size_names_its_key_and_an_example() {
        for bad in ["", "5", "m", "-1s", "0s", "1.5h", "99999999999999999999h"] {
            let error = duration("poll_interval", bad).expect_err(bad).to_string();
            assert!(error.contains("poll_interval") && error.contains("5m"), "{error}");
        }
        assert!(bytes("min_free_disk", "5 gigs").is_err());
    }
}
