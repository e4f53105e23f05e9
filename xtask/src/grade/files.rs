//! The files of a crate, as far as they are of any interest.

use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// More than this is no student's crate, and would only fill our disk.
const MOST_FILES: usize = 5_000;
const MOST_BYTES: u64 = 64 << 20;
/// More Rust than this nobody writes for a lab, and to look through it takes 80 times as much memory.
const MOST_SOURCE: u64 = 4 << 20;

/// The files below a folder, relative to it, in order. What was built (`target`), what is hidden and what is a
/// link is left out: a link may lead anywhere.
///
/// # Errors
/// If something cannot be read, or there is too much of it.
pub(crate) fn files(top: &Path) -> Result<Vec<PathBuf>> {
    let (mut found, mut left, mut bytes) = (Vec::new(), vec![PathBuf::new()], 0);
    while let Some(folder) = left.pop() {
        let dir = top.join(&folder);
        let cannot = || format!("cannot read {}", dir.display());
        for entry in fs::read_dir(&dir).with_context(cannot)? {
            let entry = entry.with_context(cannot)?;
            let (name, kind) = (entry.file_name(), entry.file_type().with_context(cannot)?);
            if name.to_string_lossy().starts_with('.') || name == "target" {
                continue;
            }
            if kind.is_dir() {
                left.push(folder.join(name));
            } else if kind.is_file() {
                bytes += entry.metadata().with_context(cannot)?.len();
                found.push(folder.join(name));
            }
            ensure!(
                found.len() + left.len() <= MOST_FILES && bytes <= MOST_BYTES,
                "{} has more than {MOST_FILES} files or {} MiB",
                top.display(),
                MOST_BYTES >> 20
            );
        }
    }
    found.sort();
    Ok(found)
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

/// What has no part in what a program does.
const PROSE: [&str; 4] = ["md", "svg", "png", "html"];

/// A short word that stands for these settings and all files of these folders, but for prose and pictures: what
/// was done with the same word need not be done again.
///
/// # Errors
/// As of [`files`].
pub(crate) fn print(settings: &str, folders: &[&Path]) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    let mut add = |bytes: &[u8]| {
        hasher.write_usize(bytes.len());
        hasher.write(bytes);
    };
    add(settings.as_bytes());
    for folder in folders {
        for file in files(folder)? {
            if PROSE.iter().any(|prose| file.extension().is_some_and(|ending| ending == *prose)) {
                continue;
            }
            let path = folder.join(&file);
            let bytes =
                fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            add(file.as_os_str().as_encoded_bytes());
            add(&bytes);
        }
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
        let sources = sources(top.path()).expect("files");
        assert_eq!(sources[1], ("src/lib.rs".into(), "src/lib.rs".to_string()));
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
    fn a_print_stands_for_settings_names_and_contents() {
        let top = tempfile::tempdir().expect("a folder");
        let with = |name: &str, text: &str, settings: &str| {
            let file = top.path().join(name);
            fs::write(&file, text).expect("a file");
            let print = print(settings, &[top.path()]).expect("a print");
            fs::remove_file(file).expect("it is there");
            print
        };
        let usual = with("a", "1", "s");
        assert_eq!(usual, with("a", "1", "s"));
        fs::write(top.path().join("README.md"), "words").expect("a file");
        assert_eq!(usual, with("a", "1", "s"));
        for other in [with("b", "1", "s"), with("a", "2", "s"), with("a", "1", "t")] {
            assert_ne!(usual, other);
        }
    }
}
