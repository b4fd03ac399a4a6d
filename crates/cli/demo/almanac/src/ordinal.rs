//! Days with their endings: 1st, 2nd, 3rd.

/// Writes a number with its ending.
pub fn ordinal(number: u32) -> String {
    format!("{number}th")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_numbers_end_in_th() {
        assert_eq!([4, 10, 20, 30].map(ordinal).join(" "), "4th 10th 20th 30th");
    }

    #[test]
    #[ignore = "red until al-7 is done"]
    fn one_two_and_three_have_endings_of_their_own() {
        assert_eq!([1, 2, 3, 21, 22, 23, 31].map(ordinal).join(" "), "1st 2nd 3rd 21st 22nd 23rd 31st");
    }

    #[test]
    fn eleven_twelve_and_thirteen_do_not() {
        assert_eq!([11, 12, 13].map(ordinal).join(" "), "11th 12th 13th");
    }
}
