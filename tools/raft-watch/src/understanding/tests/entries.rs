//! Entries of a log.

use super::*;

messages! {
    Odd { epoch: u64, what: Vec<u8> }
    OddTurned { what: Vec<u8>, epoch: u64 }
    Placed { index: u64, what: Vec<u8> }
    Three { term: u64, one: Vec<u8>, two: Vec<u8> }
    Named { index: u64, term: u64, command: u16 }
}

/// Terms and commands of entries, as they are encoded; or why they cannot be read.
fn entries<T: Gob>(list: &Vec<T>) -> Result<Vec<(u64, Vec<u8>)>, &'static str> {
    let list = encoded(list);
    let plan = EntryPlan::of(list.shape)?;
    let entries = Entries::Encoded(list.value.expect("it is there"), Arc::new(plan));
    assert_eq!(entries.are_none(), entries.read().is_empty());
    Ok(entries.read().iter().map(|(entry, _)| (entry.term, entry.command.bytes.to_vec())).collect())
}

/// A value's encoding as a part of another one.
fn bare<T: Gob>(value: &T) -> Vec<u8> {
    encoded(value).value.expect("it is there").bytes().to_vec()
}

#[test]
fn entries_are_read_by_names_and_else_by_their_places() {
    let what = vec![7, 8];
    let of_4 = Ok(vec![(4, bare(&what))]);
    assert_eq!(entries(&vec![Odd { epoch: 4, what: what.clone() }]), of_4);
    assert_eq!(entries(&vec![OddTurned { epoch: 4, what: what.clone() }]), of_4);
    assert_eq!(entries(&vec![(4u64, what.clone())]), of_4);
    assert_eq!(entries(&vec![(what.clone(), 4u64)]), of_4);
    let named = Named { index: 9, term: 4, command: 5 };
    assert_eq!(entries(&vec![named]), Ok(vec![(4, bare(&5u16))]));
    // An index is no term.
    assert_eq!(entries(&vec![Placed { index: 4, what: what.clone() }]), Err("they have no term"));
    assert_eq!(entries(&vec![what.clone()]), Err("they have no term"));
    // Which of several fields is the command, nobody knows: all of the entry then.
    let three = Three { term: 4, one: what.clone(), two: what };
    assert_eq!(entries(&vec![three.clone()]), Ok(vec![(4, bare(&three))]));
    assert!(!EntryPlan::of(encoded(&vec![three]).shape).is_ok_and(|plan| plan.has_command));
}

#[test]
fn what_is_the_same_in_two_messages_is_the_encoding_of_their_entries() {
    fn of(commands: &[u16]) -> Vec<Named> {
        (1..).zip(commands).map(|(index, &command)| Named { index, term: 4, command }).collect()
    }
    let read = |commands: &[u16]| {
        let list = encoded(&of(commands));
        let plan = EntryPlan::of(list.shape).expect("they can be read");
        Entries::Encoded(list.value.expect("it is there"), Arc::new(plan)).encoded()
    };
    assert_eq!(read(&[]), None);
    for commands in [&[5][..], &[5, 6, 300], &[5; 300]] {
        let each: Vec<u8> = of(commands).iter().flat_map(bare).collect();
        assert_eq!(read(commands), Some(&each[..]), "{} entries", commands.len());
    }
}
