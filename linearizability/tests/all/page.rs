//! The page and the text of a history.

use std::io::Write as _;
use std::process::Command;

use linearizability::models::{CasInput, CasOutput, CasRegister, Kv, KvInput, KvOutput};
use linearizability::view::Picture;
use linearizability::{Answer, History, Limits, Operation, Undecided, Violation, check};

/// A stale read, with this text wherever a client can put one.
fn stale(text: &str) -> (History<KvInput, KvOutput>, Picture) {
    let key = || text.to_string();
    let value = |n: u32| format!("{text}{n}");
    let put = |n| KvInput::Put { key: key(), value: value(n) };
    let history = History::new(vec![
        Operation::new(1, 0, put(1), 10, KvOutput::Done),
        Operation::new(1, 20, put(2), 30, KvOutput::Done),
        Operation::new(2, 40, KvInput::Get { key: key() }, 50, KvOutput::Value(value(1))),
        Operation::pending(3, 5, KvInput::Append { key: key(), value: value(3) }),
    ])
    .unwrap();
    let report = check(&Kv, &history, &Limits::default());
    let picture = Picture::new(text, &Kv, &history, &report.answer)
        .annotate(text, 15, Some(35), text)
        .annotate("crashes", 45, None, text);
    (history, picture)
}

/// The page without its data, style and script.
fn markup(page: &str) -> String {
    let mut out = page.to_string();
    for (begin, end) in [("<style", "</style>"), ("<script", "</script>"), ("<script", "</script>")]
    {
        let from = out.find(begin).unwrap();
        let to = from + out[from..].find(end).unwrap() + end.len();
        out.replace_range(from..to, "");
    }
    out
}

/// Checks that each element is closed in order; the page is written so that all must be.
fn check_nesting(page: &str) {
    let mut open = Vec::new();
    for tag in markup(page).split('<').skip(1) {
        let (tag, _) = tag.split_once('>').expect("each tag ends");
        let name = tag.split([' ', '\n']).next().unwrap();
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop().as_deref(), Some(name), "{tag}"),
            None if tag.ends_with('/') || tag.starts_with('!') => {}
            None => open.push(name.to_string()),
        }
    }
    assert!(open.is_empty(), "{open:?} stay open");
}

#[test]
fn the_page_is_well_formed_and_needs_no_network() {
    let page = stale("plain").1.page();
    check_nesting(&page);
    for address in ["http://", "https://", "src=", "@import", "url(", "{{", "fetch(", "import("] {
        assert!(!page.contains(address), "{address}");
    }
    assert!(page.contains("content=\"default-src 'none'; style-src"));
    assert!(!page.contains("innerHTML"), "what clients said must go into the page as text");
    assert!(page.contains("client 2: get &quot;plain&quot; -&gt; &quot;plain1&quot;"));
    assert!(page.contains("[2,0,5,6,40,50,null,\"get \\\"plain\\\" -\\u003e \\\"plain1\\\"\"]"));
    assert!(page.contains("\"culprit\":2"));
}

#[test]
fn any_text_stays_text() {
    let evil =
        "</script><!--<script>alert(1)</script>]]>{{data}}\"'&\u{2028}\u{1b}[31m\0\u{7f}\u{202e}\n";
    let picture = stale(evil).1;
    let page = picture.page();
    check_nesting(&page);
    assert_eq!((page.matches("<script").count(), page.matches("</script").count()), (2, 2));
    assert!(!page.contains("<!--") && !page.contains('\u{1b}') && !page.contains('\0'));
    let text = picture.text();
    assert!(!text.contains(['\u{1b}', '\0', '\u{7f}', '\u{202e}', '\u{2028}']), "{text:?}");
}

#[test]
fn the_text_shows_what_has_no_order() {
    let expected = "\
T: not linearizable
These 3 operations of \"T\" have no order, whatever the others did: even if none of those had returned.
Without any one of them there would be an order.

  client 1   |-------|                                  put \"T\" \"T1\"
  client 1                   |-------|                  put \"T\" \"T2\"
  client 2                                   |-------|  get \"T\" -> \"T1\"  <- certain with its return

The longest order has 3 operations:
     1. client 1   put \"T\" \"T1\"   now \"T1\"
     2. client 1   put \"T\" \"T2\"   now \"T2\"
     3. client 3   append \"T\" \"T3\"   now \"T2T3\"
";
    assert_eq!(stale("T").1.text(), expected);
}

/// Up to the wrong read the swap may have succeeded; in the end it says that it failed.
#[test]
fn an_operation_that_has_not_returned_yet_is_shown_without_its_output() {
    let swap = CasInput::Cas { from: 0, to: 1 };
    let read =
        |call, value| Operation::new(call, call, CasInput::Read, call + 1, CasOutput::Value(value));
    let operations =
        vec![Operation::new(1, 0, swap, 30, CasOutput::Swapped(false)), read(2, 1), read(11, 0)];
    let history = History::new(operations).unwrap();
    let model = CasRegister { initial: 0 };
    let report = check(&model, &history, &Limits::default());
    let picture = Picture::new("T", &model, &history, &report.answer);
    let text = picture.text();
    assert!(text.contains("1. client 1   cas 0 to 1 (not returned yet)   now 1\n"), "{text}");
    let page = picture.page();
    assert!(page.contains("[0,\"1\",\"cas 0 to 1 (not returned yet)\"],[1,\"1\"]"), "{page}");
    let Some(shown) = in_browser(&page, "") else { return };
    has(&shown, "client 1: cas 0 to 1 (not returned yet)");
}

#[test]
fn what_is_left_out_of_an_order_is_said_to_be() {
    let write = |n: u64| {
        let input = KvInput::Put { key: "k".into(), value: n.to_string() };
        match n {
            0 => Operation::new(n, 0, input, 1, KvOutput::Done),
            _ => Operation::pending(n, 0, input),
        }
    };
    let said = |operations: std::ops::Range<u64>| {
        let history = History::new(operations.map(write).collect()).unwrap();
        let report = check(&Kv, &history, &Limits::default());
        Picture::new("T", &Kv, &history, &report.answer).text()
    };
    let claim = |words: &str| format!("T: linearizable\n{words}\n");
    let left_out = "What is left out never returned, and need not have happened.";
    assert_eq!(said(0..1), claim("All 1 operations fit into one order."));
    assert_eq!(said(0..4), claim(&format!("1 of 4 operations fit into one order. {left_out}")));
    assert_eq!(said(1..2), claim(&format!("0 of 1 operations fit into one order. {left_out}")));
}

#[test]
fn an_undecided_history_says_how_far_it_came() {
    let history = stale("T").0;
    let limits = Limits { steps: 0, bytes: 0 };
    let open = linearizability::check_by(&Kv, &history, &[linearizability::Means::Search], &limits);
    let Answer::Undecided(Undecided { decided_objects: 0, .. }) = &open.answer else { panic!() };
    let text = Picture::new("T", &Kv, &history, &open.answer).text();
    assert_eq!(
        text,
        "T: undecided\n0 of 1 objects are linearizable, with 0 of 4 operations.\nOpen: \"T\". An order \
         of 0 of its 4 operations was found; the limit of steps was reached.\n"
    );
}

/// The colours of the page, light and then dark.
fn colours() -> Vec<Vec<(String, [f64; 3])>> {
    let css = include_str!("../../src/view/page/page.css");
    let blocks = css.split(":root {").skip(1).map(|block| block.split('}').next().unwrap());
    let colour = |entry: &str| {
        let (name, value) = entry.trim().strip_prefix("--")?.split_once(": #")?;
        let part = |at| f64::from(u8::from_str_radix(&value[at..at + 2], 16).unwrap()) / 255.0;
        Some((name.to_string(), [part(0), part(2), part(4)]))
    };
    blocks.map(|block| block.split(';').filter_map(colour).collect()).collect()
}

/// How bright a colour is (WCAG 2).
fn brightness(colour: [f64; 3]) -> f64 {
    let linear = |part: f64| {
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    };
    let [red, green, blue] = colour.map(linear);
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

#[test]
fn what_is_written_can_be_read_in_light_and_in_dark() {
    let pairs = [
        ("text", "back"),
        ("text", "soft"),
        ("dim", "back"),
        ("dim", "soft"),
        ("link", "back"),
        ("link", "soft"),
        ("good", "soft"),
        ("bad", "soft"),
        ("unsure", "soft"),
        ("on-bar", "bar"),
        ("on-in", "in"),
        ("on-out", "out"),
        ("on-culprit", "culprit"),
        ("on-note", "note"),
    ];
    let shapes =
        [("core", "back"), ("core", "soft"), ("edge", "back"), ("in", "back"), ("culprit", "soft")];
    let schemes = colours();
    assert_eq!(schemes.len(), 2);
    for scheme in schemes {
        let of = |name: &str| {
            scheme.iter().find(|(of, _)| of == name).unwrap_or_else(|| panic!("no {name}")).1
        };
        let contrast = |one: &str, other: &str| {
            let (one, other) = (brightness(of(one)), brightness(of(other)));
            (one.max(other) + 0.05) / (one.min(other) + 0.05)
        };
        for (text, back) in pairs {
            let contrast = contrast(text, back);
            assert!(contrast >= 4.5, "{text} on {back}: {contrast:.2}");
        }
        for (shape, back) in shapes {
            let contrast = contrast(shape, back);
            assert!(contrast >= 3.0, "{shape} on {back}: {contrast:.2}");
        }
    }
}

/// Without a window a browser makes frames when it likes, or none: here they are as certain as timers.
const FRAMES: &str =
    "<script>window.requestAnimationFrame = (draw) => setTimeout(draw, 16);</script>\n</head>";

/// The page as a browser shows it, if there is one. `hash` is the end of the address.
fn in_browser(page: &str, hash: &str) -> Option<String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("page.html");
    assert_eq!(page.matches("</head>").count(), 1);
    std::fs::write(&file, page.replacen("</head>", FRAMES, 1)).unwrap();
    let done = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"])
        .args(["--virtual-time-budget=5000", "--dump-dom"])
        // Browsers that run side by side share nothing.
        .arg(format!("--user-data-dir={}", dir.path().join("profile").display()))
        .arg(format!("file://{}{hash}", file.display()))
        .output();
    match done {
        Ok(done) => {
            let words = String::from_utf8_lossy(&done.stderr);
            assert!(done.status.success(), "the browser failed, {}: {words}", done.status);
            Some(String::from_utf8_lossy(&done.stdout).into_owned())
        }
        Err(_) if std::env::var_os("LINEARIZABILITY_NEEDS_BROWSER").is_some() => {
            panic!("there is no chromium")
        }
        Err(_) => {
            // Not by `eprintln!`, which the harness keeps to itself when a test passes.
            let _ =
                writeln!(std::io::stderr(), "SKIPPED, nothing was checked: there is no chromium");
            None
        }
    }
}

#[track_caller]
fn has(document: &str, part: &str) {
    assert!(document.contains(part), "no `{part}` in the page:\n{document}");
}

#[test]
fn the_chart_shows_operations_orders_and_notes() {
    let page = stale("T").1.page();
    let Some(shown) = in_browser(&page, "") else { return };
    has(&shown, "class=\"bar out core culprit chosen\"");
    // The longest order has the first put.
    has(&shown, "class=\"bar in core\"");
    has(&shown, "class=\"bar in pending\"");
    has(&shown, "No order contains it. The longest without it: 3 operations");
    has(&shown, "class=\"note\"");
    has(&shown, "class=\"band\"");
    // A link names an operation.
    let chosen = in_browser(&page, "#0").unwrap();
    has(&chosen, "class=\"bar in core chosen\"");
    has(&chosen, "The longest order with it: 3 operations");
}

/// A single read of what nobody wrote.
fn lone_read() -> Picture {
    let (input, output) = (KvInput::Get { key: "k".into() }, KvOutput::Value("zzz".into()));
    let history = History::new(vec![Operation::new(1, 0, input, 1, output)]).unwrap();
    let report = check(&Kv, &history, &Limits::default());
    let Answer::NotLinearizable(violation) = &report.answer else { panic!("{report:?}") };
    assert_eq!(violation.orders, Vec::<Vec<usize>>::new());
    Picture::new("T", &Kv, &history, &report.answer)
}

#[test]
fn where_nothing_can_be_ordered_no_order_is_shown() {
    let picture = lone_read();
    let text = picture.text();
    assert!(!text.contains("longest order"), "{text}");
    assert!(picture.page().contains("\"orders\":[]"));
    let Some(shown) = in_browser(&picture.page(), "") else { return };
    has(&shown, "class=\"names\"");
    has(&shown, "It is in no order that was looked for");
}

#[test]
fn thousands_of_operations_are_drawn_as_far_as_they_are_seen() {
    let put = |n: u64| KvInput::Put { key: "k".into(), value: n.to_string() };
    let operations =
        (0..20_000).map(|n| Operation::new(n % 8, 16 * n, put(n), 16 * n + 100, KvOutput::Done));
    let history = History::new(operations.collect()).unwrap();
    let report = check(&Kv, &history, &Limits::default());
    let page = Picture::new("many", &Kv, &history, &report.answer).page();
    assert!(page.len() < 3_000_000, "{}", page.len());
    let Some(shown) = in_browser(&page, "#10000") else { return };
    let bars = shown.matches("class=\"bar").count();
    assert!((5..500).contains(&bars), "{bars}");
}

/// A browser takes nothing for as wide as it is told to be from some millions of pixels on.
#[test]
fn the_wrong_read_at_the_end_of_a_very_long_history_is_drawn() {
    let put = |n: u64| KvInput::Put { key: "k".into(), value: n.to_string() };
    let mut operations: Vec<_> = (0..450_000)
        .map(|n| Operation::new(n % 8, 2 * n, put(n), 2 * n + 1, KvOutput::Done))
        .collect();
    let (culprit, at) = (operations.len(), 1_000_000);
    let (get, wrong) = (KvInput::Get { key: "k".into() }, KvOutput::Value("wrong".into()));
    operations.push(Operation::new(1, at, get, at + 1, wrong));
    let history = History::new(operations).unwrap();
    // By hand, since nobody needs to find it here.
    let violation = Violation {
        key: "k".to_string(),
        operations: vec![culprit],
        minimal: true,
        culprit,
        orders: Vec::new(),
    };
    let page = Picture::new("long", &Kv, &history, &Answer::NotLinearizable(violation)).page();
    let Some(shown) = in_browser(&page, "") else { return };
    // Not by `has`, which shows all that is there: millions of bytes.
    assert!(shown.contains("class=\"bar core culprit chosen\""), "the wrong read is not drawn");
}
