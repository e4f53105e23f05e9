//! Structs whose serde code leaves fields out, adds some, or makes others of them.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use labgob::serde::de::{Deserializer, Error as _, IgnoredAny, SeqAccess, Visitor};
use labgob::serde::ser::{Error as _, SerializeSeq, SerializeStruct, Serializer};
use labgob::{DecodeErrorKind, Deserialize, Gob, Serialize, decode, encode, try_encode};

/// A `Note { term: u64, text: String }` with the given bodies of `serialize` and `deserialize`.
macro_rules! note {
    ($module:ident, $ser:expr, $de:expr) => {
        mod $module {
            use super::*;

            #[derive(Gob, Debug, Clone, PartialEq)]
            pub struct Note {
                pub term: u64,
                pub text: String,
            }

            pub fn note() -> Note {
                Note { term: 7, text: "x".into() }
            }

            impl Serialize for Note {
                fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                    let write: fn(&Note, S) -> Result<S::Ok, S::Error> = $ser;
                    write(self, s)
                }
            }

            impl<'de> Deserialize<'de> for Note {
                fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Note, D::Error> {
                    let read: fn(D) -> Result<Note, D::Error> = $de;
                    read(d)
                }
            }
        }
    };
}

const OWNER: &str = "cannot encode `Note { term: u64, text: String }`: ";

struct Fields(&'static [&'static str]);

impl<'de> Visitor<'de> for Fields {
    type Value = (u64, String);

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the fields of a note")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(u64, String), A::Error> {
        let mut value = (0, String::new());
        for field in self.0 {
            let missing = || A::Error::custom("too few fields");
            match *field {
                "term" => value.0 = seq.next_element()?.ok_or_else(missing)?,
                "text" => value.1 = seq.next_element()?.ok_or_else(missing)?,
                _ => drop(seq.next_element::<IgnoredAny>()?),
            }
        }
        Ok(value)
    }
}

/// What serde derives.
macro_rules! right {
    (ser) => {
        |note, s| {
            let mut s = s.serialize_struct("Note", 2)?;
            s.serialize_field("term", &note.term)?;
            s.serialize_field("text", &note.text)?;
            s.end()
        }
    };
    (de) => {
        |d| {
            let names = &["term", "text"];
            let (term, text) = d.deserialize_struct("Note", names, Fields(names))?;
            Ok(Note { term, text })
        }
    };
}

#[track_caller]
fn fails<T: Gob>(value: &T, text: &str) {
    // Not only the first time.
    for _ in 0..3 {
        assert_eq!(try_encode(value).unwrap_err().to_string(), format!("{OWNER}{text}"));
    }
}

note!(fine, right!(ser), right!(de));

#[test]
fn right_code_passes() {
    assert_eq!(decode::<fine::Note>(&encode(&fine::note())).unwrap(), fine::note());
}

note!(
    leaves_out,
    |note, s| {
        let mut s = s.serialize_struct("Note", 1)?;
        s.serialize_field("term", &note.term)?;
        s.end()
    },
    right!(de)
);

#[test]
fn serialize_leaves_out_the_last_field() {
    fails(&leaves_out::note(), "Serialize does not write field `text` of `Note`");
}

#[test]
#[should_panic(expected = "Serialize does not write field `text` of `Note`")]
fn encode_panics() {
    encode(&leaves_out::note());
}

note!(
    leaves_out_first,
    |note, s| {
        let mut s = s.serialize_struct("Note", 1)?;
        s.serialize_field("text", &note.text)?;
        s.end()
    },
    right!(de)
);

#[test]
fn serialize_leaves_out_the_first_field() {
    fails(&leaves_out_first::note(), "Serialize does not write field `term` of `Note`");
}

// What serde derives for `skip_serializing_if`, found at every use, not only the first.
note!(
    skips,
    |note, s| {
        let mut s = s.serialize_struct("Note", 2)?;
        s.serialize_field("term", &note.term)?;
        if note.text.is_empty() {
            s.skip_field("text")?;
        } else {
            s.serialize_field("text", &note.text)?;
        }
        s.end()
    },
    right!(de)
);

#[test]
fn serialize_skips_a_field_sometimes() {
    for _ in 0..200 {
        encode(&skips::note());
    }
    fails(
        &skips::Note { term: 7, text: String::new() },
        "field `text`: Serialize skips `text`, so it would not arrive: make it an `Option`",
    );
}

note!(
    promises,
    |note, s| {
        let mut s = s.serialize_seq(Some(3))?;
        s.serialize_element(&note.term)?;
        s.end()
    },
    right!(de)
);

#[test]
fn serialize_writes_fewer_parts_than_it_says() {
    fails(
        &promises::note(),
        "Serialize treats the value as a list, but the type is declared as Note",
    );
}

note!(
    misnames,
    |note, s| {
        let mut s = s.serialize_struct("Note", 2)?;
        s.serialize_field("term", &note.term)?;
        s.serialize_field("comment", &note.text)?;
        s.end()
    },
    right!(de)
);

#[test]
fn serialize_writes_an_undeclared_field() {
    fails(
        &misnames::note(),
        "Serialize writes field `comment`, not among the declared fields of `Note`",
    );
}

note!(
    other_type,
    |note, s| {
        let mut s = s.serialize_struct("Note", 2)?;
        s.serialize_field("term", &(note.term as u32))?;
        s.serialize_field("text", &note.text)?;
        s.end()
    },
    right!(de)
);

#[test]
fn serialize_writes_another_type() {
    fails(
        &other_type::note(),
        "field `term`: Serialize treats the value as u32, but the type is declared as u64",
    );
}

// What serde derives for `skip_deserializing` and `default`.
note!(right_ser_wrong_names, right!(ser), |d| {
    let names = &["term"];
    let (term, text) = d.deserialize_struct("Note", names, Fields(names))?;
    Ok(Note { term, text })
});

#[test]
fn deserialize_leaves_out_a_field() {
    fails(&right_ser_wrong_names::note(), "Deserialize does not read field `text` of `Note`");
}

#[test]
fn deserialize_leaves_out_a_field_in_a_program_that_only_decodes() {
    let mut bytes = encode(&fine::note());
    assert_eq!(<fine::Note as Gob>::fingerprint(), <only_decodes::Note as Gob>::fingerprint());
    let error = decode::<only_decodes::Note>(&bytes).unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::Shape);
    assert_eq!(
        error.to_string(),
        "cannot decode as `Note { term: u64, text: String }`: \
         Deserialize does not read field `text` of `Note` (byte 5)"
    );
    bytes.clear();
}

note!(only_decodes, right!(ser), |d| {
    let names = &["term"];
    let (term, text) = d.deserialize_struct("Note", names, Fields(names))?;
    Ok(Note { term, text })
});

note!(forgets, right!(ser), |d| {
    let names = &["term", "text"];
    let (term, _) = d.deserialize_struct("Note", names, Fields(names))?;
    Ok(Note { term, text: String::new() })
});

#[test]
fn deserialize_reads_a_field_and_drops_it() {
    fails(&forgets::note(), "field `text`: the decoded value differs from the encoded one");
}

note!(asks, right!(ser), |d| {
    let names = &["term", "text"];
    let (term, text) = d.deserialize_struct("Note", names, Fields(&["term", "?"]))?;
    Ok(Note { term, text })
});

#[test]
fn deserialize_asks_for_what_the_bytes_do_not_say() {
    fails(
        &asks::note(),
        "field `text`: Deserialize asks what comes next, which these bytes do not say: \
         it must ask for a type",
    );
}

static CALLS: AtomicU32 = AtomicU32::new(0);

// As a map without an order does.
note!(
    wavers,
    |note, s| {
        let mut s = s.serialize_struct("Note", 2)?;
        let call = CALLS.fetch_add(1, Relaxed);
        s.serialize_field("term", &(u64::from(call)))?;
        s.serialize_field("text", &note.text)?;
        s.end()
    },
    right!(de)
);

#[test]
fn serialize_writes_something_else_each_time() {
    fails(
        &wavers::note(),
        "field `term`: Serialize writes different bytes each time: \
         is there a map without an order?",
    );
}

note!(refuses, |_, _| Err(S::Error::custom("notes are secret")), right!(de));

#[test]
fn serialize_refuses_a_value() {
    fails(&refuses::note(), "notes are secret");
}

// The first message has an empty list, which shows nothing of its elements.
#[derive(Serialize, Deserialize, Gob, Debug)]
#[serde(crate = "labgob::serde")]
struct Notes {
    list: Vec<leaves_out::Note>,
    more: Option<u8>,
}

#[test]
fn elements_are_checked_when_there_are_some() {
    for _ in 0..10 {
        encode(&Notes { list: vec![], more: Some(1) });
    }
    let error = try_encode(&Notes { list: vec![leaves_out::note()], more: None }).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot encode `Notes { list: Vec<Note>, more: Option<u8> }`: field `list[0]`: \
         Serialize does not write field `text` of `Note`"
    );
    assert_eq!(error.field(), Some("list[0]"));
}

// A type of the same name and shape as one that has been checked is checked all the same.
#[test]
fn equal_fingerprints_are_not_equal_types() {
    encode(&fine::note());
    assert!(try_encode(&leaves_out::note()).is_err());
}
