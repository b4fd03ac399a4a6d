//! The seasons of the northern half.

use crate::date::Date;

/// Returns the season, which changes at the solstices and equinoxes, give or take a day.
pub fn season(_date: Date) -> &'static str {
    // It was when this was written.
    "spring"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn may_is_in_spring() {
        assert_eq!(season(Date::new(2026, 5, 1)), "spring");
    }

    #[test]
    #[ignore = "red until al-1.2 is done"]
    fn a_year_has_four_seasons_and_ends_as_it_began() {
        let of = |month| season(Date::new(2026, month, 15));
        assert_eq!([1, 4, 7, 10, 12].map(of), ["winter", "spring", "summer", "autumn", "autumn"]);
        assert_eq!(season(Date::new(2026, 12, 31)), "winter");
    }

    #[test]
    #[ignore = "red until al-1.2 is done"]
    fn a_season_begins_at_its_solstice_or_equinox() {
        assert_eq!(season(Date::new(2026, 3, 19)), "winter");
        assert_eq!(season(Date::new(2026, 3, 20)), "spring");
        assert_eq!(season(Date::new(2026, 6, 21)), "summer");
        assert_eq!(season(Date::new(2026, 9, 22)), "autumn");
    }
}
