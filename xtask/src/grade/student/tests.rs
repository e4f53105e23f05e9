//! What is a student's crate, and what is said of what is none.

use super::*;

/// A folder with these manifests.
fn folder(manifests: &[(&str, &str)]) -> tempfile::TempDir {
    let top = tempfile::tempdir().expect("a folder");
    for (dir, text) in manifests {
        std::fs::create_dir_all(top.path().join(dir)).expect("a folder");
        std::fs::write(top.path().join(dir).join("Cargo.toml"), text).expect("a file");
    }
    top
}

#[cfg(unix)]
#[test]
fn who_kills_cargo_says_nothing_about_the_crate() {
    use std::os::unix::process::ExitStatusExt as _;

    let output = |status| Output {
        status: ExitStatus::from_raw(status),
        stdout: Vec::new(),
        stderr: b"words".to_vec(),
    };
    for signal in [2, 9, 15] {
        let error = understood(&output(signal)).expect_err("it was killed");
        assert!(error.is::<Killed>(), "{error:#}");
    }
    let error = understood(&output(101 << 8)).expect_err("it refused");
    assert!(!error.is::<Killed>() && error.to_string() == "words", "{error:#}");
}

#[test]
fn a_name_that_would_be_more_than_a_name_is_refused() {
    for name in ["", "../x", "a\\\"\\n[patch]", "a b"] {
        let top = folder(&[("", &format!("[package]\nname = \"{name}\""))]);
        let error = Student::at(top.path()).expect_err("it is no name").to_string();
        assert!(error.contains("which cargo would not take"), "{name}: {error}");
    }
}

#[test]
fn a_name_that_is_too_long_for_a_folder_s_is_refused() {
    let of = |letters: usize| {
        let top = folder(&[("", &format!("[package]\nname = \"{}\"", "a".repeat(letters)))]);
        Student::at(top.path())
    };
    assert!(of(MOST_OF_NAME).is_ok());
    for letters in [MOST_OF_NAME + 1, 242] {
        let words = of(letters).expect_err("it is too long").to_string();
        assert!(words.contains(&format!("a name of {letters} letters")), "{words}");
    }
}

#[test]
fn of_a_manifest_that_is_none_nothing_is_shown() {
    let top = folder(&[("", "[package]\nthe secret word\n")]);
    let error = Student::at(top.path()).expect_err("it is no manifest");
    let words = format!("{error:?}");
    assert!(words.contains("is no manifest: line 2") && !words.contains("secret"), "{words}");
    let top = folder(&[("", &" ".repeat((1 << 20) + 1))]);
    let words = Student::at(top.path()).expect_err("it is too large").to_string();
    assert!(words.contains("at most 1024 KiB"), "{words}");
}

#[cfg(unix)]
#[test]
fn a_manifest_is_a_file_and_no_link() {
    let top = folder(&[("secret", "[package]\nname = \"secret\"")]);
    let link = top.path().join("Cargo.toml");
    std::os::unix::fs::symlink(top.path().join("secret/Cargo.toml"), link).expect("a link");
    let words = Student::at(top.path()).expect_err("it is a link").to_string();
    assert!(words.contains("must be a file, no link"), "{words}");
}

#[test]
fn a_crate_is_found_one_folder_deeper_and_with_its_workspace() {
    let package = "[package]\nname = \"my-raft\"\n";
    let top = folder(&[("handed-in", package), ("other/deeper", "")]);
    let student = Student::at(top.path()).expect("a crate");
    assert!(student.dir.ends_with("handed-in") && student.root == student.dir);
    let top = folder(&[("", "[workspace]\nmembers = [\"a\"]"), ("a", package)]);
    let student = Student::at(&top.path().join("a")).expect("a crate");
    assert_eq!(student.dir.parent(), Some(student.root.as_path()));
    assert!(!student.is_ours());
    let ours = Student::at(&workspace().join("raft")).expect("a crate");
    assert!(ours.is_ours() && ours.name == "raft");
}

#[test]
fn where_no_crate_is_found_it_is_said_what_there_is() {
    let package = "[package]\nname = \"my-raft\"\n";
    let refused = |manifests: &[(&str, &str)]| {
        let top = folder(manifests);
        // No crate of its own.
        std::fs::create_dir_all(top.path().join("empty/deep")).expect("a folder");
        Student::at(top.path()).expect_err("which one is it?").to_string()
    };
    let words = refused(&[("one", package), ("two", package)]);
    assert!(words.contains("`one`, `two`: hand in one, or grade the folder of one"), "{words}");
    let many: Vec<String> = (0..7).map(|number| format!("crate{number}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|name| (&**name, package)).collect();
    assert!(refused(&many).contains("`crate4` and 2 more: hand in one"), "{}", refused(&many));
    let words = refused(&[("handed-in/my-raft", package)]);
    let deep = Path::new("handed-in").join("my-raft");
    let expected = format!("or one folder deeper, but in `{}`: hand in that", deep.display());
    assert!(words.contains(&expected), "{words}");
    let words = refused(&[]);
    assert!(words.ends_with("or one folder deeper") && !words.contains("os error"), "{words}");
}

#[test]
fn a_workspace_is_that_of_its_members_alone() {
    let package = "[package]\nname = \"my-raft\"\n";
    let course = |workspace: &str, name: &str| {
        let helper = "[package]\nname = \"helper\"\n[dependencies]\nmine = { path = \"../deep\" }";
        let top = folder(&[
            ("", workspace),
            ("subs/ann", package),
            ("deep", package),
            ("helper", helper),
        ]);
        let student = Student::at(&top.path().join(name)).expect("a crate");
        let own = student.root == student.dir;
        let root = platform::canonical(top.path()).expect("a path");
        assert!(own || student.root == root, "{workspace}: {}", student.root.display());
        own
    };
    let listed = "[workspace]\nmembers = [";
    for (workspace, name, own) in [
        ("[workspace]\nexclude = [\"subs\"]".to_string(), "subs/ann", true),
        ("[workspace]".to_string(), "subs/ann", true),
        (format!("{listed}\"subs/*\"]"), "subs/ann", false),
        (format!("{listed}\"subs/a?n\"]\nexclude = [\"subs\"]"), "subs/ann", true),
        (format!("{listed}\"subs/ann\"]\nexclude = [\"subs\"]"), "subs/ann", false),
        (format!("{listed}\"../**\", \"/**\"]"), "subs/ann", true),
        // What members depend on is a member.
        (format!("{listed}\"helper\"]"), "deep", false),
        (format!("{listed}\"helper\"]"), "subs/ann", true),
        (
            format!("{package}[workspace]\n[dependencies]\nmine = {{ path = \"deep\" }}"),
            "deep",
            false,
        ),
        (
            format!(
                "{package}[dependencies]\nmine.workspace = true\n[workspace.dependencies]\n\
                 mine = {{ path = \"deep\" }}"
            ),
            "deep",
            false,
        ),
    ] {
        assert_eq!(course(&workspace, name), own, "{workspace} and {name}");
    }
    let said = "[package]\nname = \"my-raft\"\nworkspace = \"..\"";
    let top = folder(&[("", "[workspace]"), ("a", said)]);
    let student = Student::at(&top.path().join("a")).expect("a crate");
    assert_eq!(student.dir.parent(), Some(student.root.as_path()));
}

#[test]
fn among_others_nobody_has_a_workspace_above_his_folder() {
    let package = "[package]\nname = \"my-raft\"\n";
    let top = folder(&[
        ("", "[workspace]\nmembers = [\"*\"]"),
        ("ann", package),
        ("bob/handed-in", package),
    ]);
    for name in ["ann", "bob"] {
        let student = Student::among_others(&top.path().join(name)).expect("a crate");
        assert_eq!(student.root, student.dir);
    }
    let student = Student::at(&top.path().join("ann")).expect("a crate");
    assert_ne!(student.root, student.dir, "alone, it has");
    // A class may be made of ours.
    let ours = Student::among_others(&workspace().join("raft")).expect("a crate");
    assert!(ours.is_ours());
}

#[test]
fn who_lies_within_this_workspace_is_no_member_of_it() {
    // Nothing that is left out of the workspace's own files: what is built here is not looked at.
    let target = workspace().join("target");
    std::fs::create_dir_all(&target).expect("a folder");
    let top = tempfile::tempdir_in(&target).expect("a folder");
    std::fs::write(top.path().join("Cargo.toml"), "[package]\nname = \"eve\"").expect("a file");
    let eve = Student::at(top.path()).expect("a crate");
    assert_eq!(eve.root, eve.dir);
    assert!(!eve.is_ours() && !members().expect("members").contains(&eve.dir));
}
