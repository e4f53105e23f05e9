//! The files that a traced run leaves behind: its trace, and a page to look at.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use labtrace::Verdict;
use run_record::setting::Setting;
use run_record::trace::{Footer, Header, Trace, VERSION, write_whole};
use run_record::{Clock, file_name};

use crate::run::{Paper, Run};

/// The environment variable that asks for the trace of each run and names the folder for it.
pub const VARIABLE: &str = "LAB_TRACE";

/// Longer texts of a verdict are cut off here, in bytes: a panic may say anything.
pub(crate) const LONGEST_TEXT: usize = 8 << 10;

/// Where traces go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// The folder that the environment names.
    pub(crate) fn from_environment() -> Option<Folder> {
        let folder = std::env::var_os(VARIABLE).filter(|folder| !folder.is_empty())?;
        Some(Folder(folder.into()))
    }

    /// Where the traces of a package's failed runs go by themselves: beside what cargo builds, if it
    /// has said where that is. Other packages have tests of the same names.
    pub(crate) fn usual(scratch: Option<&str>, package: &str) -> Folder {
        let traces = match scratch.and_then(|scratch| Path::new(scratch).parent()) {
            Some(target) => target.join("traces"),
            None => std::env::temp_dir().join("raft-lab-traces"),
        };
        Folder(traces.join(package))
    }
}

/// What was written.
pub(crate) struct Files {
    pub(crate) trace: PathBuf,
    /// Or why there is none.
    pub(crate) page: Result<PathBuf, String>,
    /// What else there is, by its name; or why it is not.
    pub(crate) papers: Vec<(&'static str, Result<PathBuf, String>)>,
}

/// Which run it was.
pub(crate) struct About<'a> {
    pub(crate) test: &'a str,
    /// Its path in its test program, by which its files are called.
    pub(crate) path: String,
    pub(crate) title: &'a str,
    pub(crate) part: &'a str,
    pub(crate) package: &'a str,
    pub(crate) servers: u32,
    pub(crate) seed: Option<u64>,
    pub(crate) setting: Setting,
    pub(crate) replay: String,
}

/// Writes what a run has recorded and what it leaves, or says why that cannot be done.
pub(crate) fn write(
    folder: &Folder,
    about: &About<'_>,
    run: &Run,
    verdict: Option<&Verdict>,
) -> Result<Files, String> {
    let session = run.session();
    let recorded = session.take();
    let header = Header {
        trace: VERSION,
        test: about.test.to_string(),
        title: about.title.to_string(),
        part: about.part.to_string(),
        package: about.package.to_string(),
        clock: if about.seed.is_some() { Clock::Sim } else { Clock::Real },
        seed: about.seed,
        setting: (!about.setting.is_whole()).then(|| about.setting.to_string()),
        replay: about.replay.clone(),
        lanes: session.lanes(),
        servers: about.servers,
    };
    let end_us = verdict.map(|verdict| verdict.us);
    let last_us = recorded.events.last().map_or(0, |event| event.us);
    let footer = Footer {
        end_us: end_us.unwrap_or(last_us),
        events: recorded.total,
        verdict: verdict.cloned().map(|mut verdict| {
            verdict.shorten(LONGEST_TEXT);
            verdict
        }),
    };
    let trace = Trace { header, events: recorded.events, footer: Some(footer) };
    let name = file_name(&about.path);
    let stem = match about.seed {
        Some(seed) => format!("{name}-{seed}"),
        None => format!("{name}-real"),
    };
    let path = folder.0.join(format!("{stem}.ndjson"));
    fs::create_dir_all(&folder.0).map_err(|error| cannot(&folder.0, &error))?;
    trace.write(&path).map_err(|error| cannot(&path, &error))?;
    let page = folder.0.join(format!("{stem}.html"));
    let page = caught(|| match trace_view::page::write(&trace, &page) {
        Ok(()) => Ok(page),
        Err(error) => Err(cannot(&page, &error)),
    });
    let mut files = Files { trace: path, page, papers: Vec::new() };
    for Paper { name, extension, text } in run.papers() {
        let path = folder.0.join(format!("{stem}-{name}.{extension}"));
        let written = write_whole(&path, |out| out.write_all(text.as_bytes()));
        files.papers.push((name, written.map_err(|error| cannot(&path, &error)).map(|()| path)));
    }
    Ok(files)
}

fn cannot(path: &Path, error: &io::Error) -> String {
    format!("cannot write {}: {error}", path.display())
}

/// What was to be made of a run's trace, or why it could not be. What is in a trace comes from code under test: if
/// it is more than ours can take, the verdict is said all the same.
pub(crate) fn caught<T>(make: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(make)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| text.to_string());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        let why = text.map(|text| format!(": {text}")).unwrap_or_default();
        Err(format!("making it panicked{why}; please report this as a mistake of the tester"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_cannot_be_made_says_why() {
        assert_eq!(caught(|| Ok(1)), Ok(1));
        assert_eq!(caught(|| Err::<u8, _>("no room".to_string())), Err("no room".to_string()));
        for panics in [|| panic!("too many"), || panic!("too {}", "many")] as [fn() -> u8; 2] {
            let words = caught(|| Ok(panics())).expect_err("it panics");
            assert!(words.starts_with("making it panicked: too many; "), "{words}");
        }
    }

    #[test]
    fn packages_do_not_overwrite_each_others_traces() {
        let folder = |package| Folder::usual(Some("/project/target/tmp"), package).0;
        assert_eq!(folder("my-raft"), Path::new("/project/target/traces/my-raft"));
        assert_eq!(folder("raft-zoo"), Path::new("/project/target/traces/raft-zoo"));
    }
}
