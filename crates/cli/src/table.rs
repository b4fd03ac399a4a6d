//! Tables on a terminal: columns as wide as their longest cell, numbers to the right.

/// Where the cells of a column stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// Writes a head and rows under each other; the last column is not padded.
pub(crate) fn table(head: &[(String, Side)], rows: &[Vec<String>]) -> String {
    let names: Vec<String> = head.iter().map(|(name, _)| name.clone()).collect();
    let all = || std::iter::once(&names).chain(rows);
    let width = |column: usize| all().filter_map(|row| row.get(column)).map(|it| it.chars().count()).max();
    let widths: Vec<usize> = (0..head.len()).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(head).zip(&widths).map(|((cell, (_, side)), width)| match side {
            Side::Left => format!("{cell:<width$}"),
            Side::Right => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    all().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_stand_under_their_heads() {
        let head = [("TASK".to_owned(), Side::Left), ("COST".to_owned(), Side::Right)];
        let rows = [vec!["gl-1".to_owned(), "$10.00".to_owned()], vec!["ä".to_owned(), "$1.00".to_owned()]];
        assert_eq!(table(&head, &rows), "TASK    COST\ngl-1  $10.00\nä      $1.00");
    }
}
