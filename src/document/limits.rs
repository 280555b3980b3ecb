//! What a document may ask of this process.

/// How deep tables and lists may nest. A catalog needs four levels; metadata may
/// need more. Trees are walked and dropped by recursion.
pub(super) const MAX_DEPTH: usize = 64;

pub(super) const TOO_DEEP: &str = "tables and lists nest too deep: 64 levels are the most";

/// A larger entry is not explained, because its tree takes many times its size.
pub(super) const MAX_ENTRY_BYTES: usize = 1 << 20;
