//! What an agent says of its tokens and its cost, and what of that is believed.

use serde_json::Value;

use crate::command::Paid;
use crate::money::MicroUsd;

/// A report above the bound is charged up to so many times the bound, or up to [`LEAST_BELIEVED`]; a larger number is a
/// mistake of the report, and would else keep everything from starting for a day.
const BELIEVED: i64 = 10;
const LEAST_BELIEVED: MicroUsd = MicroUsd::new(10_000_000);
/// The micro-dollars of a dollar, as a power of ten.
const MICRO_DIGITS: i64 = 6;

/// Where in an agent's report its numbers are, each a JSON pointer; none is not reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pointers {
    /// The cost of the run, in dollars.
    pub cost: Option<String>,
    /// The tokens of its prompts.
    pub input_tokens: Option<String>,
    /// The tokens of its replies.
    pub output_tokens: Option<String>,
}

/// What an agent says that a run took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Its cost; none when it says none, or none that can be read.
    pub cost: Option<MicroUsd>,
    /// The tokens of its prompts.
    pub input_tokens: Option<u64>,
    /// The tokens of its replies.
    pub output_tokens: Option<u64>,
}

impl Report {
    /// Reads the last line of the output that is a JSON object.
    #[must_use]
    pub fn read(stdout: &str, pointers: &Pointers) -> Self {
        let lines = stdout.lines().rev().map(str::trim).filter(|line| line.starts_with('{'));
        let Some(report) = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok()).next() else {
            return Self::default();
        };
        let at = |pointer: &Option<String>| pointer.as_deref().and_then(|pointer| report.pointer(pointer));
        Self {
            cost: at(&pointers.cost).and_then(dollars),
            input_tokens: at(&pointers.input_tokens).and_then(Value::as_u64),
            output_tokens: at(&pointers.output_tokens).and_then(Value::as_u64),
        }
    }

    /// Returns what is charged for a run that may cost `bound`; none when nobody knows, which charges the bound.
    ///
    /// A cost of nothing is believed only where nothing may be spent: an agent that says so worked for free, or has not
    /// counted. A cost above the bound is charged, in all reason: that is an overrun.
    #[must_use]
    pub fn paid(&self, bound: MicroUsd) -> Option<Paid> {
        let most = MicroUsd::new(bound.micro().saturating_mul(BELIEVED)).max(LEAST_BELIEVED);
        let cost = match self.cost {
            Some(cost) if cost > MicroUsd::ZERO => cost.min(most),
            _ if bound == MicroUsd::ZERO => MicroUsd::ZERO,
            _ => return None,
        };
        let (input_tokens, output_tokens) = (self.input_tokens.unwrap_or(0), self.output_tokens.unwrap_or(0));
        Some(Paid { cost, input_tokens, output_tokens })
    }
}

/// Reads an amount of dollars, a number or a text, rounded up to a micro-dollar. Floats never touch it: what JSON wrote
/// is read digit by digit.
fn dollars(value: &Value) -> Option<MicroUsd> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().trim_start_matches('$').to_owned(),
        _ => return None,
    };
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((&text, "0"));
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{part}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let shift = exponent.parse::<i64>().ok()?.checked_sub(i64::try_from(part.len()).ok()?)?;
    shifted(digits.trim_start_matches('0'), shift.checked_add(MICRO_DIGITS)?)
}

/// Returns `digits * 10^shift`, rounded up.
fn shifted(digits: &str, shift: i64) -> Option<MicroUsd> {
    if digits.is_empty() {
        return Some(MicroUsd::ZERO);
    }
    let (kept, rest) = if shift >= 0 {
        let zeros = usize::try_from(shift).ok().filter(|zeros| *zeros <= 18)?;
        (format!("{digits}{}", "0".repeat(zeros)), "")
    } else {
        let cut = usize::try_from(shift.unsigned_abs()).ok()?;
        let (kept, rest) = digits.split_at(digits.len().saturating_sub(cut));
        (kept.to_owned(), rest)
    };
    // A shift past all digits leaves something that is not nothing.
    let is_more = rest.bytes().any(|byte| byte != b'0');
    let kept: i64 = if kept.is_empty() { 0 } else { kept.parse().ok()? };
    kept.checked_add(i64::from(is_more)).map(MicroUsd::new)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pointers() -> Pointers {
        let at = |pointer: &str| Some(pointer.to_owned());
        Pointers {
            cost: at("/total_cost_usd"),
            input_tokens: at("/usage/in"),
            output_tokens: at("/usage/out"),
        }
    }

    fn micro(text: &str) -> Option<i64> {
        Report::read(&format!(r#"{{"total_cost_usd": {text}}}"#), &pointers()).cost.map(MicroUsd::micro)
    }

    #[test]
    fn the_last_line_that_is_a_json_object_is_the_report() {
        let said = "{\"total_cost_usd\": 9}\nwork\n{\"total_cost_usd\":0.25,\"usage\":{\"in\":7,\"out\":3}}\n{ no\nbye\n";
        let report = Report::read(said, &pointers());
        assert_eq!(report.cost, Some(MicroUsd::new(250_000)));
        assert_eq!((report.input_tokens, report.output_tokens), (Some(7), Some(3)));
        assert_eq!(Report::read("nothing\n", &pointers()), Report::default());
    }

    #[test]
    fn an_amount_is_read_as_it_is_written_and_rounded_up() {
        for (text, expected) in [
            ("1", 1_000_000),
            ("0.1", 100_000),
            ("0.1234567", 123_457),
            ("1e-05", 10),
            ("1.5e-9", 1),
            ("2E1", 20_000_000),
            ("\"$0.30\"", 300_000),
            ("0", 0),
            ("0.0", 0),
        ] {
            assert_eq!(micro(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_of_dollars_is_no_report() {
        for text in
            ["-1", "\"NaN\"", "null", "true", "[1]", "\"\"", "\"1 dollar\"", "1e300", "\"1e99999999999\""]
        {
            assert_eq!(micro(text), None, "{text}");
        }
    }

    #[test]
    fn a_lie_is_charged_at_the_bound_and_an_overrun_in_full() {
        let bound = MicroUsd::new(2_500_000);
        let paid = |cost: Option<i64>| {
            let report = Report { cost: cost.map(MicroUsd::new), ..Report::default() };
            report.paid(bound).map(|paid| paid.cost.micro())
        };
        assert_eq!(paid(Some(1)), Some(1));
        assert_eq!(paid(Some(3_000_000)), Some(3_000_000));
        assert_eq!(paid(Some(i64::MAX)), Some(25_000_000));
        assert_eq!(paid(Some(0)), None);
        assert_eq!(paid(None), None);
    }

    #[test]
    fn where_nothing_may_be_spent_nothing_is_charged_unless_it_says_so() {
        let charged = |cost: Option<i64>| {
            let report = Report { cost: cost.map(MicroUsd::new), ..Report::default() };
            report.paid(MicroUsd::ZERO).map(|paid| paid.cost.micro())
        };
        assert_eq!(charged(None), Some(0));
        assert_eq!(charged(Some(50)), Some(50));
    }

    proptest! {
        #[test]
        fn no_report_however_mad_breaks_the_reading(text in ".{0,80}") {
            let _ = micro(&text);
            let _ = Report::read(&text, &pointers());
        }

        #[test]
        fn six_decimals_are_exact(micro_usd in 0i64..1_000_000_000_000) {
            let text = format!("{}.{:06}", micro_usd / 1_000_000, micro_usd % 1_000_000);
            prop_assert_eq!(micro(&format!("\"{text}\"")), Some(micro_usd));
        }
    }
}
