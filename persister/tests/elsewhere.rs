//! A persister's directory stays the one that it was opened with, whatever its path leads to later. In a program
//! of their own, since a program has one working directory.
#![cfg(unix)]

use persister::{FilePersister, PersistError, Persister};

#[test]
fn a_relative_path_is_where_it_was_at_first() {
    let temporary = tempfile::tempdir().expect("a directory");
    let [first, then] = ["first", "then"].map(|name| temporary.path().join(name));
    for dir in [&first, &then] {
        std::fs::create_dir(dir).expect("it is new");
    }
    std::env::set_current_dir(&first).expect("it is there");
    let own = FilePersister::open("server").expect("it is free");
    own.save_raft_state(b"term 1").expect("it can be written");
    std::env::set_current_dir(&then).expect("it is there");
    let other = FilePersister::open("server").expect("another one");
    other.save_raft_state(b"another one's").expect("it can be written");
    own.save_raft_state(b"term 2").expect("it can be written");
    assert_eq!(other.read_raft_state().expect("it is there"), b"another one's");
    drop((own, other));
    for (dir, saved) in [(first, &b"term 2"[..]), (then, b"another one's")] {
        let again = FilePersister::open(dir.join("server")).expect("it is free");
        assert_eq!(again.read_raft_state().expect("it is there"), saved);
    }
}

#[test]
fn a_link_may_lead_elsewhere_later() {
    let temporary = tempfile::tempdir().expect("a directory");
    let [first, then, link] = ["a", "b", "link"].map(|name| temporary.path().join(name));
    for dir in [&first, &then] {
        std::fs::create_dir(dir).expect("it is new");
    }
    std::os::unix::fs::symlink(&first, &link).expect("a link");
    let own = FilePersister::open(&link).expect("it is free");
    std::fs::remove_file(&link).expect("it is there");
    std::os::unix::fs::symlink(&then, &link).expect("a link");
    own.save_raft_state(b"term 1").expect("it can be written");
    drop(own);
    let again = FilePersister::open(first).expect("it is free");
    assert_eq!(again.read_raft_state().expect("it is there"), b"term 1");
    assert_eq!(std::fs::read_dir(then).expect("it is there").count(), 0);
}

/// Whoever moves the data of a server away and starts another one may have forgotten to stop the first.
#[test]
fn a_directory_that_is_moved_keeps_its_owner_and_another_one_in_its_place_has_its_own() {
    let temporary = tempfile::tempdir().expect("a directory");
    let [dir, moved] = ["server", "moved"].map(|name| temporary.path().join(name));
    let content = |of: &FilePersister| {
        let state = of.read_raft_state().expect("it is there");
        (state, of.read_snapshot().expect("it is there"))
    };
    let pair =
        |state: &str, snapshot: &str| (state.as_bytes().to_vec(), snapshot.as_bytes().to_vec());

    let first = FilePersister::open(&dir).expect("it is free");
    first.save_state_and_snapshot(b"one", b"snapshot").expect("it can be written");
    std::fs::rename(&dir, &moved).expect("it can be moved");
    let error = FilePersister::open(&moved).expect_err("the first one still has it");
    assert!(matches!(error, PersistError::Locked { .. }), "{error}");

    let second = FilePersister::open(&dir).expect("a new one");
    assert_eq!(content(&second), pair("", ""));
    second.save_state_and_snapshot(b"two", b"of the second").expect("it can be written");
    // All that a persister does with names, in both by turns.
    first.append_raft_state(b"+").expect("it can be written");
    first.save_raft_state(b"three").expect("it can be written");
    first.save_state_and_snapshot(b"four", b"of the first").expect("it can be written");
    second.append_raft_state(b"+").expect("it can be written");
    first.save_state_and_snapshot(b"five", b"of the first").expect("it can be written");
    for _ in 0..2 {
        assert_eq!(content(&first), pair("five", "of the first"));
        assert_eq!(content(&second), pair("two+", "of the second"));
    }
    drop((first, second));
    let again = |dir| content(&FilePersister::open(dir).expect("it is free"));
    assert_eq!(again(&moved), pair("five", "of the first"));
    assert_eq!(again(&dir), pair("two+", "of the second"));
    // Nothing lies in the wrong one.
    for dir in [&dir, &moved] {
        assert_eq!(std::fs::read_dir(dir).expect("it is there").count(), 2);
    }
}

/// What is saved must not come into a directory that somebody has made anew.
#[test]
fn a_directory_that_is_removed_takes_no_more_and_leaves_a_new_one_alone() {
    let temporary = tempfile::tempdir().expect("a directory");
    let dir = temporary.path().join("server");
    let own = FilePersister::open(&dir).expect("it is free");
    own.save_raft_state(b"one").expect("it can be written");
    std::fs::remove_dir_all(&dir).expect("it can be removed");
    std::fs::create_dir(&dir).expect("it is gone");
    let error = own.save_raft_state(b"two").expect_err("it has no place");
    assert!(matches!(error, PersistError::Io { action: "create", .. }), "{error}");
    assert_eq!(own.read_raft_state().expect("it is open"), b"one");
    assert_eq!(std::fs::read_dir(&dir).expect("it is there").count(), 0);
}
