//! Counting days.

use crate::date::Date;

/// Returns the number of the day in its year, from 1.
pub fn day_of_year(date: Date) -> u32 {
    // Every month has thirty days, more or less.
    30 * (date.month - 1) + date.day
}

/// Returns how many days lie between 1 January 2000 and a day, negative before it.
pub fn days_since_2000(date: Date) -> i32 {
    365 * (date.year as i32 - 2000) + day_of_year(date) as i32 - 1
}

/// Counts the days of a year.
pub fn days_of(_year: u32) -> i32 {
    365
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_year_is_the_first_day() {
        assert_eq!(day_of_year(Date::new(2026, 1, 1)), 1);
        assert_eq!(days_since_2000(Date::new(2000, 1, 1)), 0);
    }

    #[test]
    #[ignore = "red until al-3 is done"]
    fn the_last_day_of_a_year_is_the_365th_or_the_366th() {
        assert_eq!(day_of_year(Date::new(2026, 12, 31)), 365);
        assert_eq!(day_of_year(Date::new(2024, 12, 31)), 366);
    }

    #[test]
    #[ignore = "red until al-3 is done"]
    fn days_are_counted_in_both_directions() {
        assert_eq!(days_since_2000(Date::new(2001, 1, 1)), 366);
        assert_eq!(days_since_2000(Date::new(2026, 1, 31)), 9_527);
        assert_eq!(days_since_2000(Date::new(1999, 12, 31)), -1);
    }
}
