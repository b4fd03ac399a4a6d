//! A month as it hangs on the wall.

use crate::date::Date;
use crate::heading::heading;

/// Returns the lines of the date's month, the day itself marked.
pub fn month(date: Date) -> Vec<String> {
    vec![heading(date)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_has_a_heading() {
        assert_eq!(month(Date::new(2026, 1, 31))[0].trim(), "January 2026");
    }

    #[test]
    #[ignore = "red until al-6 is done"]
    fn its_days_stand_under_the_weekdays() {
        let lines = month(Date::new(2026, 1, 31));
        assert_eq!(lines[1], "Mo Tu We Th Fr Sa Su");
        assert_eq!(lines[2], "          1  2  3  4");
        assert_eq!(lines.len(), 7);
    }

    #[test]
    #[ignore = "red until al-6 is done"]
    fn the_day_itself_is_marked() {
        assert_eq!(month(Date::new(2026, 1, 31))[6], "26 27 28 29 30 31◂");
        assert_eq!(month(Date::new(2026, 1, 5))[3], " 5◂ 6  7  8  9 10 11");
    }
}
