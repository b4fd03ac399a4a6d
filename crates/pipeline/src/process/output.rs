//! Output that stays small however much comes.

use std::collections::VecDeque;

/// The beginning and the end of a stream of bytes.
#[derive(Debug)]
pub struct Capture {
    head: Vec<u8>,
    head_limit: usize,
    tail: VecDeque<u8>,
    tail_limit: usize,
    left_out: u64,
}

impl Capture {
    /// Keeps at most `limit` bytes, half of them from the beginning and half from the end.
    #[must_use]
    pub fn head_and_tail(limit: usize) -> Self {
        Self::new(limit / 2, limit - limit / 2)
    }

    /// Keeps the first `limit` bytes.
    #[must_use]
    pub fn head(limit: usize) -> Self {
        Self::new(limit, 0)
    }

    fn new(head_limit: usize, tail_limit: usize) -> Self {
        Self { head: Vec::new(), head_limit, tail: VecDeque::new(), tail_limit, left_out: 0 }
    }

    /// Takes more bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        let room = self.head_limit - self.head.len();
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend_from_slice(head);
        let (skipped, last) = rest.split_at(rest.len().saturating_sub(self.tail_limit));
        let overflow = (self.tail.len() + last.len()).saturating_sub(self.tail_limit);
        self.tail.drain(..overflow);
        self.tail.extend(last);
        self.left_out += (skipped.len() + overflow) as u64;
    }

    /// Counts all bytes that came.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        (self.head.len() + self.tail.len()) as u64 + self.left_out
    }

    /// Says whether bytes were left out.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.left_out > 0
    }

    /// Gives up the kept bytes without a sign of what was left out.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        let mut bytes = self.head;
        bytes.extend(self.tail);
        bytes
    }

    /// Gives up the kept text; a line says how much was left out.
    #[must_use]
    pub fn into_text(self) -> String {
        if !self.is_cut() {
            return String::from_utf8_lossy(&self.into_bytes()).into_owned();
        }
        let head = String::from_utf8_lossy(&self.head).into_owned();
        let tail: Vec<u8> = self.tail.into();
        format!("{head}\n[... {} bytes left out ...]\n{}", self.left_out, String::from_utf8_lossy(&tail))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn short_output_is_kept_whole() {
        let mut capture = Capture::head_and_tail(10);
        capture.push(b"0123");
        capture.push(b"456789");
        assert_eq!(capture.into_text(), "0123456789");
    }

    #[test]
    fn the_middle_of_long_output_is_counted_and_left_out() {
        let mut capture = Capture::head_and_tail(6);
        capture.push(b"abcdefghij");
        capture.push(b"XYZ");
        assert_eq!(capture.total_bytes(), 13);
        assert_eq!(capture.into_text(), "abc\n[... 7 bytes left out ...]\nXYZ");
    }

    proptest! {
        #[test]
        fn any_chunking_keeps_the_same_bytes(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..20), limit in 0_usize..40) {
            let whole: Vec<u8> = chunks.concat();
            let mut capture = Capture::head_and_tail(limit);
            chunks.iter().for_each(|chunk| capture.push(chunk));
            prop_assert_eq!(capture.total_bytes(), whole.len() as u64);
            let kept = capture.into_bytes();
            if whole.len() <= limit {
                prop_assert_eq!(kept, whole);
            } else {
                let head = limit / 2;
                let expected = [&whole[..head], &whole[whole.len() - (limit - head)..]].concat();
                prop_assert_eq!(kept, expected);
            }
        }
    }
}
