/// Text on its way into a quoted string (RFC 9110, section 5.6.4) of ASCII:
/// `"` and `\` are escaped, and what no such string can hold is percent-encoded.
#[derive(Clone, Copy)]
pub(super) struct Quoted<'a> {
    text: &'a [u8],
    /// How many bytes it takes up when written.
    len: usize,
}

impl<'a> Quoted<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let text = text.as_bytes();
        let len = text.iter().map(|&byte| written_len(byte)).sum();
        Self { text, len }
    }

    pub(super) const fn empty() -> Self {
        Self { text: &[], len: 0 }
    }

    pub(super) fn len(self) -> usize {
        self.len
    }

    pub(super) fn write(self, out: &mut Vec<u8>) {
        if self.len == self.text.len() {
            out.extend_from_slice(self.text);
        } else {
            self.text.iter().for_each(|&byte| write_byte(byte, out));
        }
    }
}

fn written_len(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' => 2,
        b' '..=b'~' => 1,
        _ => 3,
    }
}

fn write_byte(byte: u8, out: &mut Vec<u8>) {
    match written_len(byte) {
        1 => out.push(byte),
        2 => out.extend([b'\\', byte]),
        _ => out.extend(percent_encoded(byte)),
    }
}

/// `%` and two upper-case hex digits.
pub(super) fn percent_encoded(byte: u8) -> [u8; 3] {
    [b'%', hex_digit(byte >> 4), hex_digit(byte & 0xf)]
}

fn hex_digit(nibble: u8) -> u8 {
    match nibble {
        0..=9 => b'0' + nibble,
        _ => b'A' + (nibble - 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_up_what_it_says_and_reads_as_it_should() {
        for (text, expected) in [
            ("", ""),
            ("/echo", "/echo"),
            ("/a b%20", "/a b%20"),
            (r#"a"b\c"#, r#"a\"b\\c"#),
            ("/é\n\u{7f}", "/%C3%A9%0A%7F"),
        ] {
            let quoted = Quoted::new(text);
            let mut out = Vec::new();
            quoted.write(&mut out);
            assert_eq!(out, expected.as_bytes(), "{text:?}");
            assert_eq!(quoted.len(), out.len(), "{text:?}");
        }
    }
}
