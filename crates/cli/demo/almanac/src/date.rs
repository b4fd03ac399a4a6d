//! A day of the Gregorian calendar.

/// A day; whoever makes one sees to it that it exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    pub year: u32,
    /// From 1.
    pub month: u32,
    /// From 1.
    pub day: u32,
}

/// The names of the months, in order.
pub const MONTHS: [&str; 12] = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
];

impl Date {
    pub const fn new(year: u32, month: u32, day: u32) -> Self {
        Self { year, month, day }
    }

    /// Returns the name of the month.
    pub fn month_name(self) -> &'static str {
        MONTHS[self.month as usize - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_twelfth_month_is_december() {
        assert_eq!(Date::new(1999, 12, 22).month_name(), "December");
    }
}
