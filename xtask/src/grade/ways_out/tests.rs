use super::*;

fn found(text: &str) -> Found {
    let found = read(text);
    assert_eq!(found.unread, [""; 0], "it is Rust: {text}");
    found
}

#[test]
fn only_code_is_unguarded() {
    let text = "#![forbid(unsafe_code)]\n// unsafe\nfn a() { let x = \"unsafe\"; }\n\
                macro_rules! m { () => { unsafe { f() } } }\n#[unsafe(no_mangle)] fn g() {}";
    let mut unguarded = found(text).unguarded;
    unguarded.sort();
    assert_eq!(unguarded, ["`no_mangle` at a.rs:5", "`unsafe` at a.rs:4", "`unsafe` at a.rs:5"]);
}

#[test]
fn a_static_that_can_hold_state_is_named_and_a_constant_is_not() {
    for shared in [
        "static COUNT: AtomicU64 = AtomicU64::new(0);",
        "static S: OnceLock<Mutex<Vec<u8>>> = OnceLock::new();",
        "static mut N: u32 = 0;",
        "thread_local! { static T: Cell<u32> = const { Cell::new(0) }; }",
        "lazy_static! { static ref X: u32 = 7; }",
        "static T: Table = Table(1);",
        "fn f() { std::panic::set_hook(h); }",
        "use labrt::world;",
        "use l::{world as w};",
        "use labrt::{thread, world};",
        "fn f() { l::world::local::<Table>(); }",
        "lazy_static::__lazy_static_create!(BOARD, Mutex<u64>);",
        "use lazy_static::__lazy_static_internal as l;",
    ] {
        assert_eq!(found(shared).shared.len(), 1, "{shared}");
    }
    for constant in [
        "static NAMES: [&'static str; 2] = [\"a\", \"b\"];",
        "static LIMIT: Duration = Duration::from_millis(1);",
        "fn f(x: &'static Mutex<u32>) {}",
        "const M: AtomicU64 = AtomicU64::new(0);",
    ] {
        assert_eq!(found(constant), Found::default(), "{constant}");
    }
}

#[test]
fn what_the_linker_is_to_find_is_unguarded() {
    for text in [
        "extern \"C\" { fn no_such_thing(); }",
        "extern { fn no_such_thing(); }",
        "extern r\"C\" { }",
        "m!(extern \"C\" { fn no_such_thing(); });",
        "macro_rules! m { ($a:literal) => { extern $a { fn no_such_thing(); } } } m!(\"C\");",
    ] {
        assert_eq!(found(text).unguarded, ["`extern` at a.rs:1"], "{text}");
    }
    for text in [
        "extern crate alloc;",
        "pub extern \"C\" fn f() {} struct A { f: extern fn(u8) -> u8 } fn r#extern() {}",
    ] {
        assert_eq!(found(text), Found::default(), "{text}");
    }
}

/// What is found in a file, whether it is Rust or not.
fn read(text: &str) -> Found {
    Found::of(&[("a.rs".into(), text.to_string())])
}

#[test]
fn what_is_no_rust_is_not_taken_for_empty() {
    for text in ["fn f() {\n\"", "fn f( {", "\u{feff}/*", "#![allow(x)]\n\""] {
        assert_eq!(read(text).unread.len(), 1, "{text}");
    }
    let line = &read("// one\nfn f() { \"").unread[0];
    assert!(line.starts_with("a.rs:"), "{line}");
}

#[test]
fn a_first_line_for_a_shell_hides_nothing() {
    let hidden = "static COUNT: AtomicU64 = AtomicU64::new(0);";
    for first in ["#!/bin/x \"", "#! x (", "\u{feff}#!/bin/x '", "#!", "#!// x", "#![a]", "#! [a]"]
    {
        let found = read(&format!("{first}\n{hidden}\n"));
        assert_eq!(found.shared, ["`static` at a.rs:2"], "{first}: {found:?}");
    }
    for first in ["#!/* */ [a]", "#! \u{200e}[a]"] {
        assert!(read(&format!("{first} {hidden}")) != Found::default(), "{first}");
    }
}

#[test]
fn code_from_elsewhere_is_named() {
    for text in [
        "include!(\"shared.txt\");",
        "std::r#include!(\"shared.txt\");",
        "use std::{include as i};",
        "m!(include);",
        "#[path = \"shared.inc\"] mod shared;",
        "#[cfg_attr(all(), path = \"shared.inc\")] mod shared;",
        "m!(path = \"shared.inc\");",
        "m! { { path = \"shared.inc\"; } }",
        "macro_rules! m { () => { (path = \"shared.inc\") } }",
        "macro_rules! m { () => { include } }",
        "use std::include;",
        "use m as vec; vec![include];",
        "macro_rules! vec { ($i:ident) => { $i!(\"x.txt\"); } } vec![include];",
        "use std::{fmt, include};",
        "fn f() { include!{\"shared.txt\"} }",
    ] {
        assert_eq!(read(text).elsewhere.len(), 1, "{text}");
    }
    for text in [
        "let path = \"x\"; self.path = \"y\"; let p = path(1);",
        "const README: &str = include_str!(\"../README.md\");",
        "#[derive(Debug)] struct A { path: String }",
        "fn f() { let mut path; path = \"x\"; if x { path = \"y\"; } }",
        "fn include(include: bool) { if include != self.include { m::include(); } }",
        "fn f(include: bool) { vec![include]; assert!(include, \"include {}\", include); println!(\"{include}\"); }",
        "fn f() { println!(\"{path}\", path = \"x\"); }",
        "struct A { include: bool } fn f(a: A) { a.include = true; let include = !(a.include); }",
    ] {
        assert_eq!(read(text), Found::default(), "{text}");
    }
    let found = read("#[link(name = \"x\")] extern \"C\" {} fn f() { std::panic::r#set_hook(h); }");
    assert_eq!((found.unguarded.len(), found.shared.len()), (2, 1), "{found:?}");
}

#[test]
fn what_reaches_past_the_lab_is_named() {
    let text = "use std::{fs, sync::Arc};\nfn f() { std::env::args(); self.process(); }";
    assert_eq!(found(text).outside, ["`std::fs` at a.rs:1", "`std::env` at a.rs:2"]);
    let text = "use labrt::{env, thread};\nuse labrt::sync::Mutex;\nlet world = env;";
    assert_eq!(found(text).outside, ["`labrt::env` at a.rs:1"]);
    assert_eq!(found(text).shared, [""; 0]);
    for (text, place) in [
        ("fn f() { std::r#env::set_var(k, v); }", "std::env"),
        ("use std::r#fs;", "std::fs"),
        ("use r#std::{fmt, r#env};", "std::env"),
        ("use std::{{env, fmt}};", "std::env"),
        ("use std::{fmt, {sync, {io, env}}};", "std::env"),
        ("macro_rules! m { ($w:ident) => { std::$w::args() } } m!(env);", "std::$"),
        ("use std::{a::{b, $w}, $w};", "std::$"),
    ] {
        assert_eq!(found(text).outside, [format!("`{place}` at a.rs:1")], "{text}");
    }
    for (text, place) in [
        ("fn f() { std::backtrace::Backtrace::force_capture(); }", "std::backtrace"),
        ("use std::{os, fmt};", "std::os"),
        ("fn f() -> bool { std::path::Path::new(\"/x\").exists() }", "std::path"),
        ("use std::{fmt, path::PathBuf};", "std::path"),
        ("fn f() { std::thread::spawn(g); }", "std::thread"),
        ("fn f() { std::thread::current().name(); }", "std::thread"),
        ("use std::time::{Duration, Instant};", "std::time::Instant"),
        ("use std::{fmt, time::{Instant}};", "std::time::Instant"),
        ("use std::{fmt, {time::SystemTime}};", "std::time::SystemTime"),
        ("fn f() { std::time::UNIX_EPOCH; }", "std::time::UNIX_EPOCH"),
        ("use std::time::*;", "std::time::*"),
        ("use std::time;", "std::time"),
        ("use std::{fmt, time as t};", "std::time"),
        ("use persister::FilePersister;", "FilePersister"),
        ("fn f(b: Builder) { b.outside_nodes(); }", "outside_nodes"),
    ] {
        assert_eq!(found(text).outside, [format!("`{place}` at a.rs:1")], "{text}");
    }
    for text in [
        "use std::time::Duration; use std::{fmt, time::Duration as D};",
        "use labrt::time::{Duration, Instant}; use labrt::{thread, time::Instant};",
        "fn f(path: &str, os: u8) { labrt::thread::spawn(g); self.path.exists(); time::Instant::now(); }",
        "use a::{std::x, time::Instant};",
    ] {
        assert_eq!(found(text).outside, [""; 0], "{text}");
    }
    assert_eq!(found("use std::{a::{env}, b::{{fs}}};").outside, [""; 0]);
    let text = "macro_rules! s { ($w:ident) => { labrt::$w::local::<Board>() } } s!(world);";
    assert_eq!(found(text).shared, ["`labrt::$` at a.rs:1", "`world` at a.rs:1"]);
}

/// What a macro is given in parts it may put together.
#[test]
fn a_path_that_a_macro_puts_together_is_found() {
    let both = "macro_rules! m { ($a:ident, $b:ident) => { $a::$b::local::<AtomicU64>() } }";
    let deep =
        "macro_rules! m { ($a:ident, $b:ident) => { labrpc::$a::$b::local::<AtomicU64>() } }";
    let sign = "macro_rules! m { ($a:tt, $c:tt, $b:tt) => { $a $c $b $c local::<AtomicU64>() } }";
    let cut = "macro_rules! m { ($a:tt::$x:tt, $b:tt) => { $a::$b::local::<AtomicU64>() } }";
    let one = "macro_rules! m { ($b:ident) => { $b::local::<AtomicU64>() } }";
    for (text, places) in [
        (format!("{both} m!(labrt, world);"), ["labrt", "world"].as_slice()),
        (format!("{both} m!(r#labrt, r#world);"), &["labrt", "world"]),
        (format!("{deep} m!(labrt, world);"), &["labrt", "world"]),
        (format!("{sign} m!(labrt, ::, world);"), &["labrt", "world"]),
        (format!("{cut} m!(labrt::time, world);"), &["world"]),
        (format!("use labrt::*; {one} m!(world);"), &["world"]),
        (format!("{one} m!(world); mod a {{ use labrpc::{{labrt::*}}; }}"), &["world"]),
    ] {
        let places: Vec<String> =
            places.iter().map(|place| format!("`{place}` at a.rs:1")).collect();
        assert_eq!(found(&text).shared, places, "{text}");
    }
    for text in [
        format!("{both} m!(std, env);"),
        format!("{sign} m!(std, ::, env);"),
        "macro_rules! m { ($a:ident) => { $a::env::args() } } m!(std);".to_string(),
    ] {
        assert_eq!(found(&text).outside, ["`std` at a.rs:1"], "{text}");
    }
    // Nothing of all this is in ordinary macros.
    for text in [
        "macro_rules! m { ($t:ident, $v:ident) => { matches!(x, $t::$v) } } fn f() { m!(Role, Leader); }",
        "macro_rules! new { ($t:ty) => { <$t>::new() } } fn f() { new!(Vec<u8>); }",
        "macro_rules! say { ($w:expr) => { println!(\"{}\", $w) } } fn f(world: &World) { say!(world); say!(world.name); }",
        "macro_rules! soon { () => { labrt::time::Instant::now() } } use labrt::thread;",
        "fn f(labrt: u8, std: f64) { println!(\"{labrt} {}\", std); assert!(labrt > 1); }",
    ] {
        assert_eq!(found(text), Found::default(), "{text}");
    }
}

#[test]
fn what_the_compiler_reads_otherwise_hides_nothing() {
    let board = "static BOARD: AtomicU64 = AtomicU64::new(0);";
    for text in [
        format!("n! {{ cr#\"a\" {{ {board} }} \"b\"# }}"),
        format!("n! {{ cr\"\\\" {{ {board} }} \"//\"\n }}"),
        format!("n! {{ 'r\"\\\" \" {{ {board} }} \"//\"\n}}"),
        format!("n! {{ 'br\"\\\" \" {{ {board} }} \"//\"\n}}"),
        // Older editions read `'r`, `#`, `static`.
        format!("n! {{ 'r#{board} }}"),
        "n! { 'r#unsafe { f() } }".to_string(),
    ] {
        assert_eq!(read(&text).unread.len(), 1, "{text}");
    }
    let usual =
        "fn f<'r>(x: &'r str) { g('r', 'x', \"'\", r\"\\\", br#\"'\"#, c\"x\"); 'a: loop {} }";
    assert_eq!(read(usual), Found::default());
}

#[test]
fn no_nesting_is_too_deep_to_be_searched() {
    let deep = 100_000;
    let [open, close] = ["(", ")"].map(|sign| sign.repeat(deep));
    for text in [
        format!("{open}{close}"),
        format!("{open}{close} a"),
        format!("a::{open}{close}"),
        format!("static A: {open}{close} = 1;"),
        format!("&'a &'b {open}{close}"),
        format!("use std::{}{};", "{".repeat(deep), "}".repeat(deep)),
    ] {
        found(&text);
    }
}

#[test]
fn a_static_is_no_constant_if_its_type_has_another_meaning() {
    let board = "static BOARD: Duration = Duration::new(Vec::new());";
    for meaning in [
        "type Duration = Mutex<Vec<u64>>;",
        "pub(crate) type r#Duration = Mutex<Vec<u64>>;",
        "mod m { pub struct Duration(Mutex<u64>); } use m::*;",
        "enum Duration { A(Mutex<u64>) }",
        "union Duration { a: u64 }",
        "trait Duration: Sync {}",
        "use std::sync::Mutex as Duration;",
        "use std::{cell::Cell, sync::{atomic::AtomicU64 as Duration}};",
        "macro_rules! m { ($n:ident) => { type $n = Mutex<u64>; } } m!(Duration);",
        "macro_rules! m { ($k:tt) => { $k Duration(Mutex<u64>); } } m!(struct);",
        "macro_rules! m { ($n:ident) => { use std::sync::Mutex as $n; } } m!(Duration);",
        "macro_rules! m { ($($t:tt)*) => { use $($t)*; } } m!(std::sync::Mutex as Duration);",
    ] {
        for text in [format!("{meaning}\n{board}"), format!("{board}\n{meaning}")] {
            let shared = found(&text).shared;
            let named = shared.first().is_some_and(|it| it.contains("(its type may mean `"));
            assert!(shared.len() == 1 && named, "{text}: {shared:?}");
        }
    }
    let shared = found("type u64 = std::sync::Mutex<u8>; static X: [u64; 1] = f();").shared;
    assert_eq!(shared, ["`static` at a.rs:1 (its type may mean `type u64` at a.rs:1)"]);
    // What a macro is given it may change.
    assert_eq!(found("m!(static X: u8 = 3;);").shared, ["`static` at a.rs:1"]);
    assert_eq!(found("m! { mod a { static X: &str = \"\"; } }").shared.len(), 1);
}

#[test]
fn own_names_and_usual_macros_are_as_good_as_any() {
    for text in [
        "struct Log; type Term = u64; enum Role { A } static N: Role2 = 1;".replace("Role2", "u8"),
        "use std::time::Duration; use std::fmt::Write as _; static T: Duration = Duration::ZERO;".into(),
        "use a::Log as RaftLog; static N: u64 = 1; fn f(x: u8) -> u64 { x as u64 }".into(),
        "macro_rules! say { ($f:expr $(, $x:expr)*) => { println!($f $(, $x as u64)*) } } static N: u64 = 1;".into(),
        "macro_rules! m { ($x:ident) => { use $crate::a::b; let y = $x as u8; } } static N: u8 = 1;".into(),
        "struct Duration(u64); type u8 = u16;".into(),
        "static N: u8 = 1; fn f() -> impl Iterator<Item = u8> + use<> { g(h as u8) }".into(),
        "let std = 3.0; let y = std as f64; m!(std as u64);".into(),
        "use labrt as _; extern crate alloc; use std::{self, fmt as f};".into(),
        "fn f<'a, 'b>(x: &'a &'b str, y: &'static [&'static str], z: &'a &'static str) {}".into(),
    ] {
        let found = found(&text);
        assert_eq!((&found.shared, &found.renamed), (&Vec::new(), &Vec::new()), "{text}");
        assert_eq!((&found.unsound, &found.outside), (&Vec::new(), &Vec::new()), "{text}");
    }
}

#[test]
fn crates_are_called_by_their_own_names() {
    for text in [
        "use std as s;",
        "use ::std as s;",
        "extern crate std as s;",
        "use {core as c, a::b};",
        "use labrt::{thread, self as l};",
        "mod m { pub(crate) use labrt as l; }",
        "use r#std as s;",
        "use labrt::{{self as l}};",
    ] {
        assert_eq!(found(text).renamed.len(), 1, "{text}");
    }
    let text = "use labrt::Node;\nuse labrt::{Node as N};\nuse std::*;\nuse labrt::{*};";
    let mut outside = found(text).outside;
    outside.sort();
    let names = [
        "labrt::*` at a.rs:4",
        "labrt::Node` at a.rs:1",
        "labrt::Node` at a.rs:2",
        "std::*` at a.rs:3",
    ];
    assert_eq!(outside, names.map(|name| format!("`{name}")));
}

#[test]
fn references_that_get_around_the_guard_are_named() {
    for (text, count) in [
        ("const UNIT: &'static &'static () = &&();", 1),
        ("static U: &'static &'static u8 = &&1;", 1),
        ("fn f<'a, 'b, T>(_: &'a &'b (), x: &'b mut T) -> &'a mut T { x }", 1),
        ("struct S<'a, 'b>(PhantomData<&'a &'b ()>);", 1),
        ("fn f<'a>(x: &'a &'static str, y: &'a (), z: &'a &'a mut u8) {}", 0),
    ] {
        assert_eq!(found(text).unsound.len(), count, "{text}");
    }
}

/// The servers of a run can share what this hides in a text: serde's derive takes it for code.
const HIDDEN: &str = "[u8; hide!(static ALL: Mutex<u64> = Mutex::new(0);)]: Sized";

#[test]
fn texts_that_are_code_are_searched() {
    for text in [
        format!("#[serde(bound = \"{HIDDEN}\")] struct A;"),
        format!("#[serde(bound = r#\"{HIDDEN}\"#)] struct A;"),
        format!("#[serde(bound(serialize = \"{HIDDEN}\"))] struct A;"),
        format!("#[cfg_attr(all(), serde(bound = \"{HIDDEN}\"))] struct A;"),
        format!(
            "#[cfg_attr(all(), cfg_attr(doc, serde(bound(deserialize = r\"{HIDDEN}\"))))] struct A;"
        ),
        format!("#[strum_discriminants(serde(bound = \"{HIDDEN}\"))] enum A {{}}"),
        format!("#[display(fmt = \"{{}}\", \"{HIDDEN}\")] struct A;"),
        format!("m! {{ #[serde(bound = \"{HIDDEN}\")] struct A; }}"),
        format!(
            "macro_rules! m {{ ($n:ident) => {{ #[serde(bound = \"{HIDDEN}\")] struct $n; }} }}"
        ),
        format!("macro_rules! m {{ ($h:tt) => {{ $h [serde(bound = \"{HIDDEN}\")] struct A; }} }}"),
        format!("macro_rules! m {{ ($k:ident) => {{ #[$k(bound = \"{HIDDEN}\")] struct A; }} }}"),
        "#[serde(bound = \"[u8; { s\\u{74}atic A: Mutex<u8> = f(); 1 }]: Sized\")] struct A;"
            .into(),
        "#[serde(from = \"[u8; { \\\n   static A: u8 = 1; 1 }]\")] struct A;".into(),
        "struct A { #[serde(default = \"std::panic::take_hook\")] a: u8 }".into(),
        "struct A { #[serde(with = \"labrt::world\")] a: u8 }".into(),
        "struct A { #[serde(skip_serializing_if = \"labrt::world::local::<T>\")] a: u8 }".into(),
        "#[serde(remote = \"x::set_hook\")] struct A;".into(),
        "#[serde(into = \"include!(\\\"x.txt\\\")\")] struct A;".into(),
        "#[serde(bound = \"[u8; { unsafe { f() } }]: Sized\")] struct A;".into(),
    ] {
        let found = read(&text);
        let places = [found.shared, found.elsewhere, found.unguarded].concat();
        assert!(
            places.iter().any(|place| place.contains(" in a text at a.rs:1")),
            "{text}: {places:?}"
        );
    }
    let found = found("struct A {\n #[serde(default = \"std::env::temp_dir\")] a: u8 }");
    assert_eq!(found.outside, ["`std::env` in a text at a.rs:2"]);
}

/// Where a text stands as something else, a macro may make code of it.
#[test]
fn texts_that_a_macro_makes_code_of_are_searched() {
    let hook = "\"std::panic::take_hook\"";
    for text in [
        // A text by itself.
        format!(
            "macro_rules! m {{ ($t:literal) => {{ #[serde(bound = $t)] struct A; }} }} m!({hook});"
        ),
        format!(
            "macro_rules! m {{ ($t:expr) => {{ #[cfg_attr(all(), serde(bound = $t))] struct A; }} }} m![{hook}];"
        ),
        // A whole attribute, with and without its brackets.
        format!(
            "macro_rules! m {{ ($m:meta) => {{ #[$m] struct A; }} }} m!(serde(bound = {hook}));"
        ),
        format!(
            "macro_rules! m {{ ($($m:tt)*) => {{ #[$($m)*] struct A; }} }} m!(serde(bound = {hook}));"
        ),
        format!(
            "macro_rules! m {{ ($t:tt) => {{ # $t struct A; }} }} m!([serde(bound = {hook})]);"
        ),
        format!(
            "macro_rules! m {{ ($h:tt $t:tt) => {{ $h [serde(bound = $t)] struct A; }} }} m!(# {hook});"
        ),
        // By another macro, in any order, and by another name.
        format!(
            "macro_rules! n {{ ($t:tt) => {{ m!($t); }} }} n!({hook});\n\
             macro_rules! m {{ ($t:tt) => {{ #[serde(bound = $t)] struct A; }} }}"
        ),
        format!(
            "macro_rules! n {{ ($m:ident, $t:tt) => {{ $m!($t); }} }} n!(m, {hook});\n\
             macro_rules! m {{ ($t:tt) => {{ #[serde(bound = $t)] struct A; }} }}"
        ),
        format!(
            "macro_rules! m {{ ($t:tt) => {{ #[serde(bound = $t)] struct A; }} }} use m as println; println!({hook});"
        ),
        format!(
            "macro_rules! m {{ ($n:ident) => {{ macro_rules! $n {{ ($t:tt) => {{ #[serde(bound = $t)] struct A; }} }} }} }}\n\
             m!(format); format!({hook});"
        ),
        // In what looks like an attribute and is none.
        format!(
            "macro_rules! m {{ ($t:tt) => {{ #[serde(bound = $t)] struct A; }} }}\n\
             macro_rules! n {{ ($v:ident) => {{ fn f() {{ $v[{{ m!({hook}); 0 }}]; }} }} }}"
        ),
        // Out of what is no code where it stands.
        format!(
            "macro_rules! m {{ (#[doc = $t:literal]) => {{ #[serde(bound = $t)] struct A; }} }} m!(#[doc = {hook}]);"
        ),
        format!(
            "macro_rules! m {{ (#[$n:ident = $t:literal]) => {{ #[serde(bound = $t)] struct A; }} }} m!(#[doc = {hook}]);"
        ),
        format!(
            "macro_rules! m {{ (#[$m:meta]) => {{ n!($m); }} }} m!(#[doc = {hook}]);\n\
             macro_rules! n {{ (doc = $t:literal) => {{ #[serde(bound = $t)] struct A; }} }}"
        ),
    ] {
        let shared = found(&text.replace('\n', " ")).shared;
        assert_eq!(shared, ["`take_hook` in a text at a.rs:1"], "{text}");
    }
}

#[test]
fn texts_that_nobody_takes_for_code_are_as_good_as_any() {
    for text in [
        "fn f() { println!(\"static x: {}\", \"unsafe { world::y }\"); assert!(x, \"include {y}\"); panic!(\"stop! (x)\") }",
        "/// A static x: include!(y), std::env::args(), unsafe { }\n#[doc = \"static X: u8\"] struct A;",
        "#[error(\"the static part: take_hook\")] struct A;",
        "#[must_use = \"static x: y\"] #[deprecated(note = \"static x: y\")] #[expect(x, reason = \"unsafe { }\")] fn f() {}",
        "#[cfg(feature = \"static\")] #[cfg_attr(feature = \"static\", error(\"static\"))] fn f() {}",
        "struct A { #[serde(rename = \"static\", alias = \"unsafe\")] a: u8 }",
        "#[serde(tag = \"static\", rename(serialize = \"static\", deserialize = \"unsafe\"))] enum A {}",
        "#[serde(bound = \"T: Clone + 'static\", default = \"Vec::new\", with = \"crate::hex\")] struct A<T>(T);",
        "#[strum(serialize = \"static\", message = \"unsafe\")] enum A {}",
        "#[display(\"static {_0}\")] struct A(u8); #[display(fmt = \"static {}\", \"self.0\")] struct B(u8);",
        // Macros of one's own that make no attributes of texts.
        "macro_rules! say { ($($t:tt)*) => { println!($($t)*) } } say!(\"static x: {}\", 1);",
        "macro_rules! say { ($f:literal, $x:expr) => { if ON { eprintln!($f, $x) } } } say!(\"unsafe {}\", 1);",
        "macro_rules! m { ($(#[$m:meta])* $n:ident, $t:literal) => { $(#[$m])* const $n: &str = $t; } }\n\
         m! { /// A static x: y\n #[allow(x)] A, \"static x: y\" }",
        "macro_rules! m { ($d:literal, $n:ident) => { #[doc = $d] fn $n() {} } } m!(\"static x: y\", A);",
        "macro_rules! at { ($v:expr, $i:expr) => { $v[$i] } } fn f() { at!(v, \"static\") }",
        "macro_rules! m { ($n:ident) => { #[derive(Debug)] #[serde(rename = \"static\")] fn $n() {} } } m!(A);",
    ] {
        assert_eq!(found(text), Found::default(), "{text}");
    }
}

#[test]
fn a_module_of_ones_own_may_be_called_world() {
    for text in [
        "use crate::world; fn f() { world::step(); }",
        "use super::{log, world}; fn f() { world::step(); }",
        "use crate::world::World;",
        "use self::world::{World, step};",
        "use crate::{log, world::World};",
        "use crate::world as w;",
        "mod world { pub fn step() {} } fn f() { world::step(); super::world::step(); }",
        "mod world; pub use world::World;",
        "mod world; use labrt::{sync, thread}; fn f() { world::step(); labrt::thread::sleep(x); }",
        "fn f(world: World) { world.step(); let world = 7; vec![world]; }",
    ] {
        assert_eq!(found(text), Found::default(), "{text}");
    }
    for text in [
        "use labrt::world; mod world {}",
        "mod world {} use labrt::{thread, world::local};",
        "mod world {} use labrt::{{world::local}};",
        "mod world {} fn f() { labrt::world::local::<T>(); }",
        "mod a { mod world {} } mod b { use labrt::*; fn f() { world::local::<T>(); } }",
        "mod a { pub use labrpc::labrt::{*}; } use crate::world::local;",
        "macro_rules! m { ($k:ident) => { use $k::*; } } m!(labrt); mod a { mod world {} } fn f() { world::x(); }",
        "macro_rules! m { ($a:ident::$($b:tt)*) => { $($b)* } } m!(crate::world::local);",
        "fn f() { world::local::<T>(); }",
        "use a::world::local;",
        "m!(mod world {}); fn f() { world::local::<T>(); }",
    ] {
        assert!(!found(text).shared.is_empty(), "{text}");
    }
    // What one file declares means nothing in another one.
    let file = |name: &str, text: &str| (name.into(), text.to_string());
    let found = Found::of(&[file("a.rs", "mod world {}"), file("b.rs", "fn f() { world::x(); }")]);
    assert_eq!(found.shared, ["`world` at b.rs:1"]);
}

/// Each of these would take a time that grows with the square of its length.
#[test]
fn no_number_of_macros_is_too_many_to_be_searched() {
    let many = 20_000;
    let makes = "macro_rules! m0 { ($t:tt) => { #[serde(bound = $t)] struct A; } }";
    let chain: String = (1..many)
        .map(|n| format!("macro_rules! m{n} {{ ($t:tt) => {{ m{}!($t) }} }}\n", n - 1))
        .collect();
    let call = format!("m{}!(\"a::set_hook\");", many - 1);
    assert_eq!(found(&format!("{makes}\n{chain}{call}")).shared.len(), 1);
    let nested = format!("{}{makes}{}", "macro_rules! m { () => ".repeat(many), "}".repeat(many));
    assert_eq!(found(&nested.replace("() => macro", "() => { } macro")).shared, [""; 0]);
    let attributes = format!("#[a{}{}]", "(#[a".repeat(many), "])".repeat(many));
    assert_eq!(found(&format!("{attributes} struct A;")), Found::default());
}
