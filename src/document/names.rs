//! Names that may be told, and names that were meant.

/// The name in quotes, if it looks like the name of a field.
///
/// Whoever mistypes a table can end up with a key in the place of a name
/// (`{264a4141…}` in YAML), or with a part of one. Keys have digits or capitals,
/// and a piece of a hex one that has neither has no letter behind `f`.
pub(super) fn quoted(name: &str) -> Option<String> {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'-');
    let is_field = name.len() <= 32
        && name.bytes().all(is_part)
        && name.bytes().any(|byte| byte > b'f' && byte != b'_');
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
        for name in ["colour", "primry_key", "key-names"] {
            assert_eq!(quoted(name), Some(format!("`{name}`")));
        }
        let long = "x".repeat(33);
        for name in [
            "", "264a4141", "abcdef", "AbcXyz", "a b", "zé", "x.y", &long,
        ] {
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
