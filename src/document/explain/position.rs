use crate::document::error::Position;

/// The positions of ascending byte offsets, in one walk: a document of a single
/// long line with many problems must not be walked once for each.
pub(crate) fn positions(text: &str, offsets: impl IntoIterator<Item = usize>) -> Vec<Position> {
    let (mut line, mut line_start, mut column, mut at) = (1, 0, 1, 0);
    let mut walk = |offset: usize| {
        let offset = floor(text, offset);
        let between = &text.as_bytes()[at..offset.max(at)];
        let breaks = between.iter().filter(|byte| **byte == b'\n').count();
        if breaks > 0 {
            line += breaks;
            let last = between.iter().rposition(|byte| *byte == b'\n');
            line_start = at + last.unwrap_or_default() + 1;
            column = 1;
            at = line_start;
        }
        column += text[at..offset.max(at)].chars().count();
        at = offset.max(at);
        Position {
            line,
            column,
            span: at..token_end(text, at),
        }
    };
    offsets.into_iter().map(&mut walk).collect()
}

/// The offset, or the next smaller one that is between two characters.
fn floor(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// Where the name or value that begins at `at` ends: a text at its quote, anything
/// else at a space or at the end of its line.
fn token_end(text: &str, at: usize) -> usize {
    const LONGEST: usize = 512;
    let token = &text[at..floor(text, at + LONGEST)];
    let mut chars = token.char_indices();
    let end = match chars.next() {
        Some((_, quote @ ('"' | '\''))) => {
            let mut is_escaped = false;
            let closing = chars.find(|(_, char)| {
                let closes = *char == quote && !is_escaped;
                is_escaped = *char == '\\' && !is_escaped && quote == '"';
                closes
            });
            closing.map(|(end, _)| end + 1)
        }
        Some((_, bracket @ ('[' | '{'))) => Some(bracket.len_utf8()),
        _ => {
            let is_end = |char: char| char.is_whitespace() || ",:]}=".contains(char);
            token.find(is_end)
        }
    };
    at + end.unwrap_or_else(|| token.find(['\r', '\n']).unwrap_or(token.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let text = "aé\r\n\u{1f600}b\n";
        let places = positions(text, [0, 1, 3, 5, 9, 10, 11, 99]);
        let places: Vec<_> = places.iter().map(|p| (p.line, p.column)).collect();
        let expected = [
            (1, 1),
            (1, 2),
            (1, 3),
            (2, 1),
            (2, 2),
            (2, 3),
            (3, 1),
            (3, 1),
        ];
        assert_eq!(places, expected);
    }

    #[test]
    fn spans_end_with_the_name_or_value() {
        let text = r#"a = "x\" y", b: c, {d"#;
        let spans = positions(text, [0, 4, 13, 16, 19]).into_iter();
        let spans: Vec<&str> = spans.map(|position| &text[position.span]).collect();
        assert_eq!(spans, ["a", r#""x\" y""#, "b", "c", "{"]);
    }
}
