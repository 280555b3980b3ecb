use strsim::osa_distance;

/// Longer words and longer lists are not compared: an error must stay cheap.
const MAX_CHARS: usize = 64;
const MAX_CANDIDATES: usize = 256;

/// The candidate that was probably meant by a word: the same but for the case, or
/// at most a third of its letters away.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if word.len() > MAX_CHARS {
        return None;
    }
    let word = word.to_lowercase();
    let distance = |candidate: &'a str| {
        let most = candidate.len() / 3;
        if candidate.len() > MAX_CHARS || candidate.len().abs_diff(word.len()) > most {
            let same = candidate.eq_ignore_ascii_case(&word);
            return same.then_some((0, candidate));
        }
        let distance = osa_distance(&word, &candidate.to_lowercase());
        (distance <= most).then_some((distance, candidate))
    };
    let candidates = candidates.into_iter().take(MAX_CANDIDATES);
    let nearest = candidates.filter_map(distance).min_by_key(|found| found.0);
    nearest.map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_word_is_a_few_letters_away_at_most() {
        let known = ["orders", "invoices", "v1", "Contoso"];
        for (word, expected) in [
            ("order", Some("orders")),
            ("Orders", Some("orders")),
            ("odrers", Some("orders")),
            ("contoso", Some("Contoso")),
            ("V1", Some("v1")),
            ("v2", None),
            ("products", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
        assert_eq!(nearest(&"x".repeat(100_000), known), None);
    }
}
