use crate::import::Key;
use crate::key::KeyDigest;

/// A text in the place of a key.
pub(super) enum Written {
    Key(Key),
    /// A reference that nothing here can follow. It is not shown.
    Unresolved,
}

/// Reads a key, or the name of the variable that has it: `$X`, `${X}`,
/// `{{ env "X" }}` or `${{ env "X" }}`.
pub(super) fn key(text: &str) -> Written {
    let trimmed = text.trim();
    if let Some(name) = variable(trimmed) {
        return Written::Key(Key::Env(name.to_owned()));
    }
    let is_reference = trimmed.starts_with("${")
        || trimmed.starts_with("{{")
        || trimmed.starts_with("#{")
        || trimmed.starts_with("{vault://")
        || trimmed.starts_with("ENC[")
        || (trimmed.starts_with('[') && trimmed.ends_with(']'))
        || (trimmed.starts_with('<') && trimmed.ends_with('>'))
        || trimmed.starts_with("@Microsoft.KeyVault");
    if is_reference {
        return Written::Unresolved;
    }
    Written::Key(Key::Digest(KeyDigest::of(text)))
}

fn variable(text: &str) -> Option<&str> {
    let braces =
        |open: &str, close: &str| text.strip_prefix(open)?.strip_suffix(close).map(str::trim);
    let expression = braces("${{", "}}").or_else(|| braces("{{", "}}"));
    if let Some(expression) = expression {
        let name = expression.strip_prefix("env")?.trim();
        let name = name.trim_matches(['"', '\'', '`']);
        return Some(name).filter(|name| is_name(name));
    }
    let name = braces("${", "}").or_else(|| text.strip_prefix('$'))?;
    Some(name).filter(|name| is_name(name))
}

fn is_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholder_names_its_variable_and_never_becomes_the_key() {
        for text in [
            "$MY_KEY",
            "${MY_KEY}",
            "{{ env \"MY_KEY\" }}",
            "${{ env \"MY_KEY\" }}",
            "{{env 'MY_KEY'}}",
        ] {
            assert!(
                matches!(key(text), Written::Key(Key::Env(name)) if name == "MY_KEY"),
                "{text}"
            );
        }
        for text in [
            "${{ secret }}",
            "{vault://env/key}",
            "[parameters('key')]",
            "${a-b}",
            "<key>",
        ] {
            assert!(matches!(key(text), Written::Unresolved), "{text}");
        }
        assert!(matches!(key("264a4141"), Written::Key(Key::Digest(_))));
    }
}
