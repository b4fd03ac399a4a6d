//! One day as a picture: what was spent within the last hour, and how many tasks waited. Colours follow the reader's scheme.

use std::fmt::Write as _;

use glitchlab_testkit::day::{Day, HOUR_MS, Played, Shape, play};

const WIDTH: i64 = 760;
const HEIGHT: i64 = 240;
const LEFT: i64 = 44;
const TOP: i64 = 34;
const BOTTOM: i64 = 28;
/// How often the curve has a point, in ms.
const STEP_MS: i64 = 180_000;

const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#24292f}.grid{stroke:#d0d7de}.cap{stroke:#cf222e;stroke-dasharray:5 4}.spent{fill:none;stroke:#0969da;stroke-width:1.6}.floor{stroke:#8c959f;stroke-dasharray:2 4}.back{fill:#fff}@media(prefers-color-scheme:dark){text{fill:#e6edf3}.grid{stroke:#30363d}.cap{stroke:#ff7b72}.spent{stroke:#58a6ff}.floor{stroke:#6e7681}.back{fill:#0d1117}}";

pub(crate) fn draw(shape: Shape) -> String {
    let day = Day::ordinary(shape, 1);
    let played = play(&day);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\"><style>{STYLE}</style><rect class=\"back\" width=\"{WIDTH}\" height=\"{HEIGHT}\"/>\n",
        title(shape)
    );
    axes(&mut svg, &day);
    let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"18\">{}</text>", title(shape));
    let _ = writeln!(svg, "<polyline class=\"spent\" points=\"{}\"/>", curve(&day, &played));
    svg += "</svg>\n";
    svg
}

fn title(shape: Shape) -> String {
    let load = match shape {
        Shape::Steady => "always something to do",
        Shape::Bursts => "eighty tasks every four hours",
        Shape::Gaps => "three hours of work, three without",
        Shape::Huge => "always something to do, and a task of $12 in the third hour",
        Shape::Tiny => "always very many tasks of two cents",
    };
    format!("Spent within the last hour, at most $5: {load}")
}

fn x(day: &Day, at_ms: i64) -> i64 {
    LEFT + (WIDTH - LEFT - 24) * at_ms / day.length_ms
}

fn y(day: &Day, micro: i64) -> i64 {
    let room = HEIGHT - TOP - BOTTOM;
    HEIGHT - BOTTOM - room * micro / (day.per_hour.micro() * 11 / 10)
}

fn axes(svg: &mut String, day: &Day) {
    for dollar in 0..=5 {
        let at = y(day, dollar * 1_000_000);
        let class = if dollar == 5 { "cap" } else { "grid" };
        let _ = writeln!(svg, "<path class=\"{class}\" d=\"M{LEFT} {at}H{}\"/>", WIDTH - 24);
        let _ =
            writeln!(svg, "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">${dollar}</text>", LEFT - 6, at + 4);
    }
    let nine_tenths = y(day, day.per_hour.micro() * 9 / 10);
    let _ = writeln!(svg, "<path class=\"floor\" d=\"M{LEFT} {nine_tenths}H{}\"/>", WIDTH - 24);
    for hour in (0..=24).step_by(3) {
        let at = x(day, hour * HOUR_MS);
        let _ = writeln!(svg, "<text x=\"{at}\" y=\"{}\" text-anchor=\"middle\">{hour} h</text>", HEIGHT - 8);
    }
}

fn curve(day: &Day, played: &Played) -> String {
    let points = (0..=day.length_ms / STEP_MS).map(|step| {
        let at_ms = step * STEP_MS;
        let from = played.bills.partition_point(|(billed, _)| *billed <= at_ms - HOUR_MS);
        let to = played.bills.partition_point(|(billed, _)| *billed <= at_ms);
        let spent: i64 = played.bills[from..to].iter().map(|(_, micro)| micro).sum();
        format!("{},{}", x(day, at_ms), y(day, spent))
    });
    points.collect::<Vec<_>>().join(" ")
}
