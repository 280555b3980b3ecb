use hashbrown::HashMap;

use crate::catalog::ApiIndex;
use crate::catalog::validate::{is_plain, lenient_reading};

/// The API paths, for the longest prefix on segment borders.
#[derive(Debug, Default)]
pub(super) struct Paths {
    literal: Prefixes,
    /// By their lenient readings.
    lenient: Prefixes,
    /// Some path is not its own lenient reading.
    any_unusual: bool,
}

/// The API that a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Matched {
    Api(ApiIndex),
    None,
    /// Services that decode and normalise the path would choose another API, or none.
    Ambiguous,
}

impl From<Option<ApiIndex>> for Matched {
    fn from(api: Option<ApiIndex>) -> Self {
        api.map_or(Self::None, Self::Api)
    }
}

impl Matched {
    pub(crate) fn api(self) -> Option<ApiIndex> {
        match self {
            Self::Api(api) => Some(api),
            Self::None | Self::Ambiguous => None,
        }
    }
}

/// An API with a path that conflicts with a new path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PathConflict {
    Same(ApiIndex),
    SameReading(ApiIndex),
}

impl Paths {
    /// Adds a path, and returns the earlier one that it conflicts with.
    pub(super) fn insert(&mut self, path: &str, api: ApiIndex) -> Option<PathConflict> {
        self.any_unusual |= !is_plain(path);
        let same = self.literal.insert(path.as_bytes(), api);
        let same_reading = self.lenient.insert(&lenient_reading(path), api);
        let reading = same_reading.map(PathConflict::SameReading);
        same.map(PathConflict::Same).or(reading)
    }

    /// The API of the path's bytes.
    #[inline]
    pub(super) fn find(&self, path: &str) -> Option<ApiIndex> {
        self.literal.find(path.as_bytes())
    }

    /// The API of the path's bytes, unless the lenient reading belongs to another one.
    pub(super) fn find_both(&self, path: &str) -> Matched {
        let api = self.find(path);
        let is_plain = !self.any_unusual && is_plain(path);
        match is_plain || self.lenient.find(&lenient_reading(path)) == api {
            true => api.into(),
            false => Matched::Ambiguous,
        }
    }
}

#[derive(Debug, Default)]
struct Prefixes {
    apis: HashMap<Box<[u8]>, ApiIndex>,
    /// Nothing longer can match, however long a request's path is.
    longest: usize,
    /// The API with the empty path, which takes what no other does.
    everything: Option<ApiIndex>,
}

impl Prefixes {
    /// Adds a path, or returns the API that has it already.
    fn insert(&mut self, path: &[u8], api: ApiIndex) -> Option<ApiIndex> {
        if path.is_empty() {
            let earlier = self.everything;
            self.everything = earlier.or(Some(api));
            return earlier;
        }
        if let Some(earlier) = self.apis.get(path) {
            return Some(*earlier);
        }
        self.longest = self.longest.max(path.len());
        self.apis.insert(path.into(), api);
        None
    }

    #[inline]
    fn find(&self, path: &[u8]) -> Option<ApiIndex> {
        // The end of the path is a border, too.
        if path.len() <= self.longest
            && let Some(api) = self.apis.get(path)
        {
            return Some(*api);
        }
        let mut end = path.len().min(self.longest + 1);
        while let Some(border) = path[..end].iter().rposition(|byte| *byte == b'/') {
            if let Some(api) = self.apis.get(&path[..border]) {
                return Some(*api);
            }
            end = border;
        }
        self.everything
    }
}
