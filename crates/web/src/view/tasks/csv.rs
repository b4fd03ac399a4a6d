//! The list as CSV. Texts are hostile: a spreadsheet must not take one for a formula.

use glitchlab_domain::history::TaskLine;

const HEAD: &str =
    "task,title,status,model,size,attempts,tokens,cost_usd,took_ms,started,ended,request,merged\r\n";

/// Writes the lines with a head.
pub(crate) fn write(lines: &[TaskLine]) -> String {
    let rows = lines.iter().map(|line| row(line).join(",") + "\r\n");
    std::iter::once(HEAD.to_owned()).chain(rows).collect()
}

fn row(line: &TaskLine) -> [String; 13] {
    let maybe = |text: &Option<String>| field(text.as_deref().unwrap_or_default());
    [
        field(line.bead_id.as_str()),
        field(&line.title),
        line.state.name().to_owned(),
        field(&line.model),
        line.size.map(|size| size.name().to_owned()).unwrap_or_default(),
        line.attempts.to_string(),
        line.tokens.to_string(),
        dollars(line.cost.micro()),
        line.took_ms.to_string(),
        instant(Some(line.started_ms)),
        instant(line.ended_ms),
        maybe(&line.request),
        maybe(&line.merged),
    ]
}

/// Quotes a text, and puts an apostrophe before what would begin a formula.
fn field(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

fn dollars(micro: i64) -> String {
    let (sign, micro) = (if micro < 0 { "-" } else { "" }, micro.unsigned_abs());
    format!("{sign}{}.{:06}", micro / 1_000_000, micro % 1_000_000)
}

fn instant(at_ms: Option<i64>) -> String {
    at_ms.map(|at| crate::view::text::clock(at).iso).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_is_text_and_quotes_and_line_breaks_stay_in_their_field() {
        assert_eq!(field("=1+1"), "\"'=1+1\"");
        assert_eq!(field("a \"b\"\nc,d"), "\"a \"\"b\"\"\nc,d\"");
    }

    #[test]
    fn money_is_exact_in_dollars() {
        assert_eq!([dollars(1), dollars(1_230_000), dollars(-5)], ["0.000001", "1.230000", "-0.000005"]);
    }
}
