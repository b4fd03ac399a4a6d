//! How long the day is.

use crate::date::Date;

/// Returns the hours of daylight at a northern latitude in degrees.
pub fn hours(_date: Date, _latitude: f64) -> f64 {
    12.0
}

/// Draws the 24 hours of a day, noon in the middle.
pub fn bar(date: Date, latitude: f64) -> String {
    let dark = 12 - (hours(date, latitude) / 2.0).round() as usize;
    format!("{0}{1}{0}", "·".repeat(dark), "█".repeat(24 - 2 * dark))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BERLIN: f64 = 52.5;

    #[test]
    fn a_bar_has_24_hours() {
        assert_eq!(bar(Date::new(2026, 3, 20), BERLIN).chars().count(), 24);
    }

    #[test]
    #[ignore = "red until al-1.3 is done"]
    fn days_are_long_in_june_and_short_in_december() {
        assert_eq!(bar(Date::new(2026, 6, 21), BERLIN), "····████████████████····");
        assert_eq!(bar(Date::new(2026, 12, 21), BERLIN), "········████████········");
    }

    #[test]
    #[ignore = "red until al-1.3 is done"]
    fn beyond_the_polar_circle_the_sun_stays_up_or_down() {
        assert_eq!(hours(Date::new(2026, 6, 21), 78.2), 24.0);
        assert_eq!(hours(Date::new(2026, 12, 21), 78.2), 0.0);
    }
}
