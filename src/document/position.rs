/// A place in a text as people count: both from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LineColumn {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// The places of ascending byte offsets, in one walk: a document of a single
/// long line with many issues must not be walked once for each.
pub(super) fn line_columns(
    text: &str,
    offsets: impl IntoIterator<Item = usize>,
) -> Vec<LineColumn> {
    let mut place = LineColumn { line: 1, column: 1 };
    let mut chars = text.char_indices().peekable();
    let walk = |offset| {
        while let Some((_, char)) = chars.next_if(|(at, _)| *at < offset) {
            if char == '\n' {
                place.line += 1;
                place.column = 1;
            } else {
                place.column += 1;
            }
        }
        place
    };
    offsets.into_iter().map(walk).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_lines_and_characters_from_one() {
        let text = "aé\r\n\u{1f600}b\n";
        let places = line_columns(text, [0, 1, 3, 5, 9, 10, 11, 99]);
        let places: Vec<_> = places.iter().map(|p| (p.line, p.column)).collect();
        assert_eq!(
            places,
            [
                (1, 1),
                (1, 2),
                (1, 3),
                (2, 1),
                (2, 2),
                (2, 3),
                (3, 1),
                (3, 1)
            ]
        );
    }
}
