//! Names that messages may show, and names that were probably meant.

use crate::catalog::nearest;

/// Returns the name in quotes if it looks like the name of a field.
///
/// A mistake in a table can put a key, or a part of one, in the place of a name
/// (`{264a4141…}` in YAML). Keys have digits or capitals, and a piece of a hex key
/// without digits has no letter after `f`.
pub(crate) fn quoted(name: &str) -> Option<String> {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'-');
    let is_field = name.len() <= 32
        && name.bytes().all(is_part)
        && name.bytes().any(|byte| byte > b'f' && byte != b'_');
    is_field.then(|| format!("`{name}`"))
}

/// Returns the known name that was probably meant.
pub(crate) fn meant<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    nearest(&name.replace('-', "_"), known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_name_of_a_field_is_shown_and_a_possible_key_is_not() {
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
    fn meant_name_is_found_within_a_third_of_its_letters() {
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
            assert_eq!(meant(name, known), expected, "{name}");
        }
        assert_eq!(meant(&"x".repeat(100_000), known), None);
    }
}
