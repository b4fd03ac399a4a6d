//! The whole page.

use crate::date::Date;

/// Returns the page of a day, ready to be printed.
pub fn page(date: Date) -> String {
    format!("{} {}\n", date.day, date.month_name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_names_its_month() {
        assert!(page(Date::new(2026, 1, 31)).contains("January"));
    }

    #[test]
    #[ignore = "red until al-10 is done"]
    fn everything_is_on_the_page() {
        let expected = "\
╭──────────────────────────╮
│ Saturday, 31st January   │
│ Anno MMXXVI              │
│ day 31 of 365, winter    │
│ ○ waxing gibbous         │
│ ········████████········ │
│                          │
│     January 2026         │
│ Mo Tu We Th Fr Sa Su     │
│           1  2  3  4     │
│  5  6  7  8  9 10 11     │
│ 12 13 14 15 16 17 18     │
│ 19 20 21 22 23 24 25     │
│ 26 27 28 29 30 31◂       │
╰──────────────────────────╯
";
        assert_eq!(page(Date::new(2026, 1, 31)), expected);
    }
}
