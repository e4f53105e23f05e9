//! A persister's directory stays the one that it was opened with, whatever its path leads to later. In a program
//! of their own, since a program has one working directory.
#![cfg(unix)]

use persister::{FilePersister, Persister};

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
