//! What a document may ask of this process.

/// How deep tables and lists may nest. A catalog needs three; metadata may need
/// more. The tree is walked and dropped by recursion.
pub(super) const MAX_DEPTH: usize = 64;

pub(super) const TOO_DEEP: &str = "tables and lists nest too deep: 64 levels are the most";
