use super::super::student::{Killed, Node, Resolve, Target};
use super::said::KEPT_WORDS;
use super::*;

/// A suite that is made of packages with these names in these folders.
fn stamped(dir: &Path, packages: &[(&str, PathBuf)]) -> Stamped {
    let package = |(name, dir): &(&str, PathBuf)| Package {
        id: name.to_string(),
        name: name.to_string(),
        version: "1.0.0".to_string(),
        manifest_path: dir.join("Cargo.toml"),
        source: None,
        targets: vec![Target { name: name.replace('-', "_"), kind: vec!["lib".to_string()] }],
    };
    Stamped {
        dir: dir.to_owned(),
        scratch: dir.to_owned(),
        target: dir.to_owned(),
        name: "grading-my-raft".to_string(),
        lab: Lab::named("2").expect("a lab"),
        types: Vec::new(),
        files: ["", "", ""].map(|name| (name, String::new())),
        metadata: Metadata { packages: packages.iter().map(package).collect(), resolve: None },
        lock: lock_file(&workspace()).expect("a lock file"),
        own_words: String::new(),
    }
}

#[test]
fn only_members_and_the_suite_are_trusted() {
    let top = workspace().join("target");
    fs::create_dir_all(&top).expect("a folder");
    let top = tempfile::tempdir_in(&top).expect("a folder");
    let [suite, own] = ["suite", "own"].map(|name| top.path().join(name));
    for dir in [&suite, &own] {
        fs::create_dir(dir).expect("a folder");
    }
    let raft = ("raft", workspace().join("raft"));
    let packages = [("grading-my-raft", suite.clone()), ("grading-my-raft", own), raft];
    let stamped = stamped(&suite, &packages);
    let theirs: Vec<_> = stamped.students_packages().map(Package::dir).collect();
    assert_eq!(theirs, [packages[1].1.as_path()], "not by a name, or by where the checkout is");
}

#[test]
fn a_manifest_that_cargo_does_not_take_is_the_students_fault() {
    for words in [
        "failed to parse manifest at `/x/Cargo.toml`\n\nCaused by:\n  feature `edition2077` is required",
        "failed to select a version for the requirement `anyhow = \"^99\"`",
        "rustc 1.95.0 is not supported by the following package:\n  my-raft@0.1.0 requires rustc 1.999",
        "failed to parse manifest at `/x/Cargo.toml`\n\nCaused by:\n  invalid character in `No space left on device`",
    ] {
        let Failure::Student(problem) = no_metadata(anyhow!("{words}"), "") else {
            panic!("{words}")
        };
        assert!(problem.ends_with(words), "{problem}");
    }
    for words in [
        "failed to get `x` as a dependency\n\nCaused by:\n  failed to download from `https://example.com`",
        "[6] Could not resolve hostname (Could not resolve host: example.com)",
        "failed to write `/x`: No space left on device (os error 28)",
    ] {
        let Failure::Machine(error) = no_metadata(anyhow!("{words}"), "timed out") else {
            panic!("{words}")
        };
        assert!(format!("{error:#}").contains(words), "{error:#}");
    }
}

#[cfg(unix)]
#[test]
fn that_cargo_was_killed_is_no_fault_of_the_student_s() {
    use std::os::unix::process::ExitStatusExt as _;

    let killed = Killed(std::process::ExitStatus::from_raw(2));
    let Failure::Machine(error) = no_metadata(killed.into(), "") else {
        panic!("it is the machine's")
    };
    assert!(format!("{error:#}").contains("signal: 2"), "{error:#}");
}

#[test]
fn what_a_student_has_cargo_say_is_no_fault_of_the_machine() {
    let top = tempfile::tempdir().expect("a folder");
    let own = top.path().join("os error 28");
    fs::create_dir(&own).expect("a folder");
    fs::write(own.join("lib.rs"), "").expect("a file");
    let manifest = "[dependencies]\nown = { path = \"timed out\" }";
    fs::write(top.path().join("Cargo.toml"), manifest).expect("a file");
    let own_words = own_words(top.path()).expect("its files can be read");
    let words = "failed to get `own` as a dependency\n\nCaused by:\n  failed to read `/x/timed out/Cargo.toml`";
    assert!(matches!(no_metadata(anyhow!("{words}"), &own_words), Failure::Student(_)));
    let words = format!("{words}: Could not resolve host");
    assert!(matches!(no_metadata(anyhow!("{words}"), &own_words), Failure::Machine(_)));
    let said = "   Compiling own v0.1.0 (/x/os error 28)\nerror: could not compile `own`\n";
    let end = "{\"reason\":\"build-finished\",\"success\":false}\n".to_string();
    let ended = |said: String| Ended { out: end.clone(), said, ..Ended::default() };
    assert!(ended(said.to_string()).is_fault_of_code(&own_words));
    let full = format!("{said}: No space left on device");
    assert!(!ended(full).is_fault_of_code(&own_words));
}

#[test]
fn what_code_has_the_compiler_say_is_no_fault_of_the_machine() {
    let line = |words: &str, spans: &str| {
        format!(
            "{{\"reason\":\"compiler-message\",\"message\":{{\"level\":\"error\",\"message\":{words:?},\
             \"rendered\":\"error: {words}\\n\",\"spans\":{spans}}}}}\n"
        )
    };
    let ended = |words: &str, spans: &str, said: &str| {
        let out = line(words, spans)
            + &line("aborting due to 1 previous error", "[]")
            + "{\"reason\":\"build-finished\",\"success\":false}\n";
        Ended { out, said: said.to_string(), ..Ended::default() }
    };
    let at_a_place = ended("os error 28", "[{\"line_start\":1}]", "error: could not compile `x`\n");
    assert!(at_a_place.is_fault_of_code("") && at_a_place.has_error_in_code());
    assert_eq!(at_a_place.in_words(), "error: os error 28\nerror: could not compile `x`");
    for words in ["failed to write x: No space left on device", "linking with `cc` failed"] {
        assert!(!ended(words, "[]", "").is_fault_of_code(""), "{words}");
    }
    // As the linker has it, all in one.
    for words in
        ["undefined symbol: no_such_thing", "x.rs:1: undefined reference to `no_such_thing'"]
    {
        let unlinked = ended(&format!("linking with `cc` failed: {words}"), "[]", "");
        assert!(unlinked.is_fault_of_code("") && unlinked.is_unlinked(), "{words}");
        let full =
            ended(&format!("linking with `cc` failed: {words}: Disk quota exceeded"), "[]", "");
        assert!(!full.is_fault_of_code("") && !full.is_unlinked(), "{words}");
    }
    let killed =
        "error: could not compile `x`\n\nCaused by:\n  process didn't exit (signal: 9, SIGKILL)";
    assert!(!ended("unused", "[{}]", killed).is_fault_of_code(""));
    let manifest =
        "warning: unused manifest key: package.os error 28\nerror: could not compile `x`\n";
    assert!(ended("unused", "[{}]", manifest).is_fault_of_code(""));
    let no_end = Ended::default();
    assert!(!no_end.is_fault_of_code(""));
}

#[test]
fn nobody_takes_the_name_of_what_all_need() {
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        grade: super::super::Grade,
    }

    let dir = Path::new("/does/not/exist");
    let options = Line::parse_from(["grade", "--allow-build"]).grade;
    let allowed = Allowed::new(&options).expect("what is allowed");
    let [name, root] = ["my-raft".to_string(), String::new()];
    let student = Student { name, dir: dir.to_owned(), root: root.into() };
    let problem = |name: &str| {
        let packages = [("my-raft", dir.join("own")), (name, dir.join("helper"))];
        stamped(dir, &packages).problem(&student, &allowed)
    };
    for taken in ["serde", "serde-json", "libserde", "libserde-json", "raft_api", "grading-my-raft"]
    {
        let words = problem(taken).expect("a problem");
        assert!(words.contains(&format!("`{taken}`")) && words.contains("another name"), "{words}");
    }
    assert_eq!(problem("my-serde"), None);
    assert_eq!(problem(&"a".repeat(64)), None);
    let words = problem(&"a".repeat(65)).expect("a problem");
    assert!(words.contains("a name of 65 letters"), "{words}");
    // Files are called as a library is, whatever its package is called.
    let packages = [("my-raft", dir.join("own"))];
    let mut renamed = stamped(dir, &packages);
    renamed.metadata.packages[0].targets[0].name = "of_ann".to_string();
    assert!(renamed.students_names().eq(["my-raft", "of_ann"]));
    assert_eq!(renamed.problem(&student, &allowed), None);
    renamed.metadata.packages[0].targets[0].name = "serde_json".to_string();
    let words = renamed.problem(&student, &allowed).expect("a problem");
    assert!(words.contains("`serde_json`") && words.contains("another name"), "{words}");
}

#[test]
fn of_many_words_the_first_are_kept() {
    assert_eq!(shortened("error: x"), "error: x");
    let long = "é".repeat(100_000);
    let short = shortened(&long);
    assert!(short.len() < KEPT_WORDS + 30 && short.ends_with("é\n... and 134 kB more"));
}

/// Whatever a manifest says, and however cargo understands it.
#[test]
fn what_cargo_takes_a_dependency_from_is_allowed() {
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        grade: super::super::Grade,
    }

    let dir = Path::new("/does/not/exist");
    let own = dir.join("own");
    let name = "my-raft".to_string();
    let student = Student { name, dir: own.clone(), root: own.clone() };
    // A crate of the student's that depends on one of this name, from there.
    let problem = |(name, dir, source): (&str, PathBuf, Option<&str>), options: &[&str]| {
        let line = Line::parse_from([&["grade"], options].concat());
        let allowed = Allowed::new(&line.grade).expect("what is allowed");
        let packages = [
            ("my-raft", own.clone()),
            ("lower", own.join("lower")),
            (name, dir),
            ("x", "/x".into()),
        ];
        let mut stamped = stamped(Path::new("/does/not/exist/suite"), &packages);
        stamped.metadata.packages[2].source = source.map(str::to_string);
        let node = |id: &str, dependencies: &[&str]| Node {
            id: id.to_string(),
            dependencies: dependencies.iter().map(ToString::to_string).collect(),
        };
        // What another's crate depends on is not looked at.
        let nodes = vec![node("my-raft", &["lower"]), node("lower", &[name]), node(name, &["x"])];
        stamped.metadata.resolve = Some(Resolve { nodes });
        stamped.problem(&student, &allowed)
    };
    let lock = lock_file(&workspace()).expect("a lock file");
    let registry = skeleton::sources(&lock).next().expect("a crate of others");
    let ours = |name: &str| workspace().join(name);
    for (name, dir, source) in [
        ("raft", ours("raft"), None),
        ("of-nobody", dir.join("elsewhere"), None),
        ("hidden", dir.join("original/.own"), None),
        ("my-log", "/registry".into(), Some(registry)),
        ("my-serde", "/registry".into(), Some(registry)),
        ("my-lib", "/git".into(), Some("git+https://example.com/serde")),
    ] {
        let words = problem((name, dir.clone(), source), &[]).expect("a problem");
        assert!(words.contains(&format!("it depends on `{name}`")), "{words}");
        assert_eq!(problem((name, dir, source), &["--allow", name]), None, "{name}");
    }
    let usual = problem(("serde", "/registry".into(), Some(registry)), &[]);
    let other = problem(("serde", "/registry".into(), Some("registry+https://evil.example")), &[]);
    assert_eq!(usual, None);
    assert!(
        other.is_some_and(|words| words.contains("`serde` from registry+https://evil.example"))
    );
    assert_eq!(problem(("labrt", ours("labrt"), None), &[]), None);
    assert_eq!(problem(("raft", ours("raft"), None), &["--lab", "3"]), None);
    // Its own crate is looked at in turn.
    let words = problem(("helper", own.join("helper"), None), &[]).expect("a problem");
    assert!(words.contains("it depends on `x` from /x"), "{words}");
}

/// Cargo takes one version for all, and heeds a manifest more than our lock file.
#[test]
fn nobody_chooses_what_the_tests_are_made_of() {
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        grade: super::super::Grade,
    }

    let lock = lock_file(&workspace()).expect("a lock file");
    let ours =
        skeleton::versions(&lock).find(|(name, _)| *name == "bytes").expect("it is locked").1;
    let registry = skeleton::sources(&lock).next().expect("a crate of others");
    let dir = Path::new("/does/not/exist");
    let own = dir.join("own");
    let student = Student { name: "my-raft".to_string(), dir: own.clone(), root: own.clone() };
    let allowed = Allowed::new(&Line::parse_from(["grade"]).grade).expect("what is allowed");
    // The student's crate depends on this version of `bytes`, and the tests on that one.
    let problem = |mine: &str, of_tests: &str| {
        let member = |name: &'static str| (name, workspace().join(name));
        let packages = [
            ("my-raft", own.clone()),
            member("raft-tests"),
            member("labrpc"),
            ("bytes", "/registry/mine".into()),
            ("bytes", "/registry/of-tests".into()),
        ];
        let mut stamped = stamped(&dir.join("suite"), &packages);
        for (place, version) in [(3, mine), (4, of_tests)] {
            let package = &mut stamped.metadata.packages[place];
            (package.id, package.version) = (format!("bytes {place}"), version.to_string());
            package.source = Some(registry.to_string());
        }
        let node = |id: &str, dependencies: &[&str]| Node {
            id: id.to_string(),
            dependencies: dependencies.iter().map(ToString::to_string).collect(),
        };
        let nodes = vec![
            node("my-raft", &["labrpc", "bytes 3"]),
            node("raft-tests", &["labrpc"]),
            node("labrpc", &["bytes 4"]),
        ];
        stamped.metadata.resolve = Some(Resolve { nodes });
        stamped.problem(&student, &allowed)
    };
    assert_eq!(problem(ours, ours), None);
    // Another major version is a crate of its own.
    assert_eq!(problem("0.4.12", ours), None);
    let words = problem("1.5.0", "1.5.0").expect("a problem");
    for said in ["`bytes` 1.5.0", &format!("made with {ours}"), &format!("`bytes = \"{ours}\"`")] {
        assert!(words.contains(said), "{said}: {words}");
    }
}
