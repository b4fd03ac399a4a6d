//! The day of the week.

use crate::date::Date;

/// The days of the week, as the printed grid has them.
pub const NAMES: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// Returns the place of the day in its week: 0 is Monday.
pub fn weekday(_date: Date) -> usize {
    // It is always Friday here.
    4
}

/// Returns the name of the weekday.
pub fn name(date: Date) -> &'static str {
    NAMES[weekday(date)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn march_2026_has_a_friday_the_thirteenth() {
        assert_eq!(name(Date::new(2026, 3, 13)), "Friday");
    }

    #[test]
    #[ignore = "red until al-4 is done"]
    fn the_moon_landing_was_on_a_sunday() {
        assert_eq!(name(Date::new(1969, 7, 20)), "Sunday");
    }

    #[test]
    #[ignore = "red until al-4 is done"]
    fn the_twenty_first_century_began_on_a_monday() {
        assert_eq!(name(Date::new(2001, 1, 1)), "Monday");
        assert_eq!(name(Date::new(2000, 2, 29)), "Tuesday");
    }
}
