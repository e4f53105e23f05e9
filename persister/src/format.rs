//! The bytes of the state file: pure functions, no files. The table is in the crate's docs.
//!
//! The one hard question here is [`could_be_torn`]: is a bad tail the trace of a crash, which may
//! be dropped, or damage, which must be reported?

use std::borrow::Cow;
use std::path::PathBuf;

use crate::PersistError;

/// The first bytes of each state file.
const MAGIC: &[u8; 8] = b"RAFTSAVE";
/// The version of the format that is written.
const VERSION: u32 = 2;
/// The oldest that is read. Its records had no [marks](MARK), so that a record with zeros of its own could be taken
/// for one that lost a sector.
const OLDEST_VERSION: u32 = 1;
/// Bytes before the first record.
pub(crate) const HEADER_LEN: usize = 44;
/// Bytes of a record before its payload, without marks.
const HEAD_LEN: usize = 12;
/// The longest payload of one record, in bytes.
pub(crate) const MAX_RECORD: usize = u32::MAX as usize;
/// What a disk writes as a whole or not at all, in bytes.
const SECTOR: usize = 512;
/// The first byte that a record has in each sector, so that no sector in which a record was written holds only zeros.
/// As far from a zero as a byte can be: a few flipped bits do not make it one.
const MARK: u8 = 0xff;

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
    form: Form,
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
            FormatError::UnknownVersion(found) => PersistError::UnknownVersion {
                path,
                found,
                oldest: OLDEST_VERSION,
                newest: VERSION,
            },
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

    /// The header, and the form of the records behind it.
    fn decode(bytes: &[u8]) -> Result<(Header, Form), FormatError> {
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
        // Before the version: each version has its checksum here, so that a damaged one is not taken for another.
        let (stored, actual) = (u32_at(bytes, 40), crc32fast::hash(&bytes[..40]));
        if stored != actual {
            let expected = format!("a header with checksum {stored:08x}");
            return damaged(0, expected, format!("checksum {actual:08x}"));
        }
        let form = match u32_at(bytes, 8) {
            OLDEST_VERSION => Form::Plain,
            VERSION => Form::Marked,
            version => return Err(FormatError::UnknownVersion(version)),
        };
        let header = Header {
            generation: u64_at(bytes, 12),
            snapshot_len: u64_at(bytes, 20),
            snapshot_crc: u32_at(bytes, 28),
            base_len: u64_at(bytes, 32),
        };
        Ok((header, form))
    }
}

/// How a record, head and payload, lies in the file.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    /// As it is. Version 1.
    Plain,
    /// With a [`MARK`] before its first byte, and at the start of each further sector that it comes to.
    Marked,
}

impl Form {
    /// Where so many bytes end of a record that begins at an offset; none if no file can be so long.
    fn end(self, at: usize, len: usize) -> Option<usize> {
        let marks = match self {
            Form::Plain => 0,
            // In the sector that it begins in, it has what is left but for the mark.
            Form::Marked => 1 + len.saturating_sub(SECTOR - 1 - at % SECTOR).div_ceil(SECTOR - 1),
        };
        at.checked_add(marks)?.checked_add(len)
    }

    /// The first bytes of a record that begins at an offset, without the marks; none if the file is too short.
    /// The error is where a mark is missing.
    fn read(self, bytes: &[u8], at: usize, len: usize) -> Option<Result<Cow<'_, [u8]>, usize>> {
        let stored = bytes.get(at..self.end(at, len)?)?;
        Some(match self {
            Form::Plain => Ok(stored.into()),
            Form::Marked => without_marks(stored, at),
        })
    }
}

/// Bytes of a record that is to begin at an offset, with marks.
fn with_marks(at: usize, mut plain: &[u8]) -> Vec<u8> {
    let mut stored = Vec::with_capacity(plain.len() + plain.len() / (SECTOR - 1) + 2);
    while !plain.is_empty() {
        let room = SECTOR - 1 - (at + stored.len()) % SECTOR;
        let (here, further) = plain.split_at(room.min(plain.len()));
        stored.push(MARK);
        stored.extend_from_slice(here);
        plain = further;
    }
    stored
}

/// The way back. The error is where a mark is missing.
fn without_marks(stored: &[u8], at: usize) -> Result<Cow<'_, [u8]>, usize> {
    let mut plain = Cow::Borrowed(&[][..]);
    let mut from = 0;
    while from < stored.len() {
        if stored[from] != MARK {
            return Err(at + from);
        }
        let to = (from + SECTOR - (at + from) % SECTOR).min(stored.len());
        let here = &stored[from + 1..to];
        if plain.is_empty() {
            // What lies in one sector only need not be copied.
            plain = here.into();
        } else {
            plain.to_mut().extend_from_slice(here);
        }
        from = to;
    }
    Ok(plain)
}

/// What stands before a payload.
struct Head {
    len: usize,
    body_crc: u32,
}

impl Head {
    /// The head at an offset; none if its checksum or a mark is wrong or the file ends too early.
    fn at(form: Form, bytes: &[u8], at: usize) -> Option<Head> {
        let head = form.read(bytes, at, HEAD_LEN)?.ok()?;
        let (len, body_crc, head_crc) = (u32_at(&head, 0), u32_at(&head, 4), u32_at(&head, 8));
        (head_crc == checksum(at, len, body_crc)).then_some(Head { len: len as usize, body_crc })
    }

    /// How long the record is, without marks; none if no file can be so long.
    fn whole_len(&self) -> Option<usize> {
        HEAD_LEN.checked_add(self.len)
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
    Ok(with_marks(at, &plain_record(at, payload)?))
}

fn plain_record(at: usize, payload: &[u8]) -> Result<Vec<u8>, PersistError> {
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
    let (header, form) = Header::decode(bytes)?;
    let base_end = (HEADER_LEN as u64).saturating_add(header.base_len);
    if base_end > bytes.len() as u64 {
        let expected = format!("at least {base_end} bytes, as the header says");
        let found = "the end of the file".into();
        return Err(FormatError::Damaged { offset: bytes.len(), expected, found });
    }
    let mut log = Log { header, form, state: Vec::new(), end: HEADER_LEN, torn: 0 };
    while log.end < bytes.len() {
        match payload_at(form, bytes, log.end) {
            Ok((payload, end)) => {
                log.state.extend_from_slice(&payload);
                log.end = end;
            }
            Err(_) if log.end as u64 >= base_end && could_be_torn(form, bytes, log.end) => {
                log.torn = bytes.len() - log.end;
                break;
            }
            Err(damage) => return Err(damage),
        }
    }
    Ok(log)
}

impl Log {
    /// The good records of this log, which was read from these bytes, as they are written now.
    pub(crate) fn records<'a>(&self, bytes: &'a [u8]) -> Result<Cow<'a, [u8]>, PersistError> {
        if self.form == Form::Marked {
            return Ok(bytes[HEADER_LEN..self.end].into());
        }
        let mut records = Vec::new();
        let mut at = HEADER_LEN;
        while at < self.end {
            let (payload, end) = payload_at(self.form, bytes, at).expect("it was read before");
            records.extend(record(HEADER_LEN + records.len(), &payload)?);
            at = end;
        }
        Ok(records.into())
    }
}

/// The payload of the record at an offset, and where it ends.
fn payload_at(form: Form, bytes: &[u8], at: usize) -> Result<(Cow<'_, [u8]>, usize), FormatError> {
    let damaged = |offset, expected, found| Err(FormatError::Damaged { offset, expected, found });
    let start = form.end(at, HEAD_LEN).unwrap_or(usize::MAX);
    let Some(head) = Head::at(form, bytes, at) else {
        let found = match bytes.len() - at {
            rest if bytes.len() < start => format!("only {rest} more bytes"),
            _ => "a head whose checksum is wrong".into(),
        };
        return damaged(at, format!("the head of a record, {HEAD_LEN} bytes"), found);
    };
    let whole =
        head.whole_len().and_then(|len| Some((form.end(at, len)?, form.read(bytes, at, len)?)));
    let Some((end, whole)) = whole else {
        let found = format!("only {} more bytes", bytes.len() - start);
        return damaged(start, format!("a payload of {} bytes", head.len), found);
    };
    let mut payload = match whole {
        Ok(whole) => whole,
        Err(mark) => {
            let found = format!("{:02x}", bytes[mark]);
            return damaged(mark, format!("the mark of a sector, {MARK:02x}"), found);
        }
    };
    match &mut payload {
        Cow::Borrowed(whole) => *whole = &whole[HEAD_LEN..],
        Cow::Owned(whole) => drop(whole.drain(..HEAD_LEN)),
    }
    let actual = crc32fast::hash(&payload);
    if actual != head.body_crc {
        let expected = format!("{} bytes with checksum {:08x}", head.len, head.body_crc);
        return damaged(start, expected, format!("checksum {actual:08x}"));
    }
    Ok((payload, end))
}

/// Whether the bytes from `at`, which are not a good record, can be what a crash left of one
/// append that was never acknowledged.
///
/// An append is started only after the one before it was synced, so at most one can be unfinished,
/// and nothing can follow it. A power cut leaves a shorter file, or one of full length in which
/// some sectors were never written and read as zeros. A flipped bit looks like neither: where a
/// record was written, no sector holds only zeros, because of its mark.
fn could_be_torn(form: Form, bytes: &[u8], at: usize) -> bool {
    let head_end = form.end(at, HEAD_LEN).unwrap_or(usize::MAX);
    if bytes.len() < head_end {
        return true;
    }
    let second_sector = (at / SECTOR + 1) * SECTOR;
    match Head::at(form, bytes, at) {
        // The head is good, so the sector it begins in was written.
        Some(head) => match head.whole_len().and_then(|len| form.end(at, len)) {
            Some(end) if end < bytes.len() => false,
            Some(end) if end == bytes.len() => has_lost_sector(bytes, second_sector, end),
            _ => true,
        },
        // The head is lost, and with it the record's length: look for signs of a later record.
        None => {
            has_lost_sector(bytes, at, head_end)
                && !(at + 1..bytes.len()).any(|later| Head::at(form, bytes, later).is_some())
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
        file_as(base, appends, |at, payload| record(at, payload).unwrap())
    }

    /// The same as version 1 had it.
    fn old_file(base: &[u8], appends: &[&[u8]]) -> Vec<u8> {
        let plain = |at, payload: &[u8]| plain_record(at, payload).unwrap();
        let mut bytes = file_as(base, appends, plain);
        set_version(&mut bytes, 1);
        bytes
    }

    fn file_as(
        base: &[u8],
        appends: &[&[u8]],
        record: impl Fn(usize, &[u8]) -> Vec<u8>,
    ) -> Vec<u8> {
        let base = record(HEADER_LEN, base);
        let header = Header { base_len: base.len() as u64, ..Header::default() };
        let mut bytes = [header.encode(), base].concat();
        for append in appends {
            let next = record(bytes.len(), append);
            bytes.extend(next);
        }
        bytes
    }

    fn set_version(bytes: &mut [u8], version: u32) {
        bytes[8..12].copy_from_slice(&version.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..40]);
        bytes[40..44].copy_from_slice(&crc.to_le_bytes());
    }

    fn torn_state(bytes: &[u8]) -> Result<(Vec<u8>, usize), FormatError> {
        read_log(bytes).map(|log| (log.state, log.torn))
    }

    #[test]
    fn a_record_has_a_mark_in_each_sector_and_can_be_read_back() {
        let plain: Vec<u8> = (0..1600).map(|i| i as u8).collect();
        for at in SECTOR..2 * SECTOR {
            for len in (1..20).chain(490..530).chain(1000..1040).chain([1600]) {
                let about = format!("{len} bytes at {at}");
                let stored = with_marks(at, &plain[..len]);
                assert_eq!(Form::Marked.end(at, len), Some(at + stored.len()), "{about}");
                assert_eq!(without_marks(&stored, at).unwrap(), &plain[..len], "{about}");
                for (place, byte) in (at..).zip(&stored) {
                    if place == at || place % SECTOR == 0 {
                        assert_eq!(*byte, MARK, "{about}");
                    }
                }
            }
        }
        assert_eq!(Form::Marked.end(usize::MAX - 20, 20), None);
    }

    #[test]
    fn an_all_zero_head_is_not_an_empty_record() {
        let mut bytes = file(b"base", &[]);
        bytes.extend([0; 40]);
        assert_eq!(torn_state(&bytes).unwrap(), (b"base".to_vec(), 40));
    }

    #[test]
    fn zeros_before_a_later_record_are_damage() {
        let mut bytes = file(b"base", &[]);
        let one = bytes.len();
        // The whole rest of the sector must be zero to look lost, so `two` stands in the next one.
        let filler = vec![1; SECTOR - one - 1 - HEAD_LEN];
        bytes.extend(record(one, &filler).unwrap());
        assert_eq!(bytes.len(), SECTOR);
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

    /// What was acknowledged may have zeros of its own where a sector begins or ends.
    #[test]
    fn a_flipped_bit_in_a_record_of_zeros_is_damage_wherever_it_begins() {
        for filler in SECTOR - 80..SECTOR {
            let start = file(&vec![1; filler], &[]).len();
            for zeros in [0, 1, 9, 100, 600] {
                let good = file(&vec![1; filler], &[&vec![0; zeros]]);
                for bit in start * 8..good.len() * 8 {
                    let mut flipped = good.clone();
                    flipped[bit / 8] ^= 1 << (bit % 8);
                    let about = format!("filler {filler}, {zeros} zeros, bit {bit}");
                    match torn_state(&flipped) {
                        Err(FormatError::Damaged { offset, .. }) => {
                            assert!((start..=bit / 8).contains(&offset), "{about}: {offset}");
                        }
                        other => panic!("{about}: {other:?}"),
                    }
                }
            }
        }
    }

    #[test]
    fn lost_sectors_of_the_last_record_are_torn_wherever_it_begins() {
        for payload in [[7; 600], [0; 600]] {
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
        let at = file(b"base", &[]).len();
        let len = file(b"base", &[b"one"]).len() - at;
        let one = bytes[at..at + len].to_vec();
        bytes[at + len..].copy_from_slice(&one);
        assert!(torn_state(&bytes).is_err());
    }

    #[test]
    fn another_version_is_named_and_a_damaged_one_is_not_taken_for_it() {
        let mut bytes = file(b"base", &[]);
        for bit in 0..32 {
            let mut flipped = bytes.clone();
            flipped[8 + bit / 8] ^= 1 << (bit % 8);
            let error = read_log(&flipped).err().unwrap();
            assert!(
                matches!(error, FormatError::Damaged { offset: 0, .. }),
                "bit {bit}: {error:?}"
            );
        }
        for version in [0, 3, 9] {
            set_version(&mut bytes, version);
            assert_eq!(read_log(&bytes).err(), Some(FormatError::UnknownVersion(version)));
        }
    }

    #[test]
    fn the_first_version_is_read_and_its_records_get_marks() {
        let (long, zeros) = ([7; 1000], [0; 600]);
        let appends: [&[u8]; 4] = [b"one", b"", &long, &zeros];
        let (old, new) = (old_file(b"base", &appends), file(b"base", &appends));
        let log = read_log(&old).unwrap();
        assert_eq!((log.end, log.torn), (old.len(), 0));
        assert_eq!(log.state, read_log(&new).unwrap().state);
        assert_eq!(log.records(&old).unwrap(), &new[HEADER_LEN..]);
        assert_eq!(read_log(&new).unwrap().records(&new).unwrap(), &new[HEADER_LEN..]);
        // What a crash left of it is told as it was then.
        let before = old_file(b"base", &appends[..3]);
        let torn = &old[..old.len() - 1];
        let log = read_log(torn).unwrap();
        assert_eq!((log.end, log.torn), (before.len(), torn.len() - before.len()));
        let expected = file(b"base", &appends[..3]);
        assert_eq!(log.records(torn).unwrap(), &expected[HEADER_LEN..]);
        let mut flipped = old.clone();
        flipped[before.len() - 1] ^= 1;
        assert!(read_log(&flipped).is_err());
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn a_record_beyond_the_length_field_is_refused() {
        assert!(record_len(MAX_RECORD).is_ok());
        let error = record_len(MAX_RECORD + 1).unwrap_err();
        assert!(matches!(error, PersistError::TooLong { len: 0x1_0000_0000, .. }), "{error}");
    }
}
