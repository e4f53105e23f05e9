//! The bytes of the state file: pure functions, no files. The table is in the crate's docs.
//!
//! The one hard question here is [`could_be_torn`]: is a bad tail the trace of a crash, which may
//! be dropped, or damage, which must be reported?

use std::path::PathBuf;

use crate::PersistError;

/// The first bytes of each state file.
const MAGIC: &[u8; 8] = b"RAFTSAVE";
/// The only version of the format so far.
const VERSION: u32 = 1;
/// Bytes before the first record.
pub(crate) const HEADER_LEN: usize = 44;
/// Bytes of a record before its payload.
pub(crate) const HEAD_LEN: usize = 12;
/// The longest payload of one record, in bytes.
pub(crate) const MAX_RECORD: usize = u32::MAX as usize;
/// What a disk writes as a whole or not at all, in bytes.
const SECTOR: usize = 512;

/// The start of a state file: which snapshot belongs to it, and how much of it was written whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Header {
    /// Grows by one with each saved snapshot; part of the snapshot's file name.
    pub(crate) generation: u64,
    /// The snapshot's length in bytes. Zero: there is no snapshot file.
    pub(crate) snapshot_len: u64,
    /// The checksum of the snapshot.
    pub(crate) snapshot_crc: u32,
    /// Bytes of records that were synced before the file got its name, so that no crash can tear
    /// them.
    pub(crate) base_len: u64,
}

/// A state file, taken apart.
pub(crate) struct Log {
    pub(crate) header: Header,
    /// The payloads of all records, joined.
    pub(crate) state: Vec<u8>,
    /// Where the last good record ends, in bytes from the start of the file.
    pub(crate) end: usize,
    /// Bytes after `end` that an unfinished append left behind.
    pub(crate) torn: usize,
}

/// Why the bytes are not a state file.
#[derive(Debug, PartialEq)]
pub(crate) enum FormatError {
    Damaged { offset: usize, expected: String, found: String },
    UnknownVersion(u32),
}

impl FormatError {
    /// The same as an error about a file.
    pub(crate) fn of_file(self, path: PathBuf) -> PersistError {
        match self {
            FormatError::Damaged { offset, expected, found } => {
                PersistError::Damaged { path, offset: offset as u64, expected, found }
            }
            FormatError::UnknownVersion(found) => {
                PersistError::UnknownVersion { path, found, known: VERSION }
            }
        }
    }
}

impl Header {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_LEN);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.generation.to_le_bytes());
        bytes.extend_from_slice(&self.snapshot_len.to_le_bytes());
        bytes.extend_from_slice(&self.snapshot_crc.to_le_bytes());
        bytes.extend_from_slice(&self.base_len.to_le_bytes());
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Header, FormatError> {
        let damaged = |offset, expected: String, found: String| {
            Err(FormatError::Damaged { offset, expected, found })
        };
        if bytes.len() < HEADER_LEN {
            let expected = format!("a header of {HEADER_LEN} bytes");
            return damaged(bytes.len(), expected, "the end of the file".into());
        }
        if &bytes[..8] != MAGIC {
            let found = format!("{:?}", String::from_utf8_lossy(&bytes[..8]));
            return damaged(0, format!("{:?}", String::from_utf8_lossy(MAGIC)), found);
        }
        // Before the checksum: another version may keep it elsewhere.
        let version = u32_at(bytes, 8);
        if version != VERSION {
            return Err(FormatError::UnknownVersion(version));
        }
        let (stored, actual) = (u32_at(bytes, 40), crc32fast::hash(&bytes[..40]));
        if stored != actual {
            let expected = format!("a header with checksum {stored:08x}");
            return damaged(0, expected, format!("checksum {actual:08x}"));
        }
        Ok(Header {
            generation: u64_at(bytes, 12),
            snapshot_len: u64_at(bytes, 20),
            snapshot_crc: u32_at(bytes, 28),
            base_len: u64_at(bytes, 32),
        })
    }
}

/// What stands before a payload.
struct Head {
    len: usize,
    body_crc: u32,
}

impl Head {
    /// The head at an offset; none if its checksum is wrong or the file ends too early.
    fn at(bytes: &[u8], at: usize) -> Option<Head> {
        let head = bytes.get(at..at.checked_add(HEAD_LEN)?)?;
        let (len, body_crc, head_crc) = (u32_at(head, 0), u32_at(head, 4), u32_at(head, 8));
        (head_crc == checksum(at, len, body_crc)).then_some(Head { len: len as usize, body_crc })
    }
}

/// The checksum of a head. It covers the head's place, so that a record copied to another place,
/// or the copy of a file inside a payload, is not taken for a record.
fn checksum(at: usize, len: u32, body_crc: u32) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&(at as u64).to_le_bytes());
    hasher.update(&len.to_le_bytes());
    hasher.update(&body_crc.to_le_bytes());
    hasher.finalize()
}

/// The bytes of a record that is to stand at an offset.
pub(crate) fn record(at: usize, payload: &[u8]) -> Result<Vec<u8>, PersistError> {
    let len = record_len(payload.len())?;
    let body_crc = crc32fast::hash(payload);
    let mut bytes = Vec::with_capacity(HEAD_LEN + payload.len());
    bytes.extend_from_slice(&len.to_le_bytes());
    bytes.extend_from_slice(&body_crc.to_le_bytes());
    bytes.extend_from_slice(&checksum(at, len, body_crc).to_le_bytes());
    bytes.extend_from_slice(payload);
    Ok(bytes)
}

fn record_len(len: usize) -> Result<u32, PersistError> {
    u32::try_from(len).map_err(|_| PersistError::TooLong { len, max: MAX_RECORD })
}

/// Takes a state file apart. A tail that an unfinished append may have left is counted, not an
/// error; anything else that is wrong is one.
pub(crate) fn read_log(bytes: &[u8]) -> Result<Log, FormatError> {
    let header = Header::decode(bytes)?;
    let base_end = (HEADER_LEN as u64).saturating_add(header.base_len);
    if base_end > bytes.len() as u64 {
        let expected = format!("at least {base_end} bytes, as the header says");
        let found = "the end of the file".into();
        return Err(FormatError::Damaged { offset: bytes.len(), expected, found });
    }
    let mut log = Log { header, state: Vec::new(), end: HEADER_LEN, torn: 0 };
    while log.end < bytes.len() {
        match payload_at(bytes, log.end) {
            Ok(payload) => {
                log.state.extend_from_slice(payload);
                log.end += HEAD_LEN + payload.len();
            }
            Err(_) if log.end as u64 >= base_end && could_be_torn(bytes, log.end) => {
                log.torn = bytes.len() - log.end;
                break;
            }
            Err(damage) => return Err(damage),
        }
    }
    Ok(log)
}

/// The payload of the record at an offset.
fn payload_at(bytes: &[u8], at: usize) -> Result<&[u8], FormatError> {
    let damaged = |offset, expected, found| Err(FormatError::Damaged { offset, expected, found });
    let Some(head) = Head::at(bytes, at) else {
        let found = match bytes.len() - at {
            rest if rest < HEAD_LEN => format!("only {rest} more bytes"),
            _ => "a head whose checksum is wrong".into(),
        };
        return damaged(at, format!("the head of a record, {HEAD_LEN} bytes"), found);
    };
    let start = at + HEAD_LEN;
    let Some(payload) = bytes.get(start..start + head.len) else {
        let found = format!("only {} more bytes", bytes.len() - start);
        return damaged(start, format!("a payload of {} bytes", head.len), found);
    };
    let actual = crc32fast::hash(payload);
    if actual != head.body_crc {
        let expected = format!("{} bytes with checksum {:08x}", head.len, head.body_crc);
        return damaged(start, expected, format!("checksum {actual:08x}"));
    }
    Ok(payload)
}

/// Whether the bytes from `at`, which are not a good record, can be what a crash left of one
/// append that was never acknowledged.
///
/// An append is started only after the one before it was synced, so at most one can be unfinished,
/// and nothing can follow it. A power cut leaves a shorter file, or one of full length in which
/// some sectors were never written and read as zeros. A flipped bit looks like neither.
fn could_be_torn(bytes: &[u8], at: usize) -> bool {
    if bytes.len() - at < HEAD_LEN {
        return true;
    }
    let second_sector = (at / SECTOR + 1) * SECTOR;
    match Head::at(bytes, at) {
        // The head is good, so the sector it begins in was written.
        Some(head) => {
            let end = at + HEAD_LEN + head.len;
            end > bytes.len() || (end == bytes.len() && has_lost_sector(bytes, second_sector, end))
        }
        // The head is lost, and with it the record's length: look for signs of a later record.
        None => {
            has_lost_sector(bytes, at, at + HEAD_LEN)
                && !(at + 1..bytes.len()).any(|later| Head::at(bytes, later).is_some())
        }
    }
}

/// Whether one of the sectors that `from..to` lies in holds only zeros, not counting what stands
/// before `from`.
fn has_lost_sector(bytes: &[u8], from: usize, to: usize) -> bool {
    let mut start = from;
    while start < to.min(bytes.len()) {
        let next = (start / SECTOR + 1) * SECTOR;
        if bytes[start..next.min(bytes.len())].iter().all(|&byte| byte == 0) {
            return true;
        }
        start = next;
    }
    false
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with a base of one record, then the given appends.
    fn file(base: &[u8], appends: &[&[u8]]) -> Vec<u8> {
        let base = record(HEADER_LEN, base).unwrap();
        let header = Header { base_len: base.len() as u64, ..Header::default() };
        let mut bytes = [header.encode(), base].concat();
        for append in appends {
            let next = record(bytes.len(), append).unwrap();
            bytes.extend(next);
        }
        bytes
    }

    fn torn_state(bytes: &[u8]) -> Result<(Vec<u8>, usize), FormatError> {
        read_log(bytes).map(|log| (log.state, log.torn))
    }

    #[test]
    fn an_all_zero_head_is_not_an_empty_record() {
        let mut bytes = file(b"base", &[]);
        bytes.extend([0; 40]);
        assert_eq!(torn_state(&bytes).unwrap(), (b"base".to_vec(), 40));
    }

    #[test]
    fn zeros_before_a_later_record_are_damage() {
        let mut bytes = file(b"base", &[b"one", b"two"]);
        let one = HEADER_LEN + HEAD_LEN + 4;
        // The whole rest of the sector must be zero to look lost, so `two` stands in the next one.
        let filler = vec![1; SECTOR - one - HEAD_LEN];
        bytes.truncate(one);
        bytes.extend(record(one, &filler).unwrap());
        bytes.extend(record(SECTOR, b"two").unwrap());
        assert_eq!(torn_state(&bytes).unwrap().1, 0);
        bytes[one..SECTOR].fill(0);
        assert!(torn_state(&bytes).is_err());
        // Even if that later record is itself unfinished.
        bytes.pop();
        assert!(torn_state(&bytes).is_err());
    }

    #[test]
    fn a_lost_sector_in_the_last_record_is_torn_but_a_flipped_bit_is_not() {
        let big = vec![7; 3 * SECTOR];
        let good = file(b"base", &[&big]);
        let mut lost = good.clone();
        lost[SECTOR..2 * SECTOR].fill(0);
        assert_eq!(torn_state(&lost).unwrap().0, b"base");
        let mut flipped = good.clone();
        flipped[SECTOR + 9] ^= 4;
        assert!(torn_state(&flipped).is_err());
        // Followed by another record, the same loss is damage.
        let mut followed = file(b"base", &[&big, b"next"]);
        followed[SECTOR..2 * SECTOR].fill(0);
        assert!(torn_state(&followed).is_err());
    }

    #[test]
    fn lost_sectors_of_the_last_record_are_torn_wherever_it_begins() {
        let payload = [7; 600];
        for filler in 0..SECTOR {
            let before = file(&vec![1; filler], &[]);
            let whole = file(&vec![1; filler], &[&payload]);
            let first = before.len() / SECTOR;
            let sectors = whole.len().div_ceil(SECTOR) - first;
            for lost in 1..1 << sectors {
                let mut bytes = whole.clone();
                for i in (0..sectors).filter(|i| lost & (1 << i) != 0) {
                    let from = ((first + i) * SECTOR).max(before.len());
                    bytes[from..((first + i + 1) * SECTOR).min(whole.len())].fill(0);
                }
                let log = read_log(&bytes).unwrap();
                assert_eq!(log.end, before.len(), "filler {filler}, lost sectors {lost:b}");
            }
        }
    }

    #[test]
    fn the_base_is_never_torn() {
        let big = vec![7; 3 * SECTOR];
        let mut lost = file(&big, &[]);
        lost[SECTOR..2 * SECTOR].fill(0);
        assert!(torn_state(&lost).is_err());
        let whole = file(&big, &[]);
        for len in 0..whole.len() {
            assert!(torn_state(&whole[..len]).is_err(), "cut to {len} bytes");
        }
    }

    #[test]
    fn a_record_is_good_only_in_its_place() {
        let mut bytes = file(b"base", &[b"one", b"two"]);
        let at = HEADER_LEN + HEAD_LEN + 4;
        let len = HEAD_LEN + 3;
        let one = bytes[at..at + len].to_vec();
        bytes[at + len..].copy_from_slice(&one);
        assert!(torn_state(&bytes).is_err());
    }

    #[test]
    fn another_version_is_named() {
        let mut bytes = file(b"base", &[]);
        bytes[8] = 9;
        assert_eq!(read_log(&bytes).err(), Some(FormatError::UnknownVersion(9)));
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn a_record_beyond_the_length_field_is_refused() {
        assert!(record_len(MAX_RECORD).is_ok());
        let error = record_len(MAX_RECORD + 1).unwrap_err();
        assert!(matches!(error, PersistError::TooLong { len: 0x1_0000_0000, .. }), "{error}");
    }
}
