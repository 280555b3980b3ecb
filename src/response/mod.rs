//! What a refused client gets.
