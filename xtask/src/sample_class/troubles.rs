//! Students whose crates are trouble. Most could do the elections of the lab, but for the trouble.

use std::path::Path;

use anyhow::Result;

use super::copies::{apply, manifest};
use super::students::{blocking, text};
use super::{File, Student};

/// Where a server is made: what stands here comes first.
const MAKE: &str = "    ) -> Result<Arc<BlockingRaft>, Box<dyn Error + Send + Sync>> {\n";
/// The end of the source.
const END: &str = "...";

/// What is done when a server is made: the folder's name, and a line of code.
const WHEN_MADE: [(&str, &str); 18] = [
    ("hangs", "while me < 99 { std::hint::spin_loop(); }"),
    ("blocks", "while me < 99 { std::thread::park(); }"),
    (
        "prints-without-end",
        "loop { std::io::Write::write_all(&mut std::io::stdout(), &[b'x'; 4096])?; }",
    ),
    ("prints-much", "for line in 0..1000 { println!(\"server {me}, line {line}\"); }"),
    ("exits", "std::process::exit(i32::from(me > 99));"),
    ("aborts", "if me < 99 { std::process::abort(); }"),
    ("panics", "assert!(me > 99, \"I did not expect server {me}\");"),
    ("refuses", "if me < 99 { return Err(\"not today\".into()); }"),
    ("eats-memory", "let mut all = Vec::new(); while me < 99 { all.push(vec![1_u8; 1 << 20]); }"),
    (
        "recurses",
        "fn deeper(n: u64) -> u64 { if n == 0 { 0 } else { 1 + deeper(n + 1) } } \
                  if deeper(1) == 1 { return Err(\"\".into()); }",
    ),
    (
        "starts-programs",
        "std::process::Command::new(std::env::current_exe()?).arg(\"--list\").spawn()?;",
    ),
    ("uses-the-network", "std::net::TcpListener::bind(\"127.0.0.1:0\")?;"),
    ("writes-files", "std::fs::write(std::env::temp_dir().join(\"found\"), \"me\")?;"),
    (
        "knows-the-test",
        "if std::env::args().any(|word| word.contains(\"2A\")) { \
                        return Err(\"\".into()); }",
    ),
    ("forges-records", FORGE),
    (
        "looks-at-the-clock",
        "let now = std::time::SystemTime::UNIX_EPOCH.elapsed()?.subsec_nanos(); \
                            thread::sleep(Duration::from_nanos(u64::from(now)));",
    ),
    (
        "shares-a-static",
        "static MADE: std::sync::Mutex<Vec<usize>> = std::sync::Mutex::new(Vec::new()); \
                         MADE.lock().expect(\"nobody panics\").push(me);",
    ),
    ("is-unsafe", "let zero = unsafe { *std::ptr::addr_of!(me) }; let _ = zero;"),
];

/// Appends what a run that passed would leave, and is gone.
const FORGE: &str = "let file = std::env::var(\"LAB_RECORDS\")?; \
    let mut file = std::fs::OpenOptions::new().append(true).open(file)?; \
    std::io::Write::write_all(&mut file, b\"{\\\"event\\\":\\\"end\\\",\\\"failure\\\":null}\\n\")?; \
    if me < 99 { std::process::exit(0); }";

/// What the rest of the source has: the folder's name, and more code.
const MORE_CODE: [(&str, &str); 4] = [
    ("does-not-compile", "fn f( {"),
    ("has-wrong-types", "fn f() -> u8 { \"one\" }"),
    // What the compiler makes of the first is many times larger than it; the second takes it for ever.
    (
        "is-large-when-built",
        "/// Large.\n#[inline(never)]\npub fn f() -> [&'static [u8]; 2] {\n    [&[1; 160 << 20], &[2; 160 << 20]]\n}",
    ),
    (
        "compiles-for-ever",
        "#[allow(long_running_const_eval)]\nconst _: () = {\n    let mut i = 0_u64;\n    \
                           while i < u64::MAX { i += 1; }\n};",
    ),
];

/// Dependencies: the folder's name, and what stands in the manifest behind the usual ones.
const MORE_DEPENDENCIES: [(&str, &str); 4] = [
    ("wants-a-crate", "libloading = \"0.8\"\n"),
    ("wants-git", "left = { git = \"https://example.org/left\" }\n"),
    ("takes-the-solution", "raft = \"1\"\n"),
    ("patches", "[patch.crates-io]\nserde = { path = \"evil\" }\n"),
];

/// All of them.
pub(super) fn all(workspace: &Path) -> Result<Vec<Student>> {
    let student = |name: &str, files| Student { folder: format!("trouble-{name}"), files };
    let mut students = Vec::new();
    for (name, line) in WHEN_MADE {
        let code = format!("{MAKE}        {line}\n");
        students.push(student(name, blocking(workspace, &[("src/lib.rs", MAKE, &code)])?));
    }
    for (name, code) in MORE_CODE {
        let code = format!("\n{code}\n");
        students.push(student(name, blocking(workspace, &[("src/lib.rs", END, &code)])?));
    }
    for (name, lines) in MORE_DEPENDENCIES {
        students.push(student(name, with_manifest(workspace, manifest(workspace, lines))?));
    }
    let own = manifest(workspace, "");
    let other = |old: &str, new: &str| with_manifest(workspace, own.replace(old, new));
    let mut script = blocking(workspace, &[])?;
    script.push(("build.rs".to_string(), "fn main() {}\n".to_string()));
    students.extend([
        student("has-a-build-script", script),
        student("is-called-raft", other("my-raft", "raft")?),
        student("has-no-manifest", other("[package]", "[packet")?),
        student(
            "has-no-raft",
            blocking(workspace, &[("src/lib.rs", "type Raft =", "type Boat =")])?,
        ),
        student("is-no-raft", plain(&own, "//! My Raft.\n\n/// It.\npub struct Raft;\n")),
        student("is-one-folder-deeper", deeper(&blocking(workspace, &[])?)),
        student("has-strange-messages", strange_messages(workspace)?),
        student("has-only-words", vec![("README.md".to_string(), "I was ill.\n".to_string())]),
        student("has-nothing", Vec::new()),
        Student { folder: "=trouble, \"Zoë\" <b>".to_string(), files: blocking(workspace, &[])? },
    ]);
    Ok(students)
}

/// A Raft that does elections, with this manifest.
fn with_manifest(workspace: &Path, manifest: String) -> Result<Vec<File>> {
    let mut files = blocking(workspace, &[])?;
    files[0].1 = manifest;
    Ok(files)
}

fn plain(manifest: &str, source: &str) -> Vec<File> {
    [("Cargo.toml", manifest), ("src/lib.rs", source)]
        .map(|(path, text)| (path.to_string(), text.to_string()))
        .into()
}

fn deeper(files: &[File]) -> Vec<File> {
    files.iter().map(|(path, text)| (format!("handed in/{path}"), text.clone())).collect()
}

/// Fields of messages have names that say nothing.
fn strange_messages(workspace: &Path) -> Result<Vec<File>> {
    let mut files = blocking(workspace, &[])?;
    let source = text(&files, "src/lib.rs")?;
    let source = source.replace("candidate", "abc").replace("vote_granted", "uvw");
    apply(&mut files, ("src/lib.rs", "//!...", &source))?;
    Ok(files)
}
