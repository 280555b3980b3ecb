use super::*;
use proptest::prelude::*;

/// Shapes in which keys come.
const SECRETS: [&str; 6] = [
    "264a41411c0b43e782f483eb6f3eaeab",
    "S3cr3tS3cr3tS3cr3t",
    "sk_live-S3cr3t.S3cr3t+S3cr3t/S3cr3t=",
    "JBSWY3DPEHPK3PXPJBSWY3DP",
    "0123456789012345678901234567890",
    "@S3cr3t S3cr3t: S3cr3t #S3cr3t",
];

/// Documents with a hole in every place where a key can end up. `~` is the key
/// in quotes, `^` the key without.
const TOML: &[&str] = &[
    "primary_key = ~ x",
    "primary_key = ^",
    "primary_key = \"^\\q\"",
    "primary_key = \"^",
    "primary_key = '^\n",
    "primary_key = [~]",
    "primary_key = { ^ = 1 }",
    "primary_key = { ~ = 1 }",
    "primary_key = { value = ~, value = ~ }",
    "primary_key = { value = ~, sha256 = ~, env = ~, expires_at = ~ }",
    "primary_key = { key = ~ }",
    "primary_key = { value = [~] }",
    "primary_key = ~\nprimary_key = ~",
    "primary_key = ~\n~ = 5",
    "[subscriptions.primary_key]\n~ = 1\n~ = 2",
    "[~]\n[~]",
    "^ = ~",
    "^.^ = 1\n^ = 2",
    "state = ~",
    "scope = ~",
    "scopes = [~, \"/\", [~]]",
    "owner = [~]",
    "not_before = ~",
    "expires_at = { value = ~ }",
    "metadata = ~",
    "metadata = { k = ~, k = ~, n = nan }",
    "key = ~",
    "display_name = { primary_key = ~ }",
];

const JSON: &[&str] = &[
    "\"primary_key\": ~ x",
    "\"primary_key\": ~~",
    "\"primary_key\": ^",
    "\"primary_key\": \"^\\q\"",
    "\"primary_key\": \"^\n\"",
    "\"primary_key\": \"^\\ud800\"",
    "\"primary_key\": \"^",
    "\"primary_key\": [~]",
    "\"primary_key\": {~: 1}",
    "\"primary_key\": {~: 1, ~: 2}",
    "\"primary_key\": {\"value\": ~, \"sha256\": ~, \"env\": ~, \"expires_at\": ~}",
    "\"primary_key\": ~, \"primary_key\": ~",
    "\"primary_key\": ~, \"secondary_key\": ~",
    "~: ~",
    "\"state\": ~",
    "\"scope\": ~",
    "\"scopes\": [~, [~]]",
    "\"not_before\": ~",
    "\"metadata\": ~",
    "\"key\": ~",
];

const YAML: &[&str] = &[
    "primary_key: ^",
    "primary_key: ~ x",
    "primary_key: \"^",
    "primary_key: '^",
    "primary_key: \"^\\q\"",
    "primary_key: {^}",
    "primary_key: {^: ^, ^: ^}",
    "primary_key: [^]",
    "primary_key: &^ ^",
    "primary_key: *^",
    "primary_key: !^ ^",
    "primary_key: !!^ ^",
    "primary_key: |^\n",
    "primary_key: %^",
    "primary_key: ^: ^",
    "primary_key:\n    ^",
    "primary_key:\n  ^:\n  ^:",
    "^: ^",
    "^",
    "%^ ^",
    "primary_key: {value: ~, sha256: ~, env: ~, expires_at: ~}",
    "state: ^",
    "scope: ~",
    "expires_at: ~",
    "metadata: ^",
    "key: ~",
];

/// A document with the given line in a subscription. The owner separates it from the id,
/// which errors quote: a cut could otherwise make the key a part of the id.
fn document(format: Format, line: &str, secret: &str) -> String {
    let quoted = serde_json::to_string(secret).unwrap();
    let line = line.replace('~', &quoted).replace('^', secret);
    match format {
        Format::Toml => {
            format!(
                "[[apis]]\nid = 'a'\npath = '/'\n[[subscriptions]]\nid = 's'\nowner = 'o'\n{line}\nx = 1\n"
            )
        }
        Format::Json => format!(
            "{{\"apis\": [{{\"id\": \"a\", \"path\": \"/\"}}], \"subscriptions\": [{{\"id\": \"s\", \"owner\": \"o\", {line}}}]}}"
        ),
        _ => {
            format!(
                "apis:\n- id: a\n  path: /\nsubscriptions:\n- id: s\n  owner: o\n  {line}\n  x: 1\n"
            )
        }
    }
}

/// Whether some part of the secret that is worth hiding is in the text.
fn gives_away(text: &str, secret: &str) -> bool {
    const WORTH: usize = 6;
    let parts: Vec<char> = secret.chars().collect();
    parts
        .windows(WORTH)
        .any(|part| text.contains(&part.iter().collect::<String>()))
}

#[test]
fn key_in_any_wrong_place_is_never_shown() {
    for (format, lines) in FORMATS.into_iter().zip([TOML, JSON, YAML]) {
        for (line, secret) in lines
            .iter()
            .flat_map(|line| SECRETS.map(|secret| (line, secret)))
        {
            let issues = issues(format, document(format, line, secret)).join("\n");
            assert!(!issues.is_empty(), "{format:?} {line} {secret}: accepted");
            assert!(!gives_away(&issues, secret), "{format:?} {line}: {issues}");
            let debug = format!("{:?}", parse(format, document(format, line, secret)));
            assert!(!gives_away(&debug, secret), "{format:?} {line}: {debug}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Wherever a document is cut, bent or torn, its keys stay in it.
    #[test]
    fn key_in_a_torn_document_is_never_shown(
        secret in "[0-9a-f]{32}|([A-Za-z][0-9]){12}|([A-Za-z+/]{2}[0-9]){7}==",
        which in 0..100usize,
        cut in any::<prop::sample::Index>(),
        noise in "[\\[\\]{}\"':,=\n\\\\ ]{0,4}",
        removed in 0..4usize,
    ) {
        for (format, lines) in FORMATS.into_iter().zip([TOML, JSON, YAML]) {
            let text: Vec<char> = document(format, lines[which % lines.len()], &secret).chars().collect();
            let at = cut.index(text.len());
            let rest = &text[(at + removed).min(text.len())..];
            let text: String = text[..at].iter().chain(&noise.chars().collect::<Vec<_>>()).chain(rest).collect();
            let issues = issues(format, &text).join("\n");
            prop_assert!(!gives_away(&issues, &secret), "{:?}:\n{}\n{}", format, text, issues);
        }
    }
}
