/// Joins words to a line for a POSIX shell, quoting those that need it.
///
/// ```
/// use tower_subscription_key::access::command_line;
///
/// assert_eq!(command_line(["grant", "Jane's key", "/apis"]), r"grant 'Jane'\''s key' /apis");
/// ```
#[must_use]
pub fn command_line<W: AsRef<str>>(words: impl IntoIterator<Item = W>) -> String {
    let words: Vec<String> = words
        .into_iter()
        .map(|word| quoted(word.as_ref()))
        .collect();
    words.join(" ")
}

fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}
