use std::cmp::Reverse;

use hashbrown::HashMap;

use crate::catalog::ApiIndex;

/// The API paths, for the longest prefix on segment borders.
#[derive(Debug, Default)]
pub(super) struct Paths {
    /// While they are few, looking through them takes less time than hashing.
    few: Vec<(Box<str>, ApiIndex)>,
    /// All of them, once they are more.
    many: HashMap<Box<str>, ApiIndex>,
    /// Nothing longer can match, however long a request's path is.
    longest: usize,
    /// The API whose path is empty: it takes what no other does.
    everything: Option<ApiIndex>,
}

const FEW: usize = 8;

impl Paths {
    /// The API that had the path before, if one did.
    pub(super) fn insert(&mut self, path: &str, api: ApiIndex) -> Option<ApiIndex> {
        if path.is_empty() {
            let before = self.everything;
            self.everything = before.or(Some(api));
            return before;
        }
        if let Some(before) = self.many.get(path) {
            return Some(*before);
        }
        self.longest = self.longest.max(path.len());
        self.many.insert(path.into(), api);
        self.few.push((path.into(), api));
        // The longest first: the first that matches is the one.
        self.few.sort_by_key(|(path, _)| Reverse(path.len()));
        self.few.truncate(FEW);
        None
    }

    #[inline]
    pub(super) fn find(&self, path: &str) -> Option<ApiIndex> {
        if self.many.len() > FEW {
            return self.find_among_many(path);
        }
        let is_below = |prefix: &str| {
            let rest = path.strip_prefix(prefix);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let found = self.few.iter().find(|(prefix, _)| is_below(prefix));
        found.map(|(_, api)| *api).or(self.everything)
    }

    fn find_among_many(&self, path: &str) -> Option<ApiIndex> {
        let bytes = path.as_bytes();
        let mut end = bytes.len().min(self.longest + 1);
        // The path's own end is a border, too.
        if bytes.len() <= self.longest
            && let Some(api) = self.many.get(path)
        {
            return Some(*api);
        }
        while let Some(border) = bytes[..end].iter().rposition(|byte| *byte == b'/') {
            if let Some(api) = self.many.get(&path[..border]) {
                return Some(*api);
            }
            end = border;
        }
        self.everything
    }
}
