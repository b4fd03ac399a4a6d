//! The sentence at the top.

use glitchlab_domain::why::Mark;

use super::gates::of_mark;
use crate::view::Moment;
use crate::view::engine::beats;
use crate::view::glyph::Glyph;
use crate::view::lead::{Figure, Lead};
use crate::view::reason::Until;
use crate::view::text;

/// Says why nothing starts, or what starts next.
pub(crate) fn lead(moment: &Moment) -> Lead {
    let headline = &moment.why.headline;
    let until = headline.until_ms.map(|until_ms| Until::at(until_ms, moment.now_ms));
    let mut lead = Lead::says(of_mark(headline.mark, None), headline.text.clone(), headline.detail.clone());
    lead.beat = headline.mark == Mark::Run && beats(&moment.snapshot);
    lead.chip = headline.reason.as_ref().map(glitchlab_domain::reason::Reason::chip);
    lead.figures = vec![match &until {
        Some(until) => Figure { value: until.left.clone(), label: "until the next start".to_owned() },
        None => Figure { value: moment.snapshot.queue.pending.to_string(), label: "in the queue".to_owned() },
    }];
    Lead { until, ..lead }
}

/// Says how much waits for a person.
pub(crate) fn needs_you(moment: &Moment) -> Lead {
    let (glyph, heading, text) = match moment.why.needs_you() {
        0 => (Glyph::Ok, "Nothing waits for you".to_owned(), "The engine goes on by itself."),
        1 => (Glyph::You, "1 thing waits for you".to_owned(), "Each line says what to do."),
        n => (Glyph::You, format!("{} wait for you", text::count(n, "thing")), "Each line says what to do."),
    };
    Lead::says(glyph, heading, text)
}
