//! The directory of a `FilePersister`: who may open it, what is in it, what is left behind.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use persister::{FilePersister, PersistError, Persister};
use tempfile::TempDir;

/// Every file in a directory with its bytes.
fn listing(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(dir)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
        })
        .collect()
}

fn names(dir: &Path) -> Vec<String> {
    listing(dir).into_keys().collect()
}

#[test]
fn the_content_survives_a_restart() {
    let dir = TempDir::new().unwrap();
    for i in 0..4_u8 {
        let disk = FilePersister::open(dir.path()).unwrap();
        assert_eq!(disk.recovered(), 0);
        assert_eq!(disk.read_raft_state().unwrap(), vec![b'+'; usize::from(i)]);
        assert_eq!(disk.raft_state_size(), usize::from(i));
        disk.append_raft_state(b"+").unwrap();
    }
    let disk = FilePersister::open(dir.path()).unwrap();
    disk.save_state_and_snapshot(b"state", b"snapshot").unwrap();
    drop(disk);
    let disk = FilePersister::open(dir.path()).unwrap();
    assert_eq!(disk.read_snapshot().unwrap(), b"snapshot");
    assert_eq!((disk.raft_state_size(), disk.snapshot_size()), (5, 8));
    assert_eq!(disk.dir(), dir.path());
}

#[test]
fn a_second_opener_is_refused_until_the_first_is_gone() {
    let dir = TempDir::new().unwrap();
    let first = FilePersister::open(dir.path()).unwrap();
    let error = FilePersister::open(dir.path()).unwrap_err();
    assert!(matches!(&error, PersistError::Locked { path } if path == dir.path()), "{error}");
    assert!(error.to_string().contains("in use by another persister"), "{error}");
    // Another way to write the same path.
    let error = FilePersister::open(dir.path().join(".")).unwrap_err();
    assert!(matches!(error, PersistError::Locked { .. }), "{error}");
    first.append_raft_state(b"still works").unwrap();
    drop(first);
    let next = FilePersister::open(dir.path()).unwrap();
    assert_eq!(next.read_raft_state().unwrap(), b"still works");
}

/// Runs this test binary once more, as another process that tries to open the directory.
#[test]
fn another_process_is_refused() {
    const DIR: &str = "PERSISTER_TEST_DIR";
    if let Some(dir) = std::env::var_os(DIR) {
        let error = FilePersister::open(dir).unwrap_err();
        assert!(matches!(error, PersistError::Locked { .. }), "{error}");
        return;
    }
    let dir = TempDir::new().unwrap();
    let disk = FilePersister::open(dir.path()).unwrap();
    let other = || {
        std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "another_process_is_refused"])
            .env(DIR, dir.path())
            .output()
            .unwrap()
            .status
            .success()
    };
    assert!(other(), "the other process was not refused");
    drop(disk);
    assert!(!other(), "the other process was refused although nobody had the directory open");
}

#[test]
fn a_missing_directory_is_created_but_not_its_parent() {
    let dir = TempDir::new().unwrap();
    drop(FilePersister::open(dir.path().join("new")).unwrap());
    assert_eq!(names(&dir.path().join("new")), ["raft-state"]);

    let missing = dir.path().join("not/here");
    let error = FilePersister::open(&missing).unwrap_err();
    assert_eq!(error.path(), Some(&*missing));
    assert!(error.to_string().contains("create the missing parent directory"), "{error}");
    assert!(!dir.path().join("not").exists());
}

#[test]
fn a_file_in_place_of_the_directory_is_refused() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "mine").unwrap();
    let error = FilePersister::open(&path).unwrap_err();
    assert!(error.to_string().contains("must lead to a directory"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"mine");
}

/// To open a named pipe would wait for ever.
#[test]
fn a_named_pipe_in_place_of_the_directory_is_refused() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let error = FilePersister::open(&path).unwrap_err();
    assert!(error.to_string().contains("must lead to a directory"), "{error}");
}

#[test]
fn a_directory_in_place_of_the_state_file_is_refused() {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("raft-state")).unwrap();
    let error = FilePersister::open(dir.path()).unwrap_err();
    assert!(matches!(&error, PersistError::Io { action: "open", .. }), "{error}");
    assert!(error.to_string().contains("raft-state"), "{error}");
}

#[test]
fn a_directory_that_cannot_be_written_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let dir = TempDir::new().unwrap();
    let disk = FilePersister::open(dir.path()).unwrap();
    disk.append_raft_state(b"kept").unwrap();
    drop(disk);
    let before = listing(dir.path());

    let set_mode = |mode| fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode));
    set_mode(0o555).unwrap();
    // Permissions do not bind the super-user; then only the last lines say something.
    let bound = fs::write(dir.path().join("probe"), "").is_err();
    let _ = fs::remove_file(dir.path().join("probe"));
    let result = FilePersister::open(dir.path());
    set_mode(0o755).unwrap();
    if bound {
        let error = result.unwrap_err();
        assert!(error.to_string().contains("must be able to write"), "{error}");
        assert_eq!(listing(dir.path()), before);
    } else {
        drop(result.unwrap());
    }
    let disk = FilePersister::open(dir.path()).unwrap();
    assert_eq!(disk.read_raft_state().unwrap(), b"kept");
}

#[test]
fn a_parent_that_cannot_be_read_is_refused_but_not_one_above_it() {
    use std::os::unix::fs::PermissionsExt;
    let top = TempDir::new().unwrap();
    let hidden = top.path().join("hidden");
    let dir = hidden.join("server");
    fs::create_dir_all(&dir).unwrap();
    let set_mode = |mode| fs::set_permissions(&hidden, fs::Permissions::from_mode(mode));
    set_mode(0o311).unwrap();
    // Permissions do not bind the super-user.
    let bound = fs::read_dir(&hidden).is_err();
    let result = FilePersister::open(&dir);
    let inside = FilePersister::open(dir.join("inside"));
    set_mode(0o755).unwrap();
    if bound {
        let error = result.unwrap_err();
        assert!(matches!(error, PersistError::Above { .. }), "{error}");
        assert!(error.to_string().contains("must be able to read it"), "{error}");
        assert!(!dir.join("raft-state").exists());
    }
    inside.unwrap().append_raft_state(b"+").unwrap();
}

/// No user can create files there, not even the super-user.
#[test]
#[cfg(target_os = "linux")]
fn a_directory_that_nobody_can_write_is_refused() {
    let error = FilePersister::open("/proc/self/fdinfo").unwrap_err();
    assert!(matches!(&error, PersistError::Above { .. }), "{error}");
    assert!(error.to_string().contains("choose a directory on another one"), "{error}");
}

#[test]
fn leftovers_of_a_crash_go_and_other_files_stay() {
    let dir = TempDir::new().unwrap();
    let disk = FilePersister::open(dir.path()).unwrap();
    disk.save_state_and_snapshot(b"1", b"one").unwrap();
    disk.save_state_and_snapshot(b"2", b"two").unwrap();
    drop(disk);
    let kept = ["raft-state", "snapshot-0000000000000002"];
    assert_eq!(names(dir.path()), kept);

    let leftovers = ["raft-state.tmp", "snapshot-0000000000000001", "snapshot-0000000000000003"];
    let foreign = ["notes", "snapshot-3", "snapshot-000000000000000G", "snapshot-00000000000000AA"];
    for name in leftovers.iter().chain(&foreign) {
        fs::write(dir.path().join(name), "whatever").unwrap();
    }
    let disk = FilePersister::open(dir.path()).unwrap();
    assert_eq!(disk.read_snapshot().unwrap(), b"two");
    let mut expected: Vec<&str> = kept.iter().chain(&foreign).copied().collect();
    expected.sort_unstable();
    assert_eq!(names(dir.path()), expected);

    // The next generation writes over nothing that counts.
    disk.save_state_and_snapshot(b"3", b"three").unwrap();
    drop(disk);
    let disk = FilePersister::open(dir.path()).unwrap();
    assert_eq!(disk.read_snapshot().unwrap(), b"three");
}

#[test]
fn an_empty_snapshot_has_no_file() {
    let dir = TempDir::new().unwrap();
    let disk = FilePersister::open(dir.path()).unwrap();
    disk.save_state_and_snapshot(b"1", b"one").unwrap();
    disk.save_state_and_snapshot(b"2", b"").unwrap();
    assert_eq!(names(dir.path()), ["raft-state"]);
}

#[test]
fn an_append_writes_its_record_and_nothing_else() {
    let dir = TempDir::new().unwrap();
    let disk = FilePersister::open(dir.path()).unwrap();
    disk.save_raft_state(&[7; 5000]).unwrap();
    let before = listing(dir.path()).remove("raft-state").unwrap();
    disk.append_raft_state(b"ten bytes!").unwrap();
    let after = listing(dir.path()).remove("raft-state").unwrap();
    assert!(after.starts_with(&before));
    assert_eq!(after.len(), before.len() + 13 + 10);
}

/// A file of the first version of the format: records without marks.
fn first_version(base: &[u8], append: &[u8]) -> Vec<u8> {
    let crc = |bytes: &[u8]| crc32fast::hash(bytes).to_le_bytes();
    let record = |at: u64, payload: &[u8]| {
        let head = [(payload.len() as u32).to_le_bytes(), crc(payload)].concat();
        let guard = crc(&[&at.to_le_bytes()[..], &head].concat());
        [&head[..], &guard, payload].concat()
    };
    let base = record(44, base);
    let mut bytes = b"RAFTSAVE\x01\0\0\0".to_vec();
    bytes.extend([0; 20]);
    bytes.extend((base.len() as u64).to_le_bytes());
    bytes.extend(crc(&bytes));
    let append = record(44 + base.len() as u64, append);
    [bytes, base, append].concat()
}

#[test]
fn a_directory_of_the_first_version_is_opened_and_brought_to_the_form_of_today() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("raft-state");
    fs::write(&path, first_version(&[7; 1000], &[0; 600])).unwrap();
    let expected = [&[7; 1000][..], &[0; 600]].concat();
    let disk = FilePersister::open(dir.path()).unwrap();
    assert_eq!((disk.read_raft_state().unwrap(), disk.recovered()), (expected.clone(), 0));
    assert_eq!(fs::read(&path).unwrap()[8..12], [2, 0, 0, 0]);
    disk.append_raft_state(b"+").unwrap();
    drop(disk);
    let disk = FilePersister::open(dir.path()).unwrap();
    assert_eq!(disk.read_raft_state().unwrap(), [&expected[..], b"+"].concat());
    assert_eq!(names(dir.path()), ["raft-state"]);
}

#[test]
fn a_version_that_is_not_known_is_named_and_left_alone() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("raft-state");
    let mut bytes = first_version(b"base", b"+");
    bytes[8] = 3;
    let crc = crc32fast::hash(&bytes[..40]);
    bytes[40..44].copy_from_slice(&crc.to_le_bytes());
    fs::write(&path, &bytes).unwrap();
    let error = FilePersister::open(dir.path()).unwrap_err();
    let words = "has format version 3, but this program reads only versions 1 to 2";
    assert!(error.to_string().contains(words), "{error}");
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn the_unsynced_form_reads_and_writes_the_same_files() {
    let dir = TempDir::new().unwrap();
    let disk = FilePersister::open_unsynced(dir.path().join("new")).unwrap();
    disk.save_state_and_snapshot(b"state", b"snapshot").unwrap();
    disk.append_raft_state(b"+").unwrap();
    drop(disk);
    let disk = FilePersister::open(dir.path().join("new")).unwrap();
    assert_eq!(disk.read_raft_state().unwrap(), b"state+");
    assert_eq!(disk.read_snapshot().unwrap(), b"snapshot");
}
