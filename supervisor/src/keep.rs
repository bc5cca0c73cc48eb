//! Of something long the first and the last part.
//!
//! In -> out: bytes as they come -> the head at once, the end when it is asked for: the tail, and between both a line
//! that says how many bytes are missing.
//! Limits: all of it together, that line included, is at most what it was made with.
//! Invariant: what fits is kept whole, without a line; head and tail are the bytes as they came.
//! Not here: where it is kept.

/// Below this there is a head only: who asks for so little wants the beginning.
const TAIL_FROM_BYTES: u64 = 4096;

/// What is kept, and how much there was.
#[derive(Debug)]
pub struct Keep {
    head_bytes_max: u64,
    tail_bytes_max: usize,
    head_bytes: u64,
    all_bytes: u64,
    /// The last bytes that came when the head was full, and up to as many before them.
    tail: Vec<u8>,
}

impl Keep {
    /// At most `bytes_max`, and at most half of it or `tail_bytes_max` behind the gap.
    pub fn new(bytes_max: u64, tail_bytes_max: u64) -> Self {
        let tail = match bytes_max < TAIL_FROM_BYTES {
            true => 0,
            false => tail_bytes_max.min(bytes_max / 2),
        };
        Self {
            head_bytes_max: bytes_max - tail,
            tail_bytes_max: usize::try_from(tail).unwrap_or(usize::MAX),
            head_bytes: 0,
            all_bytes: 0,
            tail: Vec::new(),
        }
    }

    /// Takes what came next; gives the part of it that belongs to the head.
    pub fn take<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let room = usize::try_from(self.head_bytes_max - self.head_bytes).unwrap_or(usize::MAX);
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        self.head_bytes += head.len() as u64;
        self.all_bytes += bytes.len() as u64;
        self.tail.extend_from_slice(last(rest, self.tail_bytes_max));
        if self.tail.len() >= self.tail_bytes_max.saturating_mul(2) {
            self.tail.drain(..self.tail.len() - self.tail_bytes_max);
        }
        head
    }

    /// What comes behind the head.
    pub fn end(&self) -> Vec<u8> {
        let missed = self.missed_bytes();
        if missed == 0 || self.tail_bytes_max == 0 {
            return last(&self.tail, self.tail_bytes_max).to_vec();
        }
        self.behind_gap(self.tail_beside_line())
    }

    /// What may stand behind the head while more comes: a line and half of a tail, so that as much has room behind it. For
    /// when something is missing.
    pub fn end_so_far(&self) -> Vec<u8> {
        match self.tail_bytes_max {
            0 => Vec::new(),
            tail => self.behind_gap(tail / 2),
        }
    }

    fn behind_gap(&self, tail_bytes: usize) -> Vec<u8> {
        let tail = last(&self.tail, tail_bytes);
        let mut end = gap(self.all_bytes - self.head_bytes - tail.len() as u64).into_bytes();
        end.extend_from_slice(tail);
        end
    }

    /// Of all that is kept.
    pub fn bytes_max(&self) -> u64 {
        self.head_bytes_max + self.tail_bytes_max as u64
    }

    /// Where the head ends if it is full.
    pub fn head_bytes_max(&self) -> u64 {
        self.head_bytes_max
    }

    /// Of a tail that has the line before it, whatever number that says.
    fn tail_beside_line(&self) -> usize {
        self.tail_bytes_max.saturating_sub(gap(u64::MAX).len())
    }

    /// Bytes of the head.
    pub fn head_bytes(&self) -> u64 {
        self.head_bytes
    }

    /// All that came.
    pub fn all_bytes(&self) -> u64 {
        self.all_bytes
    }

    /// How many are neither in the head nor in the tail.
    pub fn missed_bytes(&self) -> u64 {
        let beyond = self.all_bytes - self.head_bytes;
        match beyond <= self.tail_bytes_max as u64 {
            true => 0,
            false => beyond - self.tail_beside_line() as u64,
        }
    }
}

/// The line in the place of bytes that are missing.
pub fn gap(missed_bytes: u64) -> String {
    format!("\n[... {missed_bytes} bytes are left out here ...]\n")
}

/// How many bytes are missing, and the length of the line that says so, if a text begins with one.
pub fn read_gap(bytes: &[u8]) -> Option<(u64, usize)> {
    let digits = bytes.strip_prefix(b"\n[... ")?;
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let missed = std::str::from_utf8(digits.get(..count)?).ok()?.parse().ok()?;
    let line = gap(missed);
    bytes.starts_with(line.as_bytes()).then_some((missed, line.len()))
}

/// At most `max` bytes, from the end.
fn last(bytes: &[u8], max: usize) -> &[u8] {
    bytes.get(bytes.len().saturating_sub(max)..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is kept of these bytes, cut into parts of that length.
    fn kept(keep: &mut Keep, bytes: &[u8], part: usize) -> Vec<u8> {
        let mut kept = Vec::new();
        for part in bytes.chunks(part) {
            kept.extend_from_slice(keep.take(part));
        }
        kept.extend(keep.end());
        kept
    }

    #[test]
    fn what_fits_is_whole_and_what_does_not_says_exactly_what_is_missing() {
        for max in [4096, 5000, 100_000] {
            for tail in [100, 1024, u64::MAX] {
                for length in [0, 1, 50, max - 1, max, max + 1, 2 * max, 20 * max + 7] {
                    let bytes: Vec<u8> = (0..length).map(|at| b'a' + (at % 23) as u8).collect();
                    for part in [1, 777, 1 << 16] {
                        let mut keep = Keep::new(max, tail);
                        let kept = kept(&mut keep, &bytes, part);
                        assert_eq!(keep.all_bytes(), length);
                        if length <= max {
                            assert_eq!((kept, keep.missed_bytes()), (bytes.clone(), 0));
                            continue;
                        }
                        assert!(kept.len() as u64 <= max && kept.len() as u64 >= max - 100, "{max} {length}");
                        let text = String::from_utf8(kept).unwrap();
                        let (head, rest) = text.split_once("\n[... ").unwrap();
                        let (missed, end) = rest.split_once(" bytes are left out here ...]\n").unwrap();
                        assert!(bytes.starts_with(head.as_bytes()) && bytes.ends_with(end.as_bytes()));
                        assert_eq!(missed.parse(), Ok(keep.missed_bytes()));
                        assert_eq!((head.len() + end.len()) as u64 + keep.missed_bytes(), length);
                        assert!(!end.is_empty());
                    }
                }
            }
        }
    }

    #[test]
    fn while_more_comes_the_line_says_exactly_what_is_missing_before_half_a_tail() {
        let bytes: Vec<u8> = (0..50_000).map(|at| b'a' + (at % 23) as u8).collect();
        let mut keep = Keep::new(10_000, 4096);
        let head = bytes.chunks(777).flat_map(|part| keep.take(part).to_vec()).collect::<Vec<u8>>();
        assert_eq!((head.len() as u64, keep.bytes_max()), (keep.head_bytes_max(), 10_000));
        let end = keep.end_so_far();
        let (missed, line) = read_gap(&end).unwrap();
        assert_eq!(end.len() - line, 2048);
        assert_eq!(end[line..], bytes[bytes.len() - 2048..]);
        assert_eq!(head.len() as u64 + missed + 2048, 50_000);
        for other in [
            "",
            "[... 1 bytes are left out here ...]\n",
            "\n[... 1 bytes",
            "\n[...  bytes are left out here ...]\n",
        ] {
            assert_eq!(read_gap(other.as_bytes()), None, "{other:?}");
        }
    }

    #[test]
    fn of_little_there_is_the_beginning_only() {
        for max in [0, 1, 10, 4095] {
            let bytes = vec![b'x'; 9000];
            let mut keep = Keep::new(max, u64::MAX);
            assert_eq!(kept(&mut keep, &bytes, 4000).len() as u64, max);
            assert_eq!(keep.missed_bytes(), 9000 - max);
        }
    }
}
