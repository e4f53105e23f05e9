//! Single operations of the disk that fail while the process lives on.

use std::io::ErrorKind;
use std::path::Path;

use crate::crash_tests::{
    allowed, check_restart, content, history, open, ops_of_script, run, script,
};
use crate::sim_disk::{DIR, Fault, SimDisk};
use crate::{PersistError, Persister};

/// Fails each operation of the script in turn. The write in flight must fail, reads must give the
/// last acknowledged content, later writes must be refused, and a restart must find the content
/// before or after that write.
fn fail_each_operation(kind: ErrorKind, words: &str) {
    let script = script();
    let history = history(&script);
    let mut failed = 0;
    for at in 0.. {
        let disk = SimDisk::default().restarted(Some(Fault::Fail(at, kind)));
        let context = format!("{kind:?} at operation {at}");
        let Ok(persister) = open(&disk) else {
            check_restart(&disk, &history[..1], &context);
            continue;
        };
        let mut error = None;
        let mut done = 0;
        while done < script.len() && error.is_none() {
            error = script[done].apply(&persister).err();
            done += usize::from(error.is_none());
        }
        assert_eq!(content(&persister), history[done], "{context}");
        if let Some(error) = error {
            failed += 1;
            assert!(error.to_string().contains(words), "{context}: {error}");
            assert!(matches!(&error, PersistError::Io { source, .. } if source.kind() == kind));
            for write in &script {
                let refused = write.apply(&persister).unwrap_err();
                assert!(
                    matches!(&refused, PersistError::Refused { first, .. }
                    if *first == error.to_string()),
                    "{context}: {refused}"
                );
            }
            assert_eq!(content(&persister), history[done], "{context}, after refusals");
        } else if disk.ops().len() <= at {
            break;
        }
        drop(persister);
        check_restart(&disk, allowed(&history, Some(done)), &context);
        for cut in disk.power_cuts() {
            check_restart(&cut, allowed(&history, Some(done)), &format!("{context}, power cut"));
        }
    }
    assert!(failed > script.len(), "only {failed} failures");
}

#[test]
fn a_full_disk_costs_nothing_that_was_acknowledged() {
    fail_each_operation(ErrorKind::StorageFull, "free some space");
}

#[test]
fn a_failing_disk_costs_nothing_that_was_acknowledged() {
    fail_each_operation(ErrorKind::Other, "look for disk errors");
}

/// The unfinished write of a killed process is still on its way to the disk when the next open
/// fails, and perhaps lost with it. The open after that must not rely on it.
#[test]
fn a_failed_open_does_no_harm() {
    let script = script();
    let history = history(&script);
    for at in 0..ops_of_script(&script) {
        let killed = SimDisk::default().restarted(Some(Fault::Cut(at)));
        let allowed = allowed(&history, run(&killed, &script));
        for failing in 0.. {
            assert!(failing < 50, "an open has fewer operations than that");
            let disk = killed.restarted(Some(Fault::Fail(failing, ErrorKind::Other)));
            let opened = open(&disk).is_ok();
            let context = format!("killed before {at}, then a failure of {failing} in the open");
            check_restart(&disk, allowed, &context);
            if opened && disk.ops().len() <= failing {
                break;
            }
        }
    }
}

/// When an open of this disk does that.
fn operation_of_open(disk: &SimDisk, what: &str) -> usize {
    let disk = disk.restarted(None);
    open(&disk).unwrap();
    let found = disk.ops().iter().position(|op| op == what);
    found.unwrap_or_else(|| panic!("no `{what}` in {:?}", disk.ops()))
}

#[test]
fn a_parent_that_cannot_be_synced_is_found_out_by_the_open() {
    let disk = SimDisk::default();
    let parent = operation_of_open(&disk, "sync /data");
    for (kind, remedy) in [
        (ErrorKind::PermissionDenied, "must be able to read it"),
        (ErrorKind::Other, "look for disk errors"),
    ] {
        let error = open(&disk.restarted(Some(Fault::Fail(parent, kind)))).unwrap_err();
        assert_eq!(error.path(), Some(Path::new("/data")));
        let words = error.to_string();
        assert!(words.contains("cannot sync /data, ") && words.contains(DIR), "{words}");
        assert!(words.contains(remedy), "{words}");
    }
}

/// Servers often live in directories that only an administrator may read, and that he made.
#[test]
fn a_directory_far_up_need_not_be_readable_but_must_not_fail_otherwise() {
    let disk = SimDisk::default();
    let root = operation_of_open(&disk, "sync /");
    let unreadable = disk.restarted(Some(Fault::Fail(root, ErrorKind::PermissionDenied)));
    open(&unreadable).unwrap().append_raft_state(b"+").unwrap();
    let broken = disk.restarted(Some(Fault::Fail(root, ErrorKind::Other)));
    assert!(matches!(open(&broken), Err(PersistError::Above { .. })));
}

#[test]
fn a_disk_that_forbids_writing_is_found_out_by_the_open() {
    let disk = SimDisk::default();
    open(&disk).unwrap().append_raft_state(b"kept").unwrap();
    let first_write = operation_of_open(&disk, "create raft-state.tmp");
    for kind in [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem] {
        let disk = disk.restarted(Some(Fault::Fail(first_write, kind)));
        let error = open(&disk).unwrap_err();
        assert!(error.to_string().contains("must be able to write"), "{error}");
        assert_eq!(content(&open(&disk.restarted(None)).unwrap()).0, b"kept");
    }
}

#[test]
fn an_old_snapshot_that_cannot_be_removed_goes_at_the_next_open() {
    let disk = SimDisk::default();
    let persister = open(&disk).unwrap();
    persister.save_state_and_snapshot(b"1", b"one").unwrap();
    persister.save_state_and_snapshot(b"2", b"two").unwrap();
    let removal = disk.ops().len() - 1;
    assert!(disk.ops()[removal].starts_with("remove snapshot-"));

    let disk = SimDisk::default().restarted(Some(Fault::Fail(removal, ErrorKind::Other)));
    let persister = open(&disk).unwrap();
    persister.save_state_and_snapshot(b"1", b"one").unwrap();
    persister.save_state_and_snapshot(b"2", b"two").unwrap();
    persister.append_raft_state(b"+").unwrap();
    let snapshots = |disk: &SimDisk| {
        use crate::disk::Disk;
        disk.list().unwrap().into_iter().filter(|name| name.starts_with("snapshot-")).count()
    };
    assert_eq!(snapshots(&disk), 2);
    drop(persister);
    assert_eq!(content(&open(&disk).unwrap()), (b"2+".to_vec(), b"two".to_vec()));
    assert_eq!(snapshots(&disk), 1);
}

/// The save has taken the room that the next open needs.
#[test]
fn what_a_failed_save_has_left_goes_before_the_next_open_writes() {
    let disk = SimDisk::default();
    open(&disk).unwrap().save_state_and_snapshot(b"1", b"one").unwrap();
    let saved = disk.restarted(None);
    let persister = open(&saved).unwrap();
    let opened = saved.ops().len();
    persister.save_state_and_snapshot(b"2", b"two").unwrap();
    let writes: Vec<usize> =
        (opened..saved.ops().len()).filter(|at| saved.ops()[*at].starts_with("write")).collect();
    assert_eq!(writes.len(), 2, "of the snapshot and of the state");
    for at in writes {
        let disk = disk.restarted(Some(Fault::Fail(at, ErrorKind::StorageFull)));
        open(&disk).unwrap().save_state_and_snapshot(b"2", b"two").unwrap_err();
        let disk = disk.restarted(None);
        assert_eq!(content(&open(&disk).unwrap()), (b"1".to_vec(), b"one".to_vec()));
        let when = |what: &str| disk.ops().iter().position(|op| op == what).expect(what);
        assert!(when("remove snapshot-0000000000000002") < when("create raft-state.tmp"));
    }
}
