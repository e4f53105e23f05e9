//! The files of a crate, as far as they are of any interest.

use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// More than this is no student's crate, and would only fill our disk.
const MOST_FILES: usize = 5_000;
const MOST_BYTES: u64 = 64 << 20;
/// A system takes paths of some thousand bytes, and a copy lies deeper than what was handed in.
const MOST_OF_PATH: usize = 1024;
/// More Rust than this nobody writes for a lab, and to look through it takes 80 times as much memory.
const MOST_SOURCE: u64 = 4 << 20;

/// What was found below a folder, relative to it.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// In order.
    pub(crate) files: Vec<PathBuf>,
    /// What was left out though it may be part of the crate: links, and folders of what was built that cargo has not
    /// made.
    pub(crate) left_out: Vec<PathBuf>,
}

/// The folder in which cargo builds, beside a manifest; and what it puts there.
const BUILT: &str = "target";
const MARK_OF_BUILT: &str = "CACHEDIR.TAG";

/// The files below a folder. What was built (a folder `target` beside a manifest), what is hidden and
/// what is a link is left out: a link may lead anywhere.
///
/// # Errors
/// If something cannot be read, there is too much of it, or a path is too long.
pub(crate) fn find(top: &Path) -> Result<Found> {
    walk(top, |path, found, left, bytes| {
        ensure!(
            path.as_os_str().len() <= MOST_OF_PATH,
            "{} has a file or folder whose path has more than {MOST_OF_PATH} bytes",
            top.display()
        );
        ensure!(
            found.files.len() + left <= MOST_FILES && bytes <= MOST_BYTES,
            "{} has more than {MOST_FILES} files or {} MiB",
            top.display(),
            MOST_BYTES >> 20
        );
        Ok(())
    })
}

/// Walks through a folder; `check` is told where we are, what was found, how many folders are left and how many bytes there
/// were.
fn walk(top: &Path, check: impl Fn(&Path, &Found, usize, u64) -> Result<()>) -> Result<Found> {
    let (mut found, mut left, mut bytes) = (Found::default(), vec![PathBuf::new()], 0);
    while let Some(folder) = left.pop() {
        let dir = top.join(&folder);
        let cannot = || format!("cannot read {}", dir.display());
        for entry in fs::read_dir(&dir).with_context(cannot)? {
            let entry = entry.with_context(cannot)?;
            let (name, kind) = (entry.file_name(), entry.file_type().with_context(cannot)?);
            if name.to_string_lossy().starts_with('.') {
                continue;
            }
            let path = folder.join(&name);
            let at = path.clone();
            if kind.is_symlink() {
                found.left_out.push(path);
            } else if kind.is_dir() {
                let is_built = name == BUILT && dir.join("Cargo.toml").exists();
                match is_built {
                    false => left.push(path),
                    true if entry.path().join(MARK_OF_BUILT).exists() => {}
                    true => found.left_out.push(path),
                }
            } else if kind.is_file() {
                bytes += entry.metadata().with_context(cannot)?.len();
                found.files.push(path);
            }
            check(&at, &found, left.len(), bytes)?;
        }
    }
    found.files.sort();
    found.left_out.sort();
    Ok(found)
}

/// The files that [`find`] finds.
///
/// # Errors
/// As of [`find`].
pub(crate) fn files(top: &Path) -> Result<Vec<PathBuf>> {
    Ok(find(top)?.files)
}

/// The files below a folder of ours, relative to it: as many as there are.
///
/// # Errors
/// If something cannot be read.
pub(crate) fn below(top: &Path) -> Result<Vec<PathBuf>> {
    Ok(walk(top, |_, _, _, _| Ok(()))?.files)
}

/// The files with Rust in them.
fn rust(top: &Path) -> Result<impl Iterator<Item = PathBuf> + use<>> {
    let is_rust = |file: &PathBuf| file.extension().is_some_and(|ending| ending == "rs");
    Ok(files(top)?.into_iter().filter(is_rust))
}

/// What is wrong with a crate that has more Rust than can be looked through; none if it has not.
///
/// # Errors
/// As of [`files`].
pub(crate) fn too_much_source(top: &Path) -> Result<Option<String>> {
    let mut bytes = 0;
    for file in rust(top)? {
        let path = top.join(file);
        let data = fs::metadata(&path);
        bytes += data.with_context(|| format!("cannot read {}", path.display()))?.len();
    }
    let words = || {
        format!(
            "it has more than {} MiB of Rust source: leave out what is not of the lab",
            MOST_SOURCE >> 20
        )
    };
    Ok((bytes > MOST_SOURCE).then(words))
}

/// The files with Rust in them, with their texts.
///
/// # Errors
/// As of [`files`].
pub(crate) fn sources(top: &Path) -> Result<Vec<(PathBuf, String)>> {
    let read = |file: PathBuf| {
        let path = top.join(&file);
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok((file, String::from_utf8_lossy(&text).into_owned()))
    };
    rust(top)?.map(read).collect()
}

/// A short word that stands for these files of a folder, with their names: what was done with the same word need not
/// be done again. All files count, since a program can take any of them in.
///
/// # Errors
/// If one cannot be read.
pub(crate) fn print(top: &Path, files: &[PathBuf]) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    let mut add = |bytes: &[u8]| {
        hasher.write_usize(bytes.len());
        hasher.write(bytes);
    };
    for file in files {
        let path = top.join(file);
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        add(file.as_os_str().as_encoded_bytes());
        add(&bytes);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_or_built_or_a_link_is_left_out() {
        let top = tempfile::tempdir().expect("a folder");
        for folder in ["src/deep", "target", ".git"] {
            fs::create_dir_all(top.path().join(folder)).expect("a folder");
        }
        for file in ["src/lib.rs", "src/deep/a.rs", "target/x.rs", ".git/x.rs", "Cargo.toml"] {
            fs::write(top.path().join(file), file).expect("a file");
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink("lib.rs", top.path().join("src/link.rs")).expect("a link");
        let expected: Vec<PathBuf> =
            ["Cargo.toml", "src/deep/a.rs", "src/lib.rs"].map(PathBuf::from).into();
        assert_eq!(files(top.path()).expect("files"), expected);
        #[cfg(unix)]
        assert!(find(top.path()).expect("files").left_out.contains(&"src/link.rs".into()));
        let sources = sources(top.path()).expect("files");
        assert_eq!(sources[1], ("src/lib.rs".into(), "src/lib.rs".to_string()));
    }

    #[cfg(unix)]
    #[test]
    fn what_cannot_be_copied_to_a_longer_folder_is_refused() {
        let with = |letters: usize| {
            let top = tempfile::tempdir().expect("a folder");
            let (name, rest) = ("a".repeat(199), letters % 200);
            let folders = format!("{name}/").repeat(letters / 200);
            fs::create_dir_all(top.path().join(&folders)).expect("a folder");
            fs::write(top.path().join(folders).join("b".repeat(rest)), "").expect("a file");
            files(top.path()).map_err(|error| error.to_string())
        };
        assert_eq!(with(MOST_OF_PATH).expect("it is short enough").len(), 1);
        let words = with(MOST_OF_PATH + 1).expect_err("it is too long");
        assert!(words.contains("path has more than 1024 bytes"), "{words}");
    }

    #[test]
    fn who_writes_too_much_is_told() {
        let top = tempfile::tempdir().expect("a folder");
        let write = |name: &str, bytes: u64| {
            let file = fs::File::create(top.path().join(name)).expect("a file");
            file.set_len(bytes).expect("a length");
        };
        write("a.rs", MOST_SOURCE);
        write("data.bin", MOST_SOURCE);
        assert_eq!(too_much_source(top.path()).expect("it can be read"), None);
        write("b.rs", 1);
        let words = too_much_source(top.path()).expect("it can be read").expect("too much");
        assert!(words.contains("more than 4 MiB of Rust"), "{words}");
    }

    #[test]
    fn a_print_stands_for_names_and_contents_of_all_files() {
        let top = tempfile::tempdir().expect("a folder");
        let with = |name: &str, text: &str| {
            let file = top.path().join(name);
            fs::write(&file, text).expect("a file");
            let found = files(top.path()).expect("files");
            let print = print(top.path(), &found).expect("a print");
            fs::remove_file(file).expect("it is there");
            print
        };
        let usual = with("a", "1");
        assert_eq!(usual, with("a", "1"));
        for other in [with("b", "1"), with("a", "2")] {
            assert_ne!(usual, other);
        }
        // A program can take in what looks like prose, and decide by it.
        assert_ne!(with("mode.md", "1"), with("mode.md", "2"));
    }

    #[test]
    fn a_module_may_be_called_target_and_what_is_left_out_is_named() {
        let top = tempfile::tempdir().expect("a folder");
        let write = |file: &str| {
            let file = top.path().join(file);
            fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
            fs::write(file, "").expect("a file");
        };
        for file in ["Cargo.toml", "src/target/mod.rs", "own/Cargo.toml"] {
            write(file);
        }
        // What cargo has made there is of no interest; what somebody else has, may be.
        for file in ["target/CACHEDIR.TAG", "target/x.rs", "own/target/x.rs"] {
            write(file);
        }
        let found = find(top.path()).expect("files");
        let expected = ["Cargo.toml", "own/Cargo.toml", "src/target/mod.rs"].map(PathBuf::from);
        assert_eq!(found.files, expected);
        assert_eq!(found.left_out, ["own/target"].map(PathBuf::from));
        write("target/CACHEDIR.TAG.not");
        fs::remove_file(top.path().join("target/CACHEDIR.TAG")).expect("it is there");
        let found = find(top.path()).expect("files");
        assert_eq!(found.left_out, ["own/target", "target"].map(PathBuf::from));
    }
}
