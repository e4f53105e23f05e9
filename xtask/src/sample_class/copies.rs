//! Crates of this workspace as students would hand them in.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::File;
use crate::grade::sources;
use crate::skeleton::in_quotes;

/// A change of a source: in which file, from what to what. An old text that ends with `...` stands for all from
/// there on.
pub(super) type Change<'a> = (&'a str, &'a str, &'a str);

/// What all of them depend on.
const OURS: [&str; 6] = ["labgob", "labrpc", "labrt", "labtrace", "persister", "raft-api"];
const OTHERS: &str = "bytes = \"1\"\nserde = \"1\"\nthiserror = \"2\"\n";

/// A crate with the sources of one of this workspace, changed.
pub(super) fn copy(workspace: &Path, dir: &str, changes: &[Change<'_>]) -> Result<Vec<File>> {
    let mut files = vec![("Cargo.toml".to_string(), manifest(workspace, ""))];
    for (path, text) in sources(&workspace.join(dir))? {
        let path = path.to_string_lossy().replace('\\', "/");
        if path.starts_with("src/") {
            files.push((path, text));
        }
    }
    for change in changes {
        apply(&mut files, *change).with_context(|| format!("{dir} is not what it was"))?;
    }
    Ok(files)
}

/// The manifest of a crate, with more dependencies.
pub(super) fn manifest(workspace: &Path, more: &str) -> String {
    let line =
        |name: &str| format!("{name} = {{ path = \"{}\" }}\n", in_quotes(&workspace.join(name)));
    let ours = OURS.map(line).concat();
    format!(
        "[package]\nname = \"my-raft\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
         [dependencies]\n{ours}{OTHERS}{more}\n[workspace]\n"
    )
}

/// Makes a change.
///
/// # Errors
/// If there is nothing to change.
pub(super) fn apply(files: &mut [File], (path, old, new): Change<'_>) -> Result<()> {
    let file = files.iter_mut().find(|(name, _)| name == path);
    let (_, text) = file.with_context(|| format!("there is no {path}"))?;
    match old.strip_suffix("...") {
        Some("") => text.push_str(new),
        Some(old) => {
            let place = text.find(old).with_context(|| format!("{path} has no `{old}`"))?;
            text.truncate(place);
            text.push_str(new);
        }
        None => {
            ensure!(text.contains(old), "{path} has no `{old}`");
            *text = text.replacen(old, new, 1);
        }
    }
    Ok(())
}
