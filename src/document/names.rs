//! Names that may be told, and names that were meant.

/// The name in quotes, if it looks like a name of a field.
///
/// Whoever mistypes a table can end up with a key in the place of a name
/// (`{264a4141…}` in YAML). Letters alone, or few characters, are no key.
pub(super) fn quoted(name: &str) -> Option<String> {
    let is_word = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-');
    let is_short = |byte: u8| byte.is_ascii_digit() && name.len() <= 12;
    let is_field =
        (1..=32).contains(&name.len()) && name.bytes().all(|byte| is_word(byte) || is_short(byte));
    is_field.then(|| format!("`{name}`"))
}

/// The known name that was probably meant.
pub(super) fn meant<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let name = name.to_ascii_lowercase().replace('-', "_");
    let (distance, best) = known
        .iter()
        .map(|known| (distance(&name, known), *known))
        .min()?;
    (distance <= best.len() / 3).then_some(best)
}

/// How many letters to change, add, drop or swap with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len().abs_diff(b.len()) > b.len() {
        return usize::MAX;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let change = last[j] + usize::from(a[i] != b[j]);
            let mut least = change.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = last;
        last = row;
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_names_of_fields_and_nothing_that_could_be_a_key() {
        for name in ["colour", "primry_key", "Primary-Key", "key2"] {
            assert_eq!(quoted(name), Some(format!("`{name}`")));
        }
        for name in ["", "264a41411c0b43e782f483eb6f3eaeab", "a b", "é", "a.b"] {
            assert_eq!(quoted(name), None, "{name}");
        }
    }

    #[test]
    fn guesses_what_was_meant_and_not_too_much() {
        let known = ["id", "path", "scope", "scopes", "primary_key", "state"];
        for (name, expected) in [
            ("primry_key", Some("primary_key")),
            ("Primary-Key", Some("primary_key")),
            ("stat", Some("state")),
            ("saetts", None),
            ("scop", Some("scope")),
            ("paht", Some("path")),
            ("colour", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(meant(name, &known), expected, "{name}");
        }
        assert_eq!(meant(&"x".repeat(100_000), &known), None);
    }
}
