//! A browser without a window, and what a page says about itself in it.

use std::env;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use run_record::trace::Trace;
use serde_json::Value;
use trace_view::page::render;

/// The variable that makes a missing browser a failure.
const NEEDED: &str = "TRACE_VIEW_NEEDS_BROWSER";
/// What a browser may be called.
const BROWSERS: [&str; 4] =
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
/// A browser that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(120);
/// Without a window a browser makes frames when it likes, or none: here they are as certain as timers.
const FRAMES: &str =
    "<script>window.requestAnimationFrame = (draw) => setTimeout(draw, 16);</script>\n</head>";
/// The browser, or none if there is none and none is needed.
pub(crate) fn browser(test: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut places =
        env::split_paths(&path).flat_map(|dir| BROWSERS.map(|name| dir.join(name)).into_iter());
    let found = places.find(|file| file.is_file());
    if found.is_none() {
        let names = BROWSERS.join(", ");
        assert!(
            env::var_os(NEEDED).is_none_or(|is| is != "1"),
            "{NEEDED}=1, but PATH has none of {names}"
        );
        // Not by `println!`, which the harness keeps to itself when a test passes.
        let text = format!("SKIPPED, nothing was checked: {test} needs one of {names} on PATH");
        let _ = writeln!(io::stdout(), "{text}");
    }
    found
}

/// What a page says about itself after the driver has used it.
pub(crate) struct Page {
    attributes: Vec<(String, String)>,
    pub(crate) said: Value,
    pub(crate) took: Duration,
}

impl Page {
    pub(crate) fn get(&self, name: &str) -> &str {
        let found = self.attributes.iter().find(|(of, _)| of == &format!("data-{name}"));
        found.map_or("", |(_, value)| value)
    }

    pub(crate) fn number(&self, name: &str) -> usize {
        self.get(name).parse().unwrap_or_else(|_| panic!("{name} is `{}`", self.get(name)))
    }

    /// What the page showed after a step of the driver.
    pub(crate) fn after(&self, step: &str, what: &str) -> &str {
        self.said[step][what].as_str().unwrap_or_else(|| panic!("no {what} after {step}"))
    }

    pub(crate) fn count_after(&self, step: &str, what: &str) -> usize {
        self.said[step][what].as_f64().unwrap_or_else(|| panic!("no {what} after {step}")) as usize
    }
}

/// How a page is opened.
pub(crate) struct Opened<'a> {
    /// What uses the page: a script that leaves what it has seen in `data-said` of the body.
    pub(crate) driver: &'a str,
    /// The end of the address.
    pub(crate) fragment: &'a str,
    pub(crate) size: (u32, u32),
    pub(crate) dark: bool,
}

/// Opens the page of a trace and lets the driver use it.
pub(crate) fn open(browser: &Path, trace: &Trace, how: &Opened<'_>) -> Page {
    let dir = tempfile::tempdir().expect("a directory");
    let (page, out) = (dir.path().join("page.html"), dir.path().join("out.html"));
    let html = render(trace);
    let html = html.replacen("</head>", FRAMES, 1);
    let (before, after) = html.rsplit_once("</body>").expect("a page has a body");
    fs::write(&page, [before, how.driver, after].concat()).expect("a page can be written");
    let mut child = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--hide-scrollbars", "--virtual-time-budget=60000", "--dump-dom"])
        .arg(format!("--window-size={},{}", how.size.0, how.size.1))
        .arg(format!("--blink-settings=preferredColorScheme={}", if how.dark { 0 } else { 1 }))
        .arg(format!("--user-data-dir={}", dir.path().join("profile").display()))
        .arg(format!("file://{}{}", page.display(), how.fragment))
        .stdout(File::create(&out).expect("a file"))
        .stderr(Stdio::null())
        .spawn()
        .expect("the browser starts");
    let began = Instant::now();
    while child.try_wait().expect("a child can be asked").is_none() {
        if began.elapsed() > LIMIT {
            let _ = child.kill();
            let _ = child.wait();
            panic!("the browser did not come to an end in {LIMIT:?}");
        }
        sleep(Duration::from_millis(20));
    }
    let took = began.elapsed();
    let document = String::from_utf8_lossy(&fs::read(&out).expect("it has written")).into_owned();
    let attributes = attributes(&document);
    let said = attributes.iter().find(|(name, _)| name == "data-said").map(|(_, value)| value);
    let said = said.map_or(Value::Null, |text| serde_json::from_str(text).expect("it is JSON"));
    let page = Page { attributes, said, took };
    assert_eq!(page.get("error"), "", "the page's script failed");
    assert_eq!(page.get("ready"), "yes", "the page is not ready: {:?}", page.attributes);
    assert_ne!(page.said, Value::Null, "the driver did not come to its end");
    page
}

/// The attributes of the body.
fn attributes(document: &str) -> Vec<(String, String)> {
    let (_, rest) = document.split_once("<body").expect("a document has a body");
    let (mut rest, mut out) = (rest, Vec::new());
    while let Some((name, more)) = rest.split_once("=\"") {
        if name.contains('>') {
            break;
        }
        let (value, more) = more.split_once('"').expect("each attribute ends");
        let value = value.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">");
        out.push((
            name.trim().to_string(),
            value.replace("&nbsp;", "\u{a0}").replace("&amp;", "&"),
        ));
        rest = more;
    }
    out
}
