//! The command-line tool `subscription-key`.

fn main() {}
