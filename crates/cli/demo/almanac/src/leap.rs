//! Leap years and the lengths of months.

/// Says whether February has 29 days.
pub fn is_leap(year: u32) -> bool {
    year % 4 == 0
}

/// Counts the days of a month.
pub fn days_in(year: u32, month: u32) -> u32 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fourth_year_is_a_leap_year() {
        assert!(is_leap(2024) && !is_leap(2025) && !is_leap(2026) && !is_leap(2027) && is_leap(2028));
    }

    #[test]
    #[ignore = "red until al-2 is done"]
    fn a_century_is_a_leap_year_only_when_400_divides_it() {
        assert!(is_leap(2000) && !is_leap(1900) && !is_leap(2100));
        assert_eq!(days_in(1900, 2), 28);
    }
}
