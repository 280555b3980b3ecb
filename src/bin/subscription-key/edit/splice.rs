use std::ops::Range;

/// Replacements of parts of a text that do not overlap.
#[derive(Debug, Default)]
pub(super) struct Splices(Vec<(Range<usize>, String)>);

impl Splices {
    pub(super) fn replace(&mut self, range: Range<usize>, text: impl Into<String>) {
        self.0.push((range, text.into()));
    }

    pub(super) fn insert(&mut self, at: usize, text: impl Into<String>) {
        self.replace(at..at, text);
    }

    pub(super) fn cut(&mut self, range: Range<usize>) {
        self.replace(range, "");
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn apply(mut self, text: &str) -> String {
        // An insertion at the end of what is cut comes after the cut.
        self.0.sort_by_key(|(range, _)| (range.start, range.end));
        let mut result = String::with_capacity(text.len());
        let mut at = 0;
        for (range, new) in &self.0 {
            result.push_str(text.get(at..range.start).unwrap_or_default());
            result.push_str(new);
            at = at.max(range.end);
        }
        result.push_str(text.get(at..).unwrap_or_default());
        result
    }
}

/// The line break that the text uses.
pub(super) fn line_break(text: &str) -> &'static str {
    match text.find('\n') {
        Some(at) if text[..at].ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

/// Where the line of `at` begins.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |at| at + 1)
}

/// Where the line of `at` ends, before its line break.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    let end = text[at..].find('\n').map_or(text.len(), |n| at + n);
    if text[at..end].ends_with('\r') {
        end - 1
    } else {
        end
    }
}

/// Where the last line before `at` that is not blank ends, before its line
/// break. `at` begins a line.
pub(super) fn content_end_before(text: &str, at: usize) -> usize {
    text[..at].trim_end().len()
}

/// Cuts the elements for which `is_cut` holds out of a list with separators,
/// such that what stays keeps its spacing. `inner` is what is between the
/// brackets.
pub(super) fn cut_elements(
    splices: &mut Splices,
    inner: Range<usize>,
    elements: &[Range<usize>],
    is_cut: impl Fn(usize) -> bool,
) {
    let Some(first_kept) = (0..elements.len()).find(|at| !is_cut(*at)) else {
        splices.cut(inner);
        return;
    };
    if first_kept > 0 {
        splices.cut(elements[0].start..elements[first_kept].start);
    }
    let mut last_kept = first_kept;
    let mut runs = Vec::new();
    for at in first_kept + 1..elements.len() {
        if !is_cut(at) {
            last_kept = at;
        } else {
            let from = elements[at - 1].end.max(elements[last_kept].end);
            runs.push(from..elements[at].end);
        }
    }
    for run in runs {
        splices.cut(run);
    }
}
