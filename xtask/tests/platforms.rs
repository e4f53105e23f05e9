//! What exists on some systems only is behind a `cfg`, each with its reason.
//!
//! Whoever works on one system cannot see that another one's build is broken. So each use of such a
//! thing in the workspace is found in the text of the sources, and must be in the list below with the
//! `cfg` that it is behind. This assumes code in the form that rustfmt gives it, and sees neither what
//! a macro hides nor what a library lacks elsewhere: `docs/platforms.md` says how to check a build.

use std::fs;
use std::path::{Path, PathBuf};

/// Texts that give away what exists on some systems only.
const MARKS: [&str; 13] = [
    "std::os::",
    "rustix::",
    "libc::",
    "nix::",
    "winapi::",
    "windows_sys::",
    // Paths. A path for tests that is nowhere is `/does/not/exist`.
    "\"/proc",
    "\"/sys",
    "\"/dev",
    "\"/etc",
    "\"/tmp",
    "\"/usr",
    // A program by a name that is written down.
    "Command::new(\"",
];

/// Crates that are of use on some systems only.
const CRATES: [&str; 5] = ["rustix", "libc", "nix", "winapi", "windows-sys"];

const UNIX: &str = "unix";
const LINUX: &str = "target_os = \"linux\"";
const WINDOWS: &str = "windows";
const ANY: &str = "";

/// File, text of the line, the `cfg` it is behind, and why it must be there at all.
const KNOWN: [(&str, &str, &str, &str); 73] = [
    ("labrt/src/sim/overflow.rs", "use libc::{", UNIX, "the signal of a stack overflow"),
    ("labrt/src/sim/watch.rs", "\"/proc", ANY, "elsewhere nobody says how long a thread waits"),
    ("labrt/tests/common/mod.rs", "Command::new(\"sh\")", LINUX, "a limit for a test's process"),
    (
        "labrt/tests/endings/stuck.rs",
        "Command::new(\"sh\")",
        UNIX,
        "who stops a process and lets it go on",
    ),
    (PERSISTER, "unix::fs::MetadataExt", UNIX, "which file system a directory is on"),
    (PERSISTER, "rustix::fs::{AtFlags,", UNIX, "the files of a directory that is open"),
    (PERSISTER, "rustix::io::retry_on_intr", UNIX, "an open that a signal interrupts"),
    (DIRECTORY, "Command::new(\"mkfifo\")", UNIX, "a named pipe"),
    (DIRECTORY, "unix::fs::PermissionsExt", UNIX, "a directory that may not be read"),
    (DIRECTORY, "\"/proc/self/fdinfo\"", LINUX, "a directory where no user can write"),
    (TEST_RUNS, "unix::process::CommandExt", UNIX, "a process group"),
    (TEST_RUNS, "windows::process::CommandExt", WINDOWS, "a process group"),
    (TEST_RUNS, "{Pid, Signal, kill_process_group}", UNIX, "to end what a test has started too"),
    (TEST_RUNS, "nix::sys::signal::{SigSet, Signal, raise}", UNIX, "what Ctrl-Z sends"),
    (TEST_RUNS, "{Pid, WaitId, WaitIdOptions, waitid}", UNIX, "an end that is only looked at"),
    (TEST_RUNS, "rustix::fs::statvfs", UNIX, "how much room a disk has"),
    (TEST_RUNS, "\"/proc/{}/statm\"", LINUX, "how much memory a process has"),
    (TEST_RUNS, "rustix::param::page_size", LINUX, "the unit that it is counted in"),
    (TEST_RUNS, "read_dir(\"/proc\")", LINUX, "which processes a group has"),
    (TEST_RUNS, "\"/proc/meminfo\"", LINUX, "how much memory a machine has"),
    (TEST_RUNS, "\"/sys/fs/cgroup/memory.max\"", LINUX, "how much of it a container has"),
    (TEST_RUNS, "{CpuSet, sched_getaffinity}", LINUX, "the cores that we may use"),
    (TEST_RUNS, "{CpuSet, sched_setaffinity}", LINUX, "to stay on a core"),
    (TEST_RUNS, "\"/proc/self/exe\"", LINUX, "our own program, whatever has become of its file"),
    (TEST_RUNS, "\"/proc/{}/task\"", LINUX, "what the threads of a process do"),
    (TEST_RUNS, "unix::process::ExitStatusExt", UNIX, "the signal that ended a process"),
    (TEST_RUNS, "unix::fs::PermissionsExt", UNIX, "a folder for a process with another user"),
    (TEST_RUNS, "unix::fs::chown", UNIX, "a file for another user"),
    (TEST_RUNS, "rustix::process::geteuid", UNIX, "who is root"),
    (ROOM, "libc::SYS_fork", X86, "other processors have no such call"),
    (ROOM, "libc::", LINUX, "the numbers of system calls"),
    (ROOM, "rustix::", LINUX, "limits, and another user"),
    ("tools/test-runs/src/room.rs", "unix::process::CommandExt", UNIX, "becoming another program"),
    (ROOMS, "\"/usr", ANY, "what a closed room shows; there are none elsewhere"),
    (ROOMS, "\"/etc/", ANY, "what a closed room shows; there are none elsewhere"),
    (ROOMS, "\"/dev/", ANY, "what a closed room shows; there are none elsewhere"),
    ("xtask/src/grade/files.rs", "unix::fs::symlink", UNIX, "a link"),
    ("xtask/src/grade/student/tests.rs", "unix::fs::symlink", UNIX, "a link"),
    ("persister/tests/elsewhere.rs", "unix::fs::symlink", UNIX, "a link"),
    ("xtask/tests/history.rs", "unix::fs::symlink", UNIX, "a link"),
    (
        "tools/test-runs/tests/common/mod.rs",
        "unix::fs::PermissionsExt",
        LINUX,
        "a script is a program",
    ),
    ("xtask/tests/grade_class.rs", "unix::ffi::OsStrExt", LINUX, "a name that is no text"),
    ("xtask/src/grade/class/page.rs", "unix::ffi::OsStrExt", UNIX, "a name that is no text"),
    ("xtask/tests/grade_attacks.rs", "Command::new(\"chmod\")", LINUX, "a script"),
    ("xtask/tests/grade_attacks.rs", "\"/proc\"", LINUX, "which compilers run"),
    ("xtask/tests/autograder.rs", "unix::fs::symlink", LINUX, "a program that is built already"),
    (
        "xtask/tests/autograder.rs",
        "Command::new(\"bash\")",
        LINUX,
        "Gradescope's scripts are for it",
    ),
    (OPEN_CALLS, "\"/proc/self/status\"", ANY, "elsewhere it says nothing of memory"),
    ("xtask/tests/grade.rs", "{Pid, Signal, kill_process}", UNIX, "signals for others"),
    ("xtask/tests/grade.rs", "unix::fs::PermissionsExt", UNIX, "a script is a program"),
    ("xtask/tests/grade.rs", "unix::process::CommandExt", UNIX, "a process group"),
    ("xtask/tests/grade.rs", "Command::new(\"sh\")", UNIX, "what new files let others do"),
    ("xtask/tests/grade.rs", "unix::process::ExitStatusExt", LINUX, "how a process ended"),
    ("xtask/src/grade/stamp/tests.rs", "unix::process::ExitStatusExt", UNIX, "how a process ended"),
    (
        "xtask/src/grade/student/tests.rs",
        "unix::process::ExitStatusExt",
        UNIX,
        "how a process ended",
    ),
    ("xtask/src/grade/execute.rs", "unix::fs::MetadataExt", UNIX, "who may look into a folder"),
    ("tools/test-runs/src/fit.rs", "unix::process::ExitStatusExt", UNIX, "how a process ended"),
    ("tools/test-runs/src/ending.rs", "unix::process::ExitStatusExt", UNIX, "the same"),
    ("xtask/tests/shrink.rs", "rustix::process::Pid", UNIX, "Ctrl-C for another process"),
    ("xtask/tests/shrink.rs", "rustix::process::kill_process", UNIX, "Ctrl-C"),
    (ACCIDENTS, "{Pid, Signal, kill_process, test_kill_process}", UNIX, "signals for others"),
    (ACCIDENTS, "unix::fs::PermissionsExt", UNIX, "a script is a program"),
    (ACCIDENTS, "\"/proc/{}/stat\"", LINUX, "whether a process is stopped"),
    (ACCIDENTS, "\"/dev/full\"", LINUX, "a file that is always full"),
    (ACCIDENTS, "Command::new(\"unshare\")", LINUX, "a small disk"),
    ("xtask/tests/fake-suite/tests/sim.rs", "Command::new(\"sh\")", UNIX, "a kill"),
    (
        "xtask/src/stress/subject.rs",
        "Command::new(\"git\")",
        ANY,
        "without git, no commit is known",
    ),
    ("linearizability/tests/all/page.rs", "Command::new(\"chromium\")", ANY, "skipped without it"),
    ("xtask/src/shell.rs", "Command::new(\"sh\")", UNIX, "a test of quoting for a shell"),
    ("tools/run-record/src/shell.rs", "Command::new(\"sh\")", UNIX, "what a shell makes of a line"),
    ("xtask/src/shrink/args.rs", "Command::new(\"sh\")", UNIX, "what a shell makes of a line"),
    ("xtask/src/readme.rs", "Command::new(\"sh\")", ANY, "the README's commands are for a shell"),
    ("xtask/src/samples.rs", "Command::new(\"sh\")", ANY, "the page's commands are for a shell"),
];
const X86: &str = "target_arch = \"x86_64\"";
const ROOM: &str = "tools/test-runs/src/room/linux.rs";
const ROOMS: &str = "xtask/src/grade/rooms.rs";
const ACCIDENTS: &str = "xtask/tests/accidents.rs";
const OPEN_CALLS: &str = "labrpc/examples/open_calls.rs";
const PERSISTER: &str = "persister/src/platform.rs";
const DIRECTORY: &str = "persister/tests/directory.rs";
const TEST_RUNS: &str = "tools/test-runs/src/platform.rs";

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace")
}

/// All files with this ending below a directory, but those that were built and this one.
fn files(dir: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a directory of the workspace") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let built = name == "target" || name.starts_with('.');
        if path.is_dir() && !built {
            files(&path, ending, found);
        } else if name.ends_with(ending) && !path.ends_with(file!()) {
            found.push(path);
        }
    }
}

/// Name, from the workspace on and with slashes, and text of all such files.
fn texts(ending: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    files(workspace(), ending, &mut found);
    let read = |path: PathBuf| {
        let name = path.strip_prefix(workspace()).expect("it is below").to_string_lossy();
        (name.replace('\\', "/"), fs::read_to_string(&path).expect("a text"))
    };
    found.into_iter().map(read).collect()
}

/// What is between the brackets if this is such an attribute.
fn condition<'a>(code: &'a str, attribute: &str) -> Option<&'a str> {
    code.strip_prefix(attribute)?.split(")]").next()
}

/// The condition of the innermost `#[cfg(...)]` around a line, or of the file; empty if there is
/// none.
fn guard<'a>(lines: &[&'a str], line: usize) -> &'a str {
    let of_file = || lines.iter().find_map(|code| condition(code, "#![cfg(")).unwrap_or_default();
    let indent = |text: &str| text.len() - text.trim_start().len();
    let mut outermost = indent(lines[line]);
    for text in lines[..line].iter().rev() {
        let (here, code) = (indent(text), text.trim_start());
        if code.is_empty() || code.starts_with("//") || here > outermost {
            continue;
        }
        if let Some(cfg) = condition(code, "#[cfg(") {
            return cfg;
        }
        outermost = match code.ends_with([';', '}', ',']) {
            // Another item beside ours, or beside what ours is in: its attributes are not ours.
            true if here == 0 => break,
            true => here - 1,
            false => here,
        };
    }
    of_file()
}

/// What is wrong with the uses in a file; counts those of [`KNOWN`] that were met.
fn wrong_in(name: &str, text: &str, met: &mut [usize]) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut wrong = Vec::new();
    for (line, code) in lines.iter().enumerate() {
        let marked = MARKS.iter().any(|mark| code.contains(mark));
        if !marked || code.trim_start().starts_with("//") {
            continue;
        }
        let known = KNOWN.iter().position(|(file, text, ..)| *file == name && code.contains(text));
        let behind = guard(&lines, line);
        let place = format!("{name}:{}: `{}`", line + 1, code.trim());
        match known {
            None => wrong.push(format!("{place} is not in the list")),
            Some(known) if KNOWN[known].2 != behind => wrong.push(format!(
                "{place} must be behind `#[cfg({})]`, and is behind `{behind}`",
                KNOWN[known].2
            )),
            Some(known) => met[known] += 1,
        }
    }
    wrong
}

#[test]
fn what_exists_on_some_systems_only_is_behind_a_cfg_with_its_reason() {
    let mut met = [0; KNOWN.len()];
    let mut wrong = Vec::new();
    for (name, text) in texts(".rs") {
        wrong.extend(wrong_in(&name, &text, &mut met));
    }
    for ((file, text, ..), met) in KNOWN.iter().zip(met) {
        if met == 0 {
            wrong.push(format!("{file} has no `{text}` any more: take it off the list"));
        }
    }
    assert!(
        wrong.is_empty(),
        "put these behind a `#[cfg(...)]` with a fallback for other systems, and into the list in \
         {} with the reason:\n{}",
        file!(),
        wrong.join("\n")
    );
}

#[test]
fn crates_for_some_systems_only_are_dependencies_on_these_only() {
    let mut wrong = Vec::new();
    for (name, text) in texts("Cargo.toml") {
        let mut section = "";
        for line in text.lines() {
            let key = line.split(['.', ' ', '=']).next().unwrap_or_default();
            match line.starts_with('[') {
                true => section = line,
                false if !CRATES.contains(&key) => {}
                // There a version is only named.
                false if section == "[workspace.dependencies]" => {}
                false if section.starts_with("[target.'cfg(") => {}
                false => wrong.push(format!("{name}: {key}")),
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "these must be below a `[target.'cfg(...)'.dependencies]`: {wrong:?}"
    );
}

#[test]
fn a_use_without_its_cfg_is_found() {
    let text = "\
#[cfg(unix)]
fn a() {
    let x = 1;
    use std::os::unix::process::CommandExt as _;
}

#[cfg(unix)]
use x;
fn b() {
    use std::os::unix::process::CommandExt as _;
}

mod c {
    #[cfg(windows)]
    fn d() {}

    // #[cfg(unix)]
    #[test]
    fn e(
        x: u8,
    ) {
        use std::os::unix::process::CommandExt as _;
        use std::os::linux::fs::MetadataExt as _;
    }
}";
    let mut met = [0; KNOWN.len()];
    let wrong = wrong_in(TEST_RUNS, text, &mut met);
    assert_eq!(met.iter().sum::<usize>(), 1);
    let line = |wrong: &String| wrong.split(':').nth(1).and_then(|line| line.parse().ok());
    assert_eq!(wrong.iter().map(line).collect::<Vec<_>>(), [Some(10), Some(22), Some(23)]);
    assert!(wrong[0].ends_with("must be behind `#[cfg(unix)]`, and is behind ``"), "{}", wrong[0]);
    assert!(wrong[2].ends_with("is not in the list"), "{}", wrong[2]);

    let whole = format!("//! A file.\n#![cfg(unix)]\n\n{text}");
    let wrong = wrong_in(TEST_RUNS, &whole, &mut met);
    assert_eq!(wrong.len(), 1, "only the one that is not in the list: {wrong:?}");
}
