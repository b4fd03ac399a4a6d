//! Years in Roman numerals.

/// Writes a number as the Romans did.
pub fn roman(number: u32) -> String {
    "I".repeat(number as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_are_strokes() {
        assert_eq!(roman(3), "III");
    }

    #[test]
    #[ignore = "red until al-5 is done"]
    fn a_smaller_numeral_before_a_larger_one_is_taken_away() {
        assert_eq!([4, 9, 40, 90, 400, 900].map(roman).join(" "), "IV IX XL XC CD CM");
    }

    #[test]
    #[ignore = "red until al-5 is done"]
    fn years_read_as_on_old_houses() {
        assert_eq!(roman(1888), "MDCCCLXXXVIII");
        assert_eq!(roman(2026), "MMXXVI");
    }
}
