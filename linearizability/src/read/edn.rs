//! As much of Clojure's data notation as histories have.

use std::collections::BTreeSet;
use std::fmt;

use super::{ReadError, shown};

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Edn {
    Nil,
    /// A whole number that fits.
    Int(i64),
    Text(String),
    /// A keyword, without its colon.
    Keyword(String),
    /// A number of another kind, a symbol, a character, a boolean: as it stands in the file, but equal
    /// numbers are written alike.
    Word(String),
    /// A vector or a list: both are equal if what they hold is.
    Sequence(Vec<Edn>),
    /// A set, in the order of the file.
    Set(Vec<Edn>),
    Map {
        /// Where it begins.
        line: usize,
        entries: Vec<(Edn, Edn)>,
    },
}

impl Edn {
    /// The value of a keyword in a map.
    pub(super) fn get(&self, name: &str) -> Option<&Edn> {
        let Edn::Map { entries, .. } = self else { return None };
        let is_named = |key: &Edn| matches!(key, Edn::Keyword(keyword) if keyword == name);
        entries.iter().find(|(key, _)| is_named(key)).map(|(_, value)| value)
    }
}

/// Equal values have equal texts, and others have others. So the texts of what has no order are sorted.
impl fmt::Display for Edn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Edn::Nil => f.write_str("nil"),
            Edn::Int(number) => write!(f, "{number}"),
            Edn::Text(text) => write!(f, "{text:?}"),
            Edn::Keyword(name) => write!(f, ":{name}"),
            Edn::Word(word) => f.write_str(word),
            Edn::Sequence(values) => {
                let values: Vec<_> = values.iter().map(Edn::to_string).collect();
                write!(f, "[{}]", values.join(" "))
            }
            Edn::Set(values) => {
                let mut values: Vec<_> = values.iter().map(Edn::to_string).collect();
                values.sort_unstable();
                values.dedup();
                write!(f, "#{{{}}}", values.join(" "))
            }
            Edn::Map { entries, .. } => {
                let mut entries: Vec<_> =
                    entries.iter().map(|(key, value)| format!("{key} {value}")).collect();
                entries.sort_unstable();
                write!(f, "{{{}}}", entries.join(" "))
            }
        }
    }
}

/// How deep values may lie in each other. Histories need three.
const DEEPEST: usize = 64;

/// Reads values one after the other.
pub(super) struct Reader<'a> {
    rest: &'a str,
    line: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    /// A reader of a text whose first line has this number.
    pub(super) fn new(text: &'a str, line: usize) -> Reader<'a> {
        Reader { rest: text, line, depth: 0 }
    }

    /// The line where it is.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// The next value, or nothing at the end of the text.
    pub(super) fn next(&mut self) -> Result<Option<Edn>, ReadError> {
        self.skip_blanks()?;
        match self.rest.chars().next() {
            None => Ok(None),
            Some(_) => self.value().map(Some),
        }
    }

    /// The next value. Something is there.
    fn value(&mut self) -> Result<Edn, ReadError> {
        let first = self.rest.chars().next().unwrap_or_default();
        match first {
            '"' => self.text().map(Edn::Text),
            '[' => self.sequence(1, ']').map(Edn::Sequence),
            '(' => self.sequence(1, ')').map(Edn::Sequence),
            '{' => self.map(),
            '#' if self.rest.starts_with("#{") => self.sequence(2, '}').map(Edn::Set),
            // Not a number, or one without bound.
            '#' if self.rest.starts_with("##") => Ok(self.word()),
            '#' => self.tagged(),
            ']' | ')' | '}' => Err(self.error(format!("`{first}` closes nothing"))),
            _ => Ok(self.word()),
        }
    }

    fn error(&self, problem: String) -> ReadError {
        ReadError::new(self.line, problem)
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.line += taken.bytes().filter(|byte| *byte == b'\n').count();
        self.rest = rest;
        taken
    }

    /// Skips blanks, commas, comments and values that are marked as none.
    fn skip_blanks(&mut self) -> Result<(), ReadError> {
        loop {
            let blanks = self.rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
            self.take(self.rest.len() - blanks.len());
            if self.rest.starts_with(';') {
                self.take(self.rest.find('\n').unwrap_or(self.rest.len()));
            } else if self.rest.starts_with("#_") {
                self.take(2);
                self.enter()?;
                let skipped = self.next()?;
                self.depth -= 1;
                if skipped.is_none() {
                    return Err(self.error("`#_` stands before nothing".into()));
                }
            } else {
                return Ok(());
            }
        }
    }

    fn enter(&mut self) -> Result<(), ReadError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.error(format!(
                "values lie in each other more than {DEEPEST} deep; a history has maps of plain values"
            )));
        }
        Ok(())
    }

    fn sequence(&mut self, opening: usize, close: char) -> Result<Vec<Edn>, ReadError> {
        let begin = self.line;
        self.take(opening);
        self.enter()?;
        let mut values = Vec::new();
        loop {
            self.skip_blanks()?;
            if self.rest.starts_with(close) {
                self.take(close.len_utf8());
                self.depth -= 1;
                return Ok(values);
            }
            if self.rest.is_empty() {
                let problem = format!("what opens here is never closed: a `{close}` is missing");
                return Err(ReadError::new(begin, problem));
            }
            values.push(self.value()?);
        }
    }

    fn map(&mut self) -> Result<Edn, ReadError> {
        let begin = self.line;
        let mut values = self.sequence(1, '}')?.into_iter();
        let mut entries = Vec::new();
        let mut keys = BTreeSet::new();
        while let Some(key) = values.next() {
            let Some(value) = values.next() else {
                let problem =
                    format!("the map's last key {} has no value", shown(&key.to_string()));
                return Err(ReadError::new(begin, problem));
            };
            // Which of the two was meant, nobody knows.
            if !keys.insert(key.to_string()) {
                let problem = format!("the map has the key {} twice", shown(&key.to_string()));
                return Err(ReadError::new(begin, problem));
            }
            entries.push((key, value));
        }
        Ok(Edn::Map { line: begin, entries })
    }

    /// A value with a tag, which is left out: `#jepsen.history.Op{...}`.
    fn tagged(&mut self) -> Result<Edn, ReadError> {
        self.take(1);
        self.word();
        self.skip_blanks()?;
        if self.rest.is_empty() {
            return Err(self.error("a tag stands before nothing".into()));
        }
        self.enter()?;
        let value = self.value();
        self.depth -= 1;
        value
    }

    fn text(&mut self) -> Result<String, ReadError> {
        let begin = self.line;
        let mut text = String::new();
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.take(at + 1);
                    return Ok(text);
                }
                '\\' => {
                    let escaped = chars.next().map(|(_, c)| c).unwrap_or_default();
                    text.push(match escaped {
                        'n' => '\n',
                        't' => '\t',
                        'r' => '\r',
                        'b' => '\u{8}',
                        'f' => '\u{c}',
                        '"' | '\\' => escaped,
                        'u' => {
                            let (escape, escaped) = unicode(&self.rest[at..]);
                            let Some(escaped) = escaped else {
                                let escape = shown(escape);
                                let problem =
                                    format!("the text has {escape}, which is no character");
                                return Err(ReadError::new(begin, problem));
                            };
                            // Its backslash and the `u` are read, and all of it are single bytes.
                            chars.by_ref().take(escape.len() - 2).for_each(drop);
                            escaped
                        }
                        _ => {
                            let problem = format!(
                                "the text has {}, which is no escape: write `\\\\` for a backslash",
                                shown(&format!("\\{escaped}"))
                            );
                            return Err(ReadError::new(begin, problem));
                        }
                    });
                }
                _ => text.push(c),
            }
        }
        Err(ReadError::new(begin, "the text that begins here is never closed: a `\"` is missing"))
    }

    fn word(&mut self) -> Edn {
        let ends = |c: char| c.is_whitespace() || ",;\"[](){}".contains(c);
        // A word has at least one character, so that reading comes to an end. Behind a backslash there
        // is one more, whatever it is.
        let least = if self.rest.starts_with('\\') { 2 } else { 1 };
        let first = self.rest.chars().take(least).map(char::len_utf8).sum();
        let length = self.rest[first..].find(ends).map_or(self.rest.len(), |at| first + at);
        let word = self.take(length);
        match word {
            "nil" => Edn::Nil,
            _ => match word.strip_prefix(':') {
                Some(name) => Edn::Keyword(name.into()),
                None => number(word).unwrap_or_else(|| Edn::Word(word.into())),
            },
        }
    }
}

/// The number that this is, if it is one. Equal ones become the same.
fn number(word: &str) -> Option<Edn> {
    let unsigned = word.strip_prefix(['+', '-']).unwrap_or(word);
    if !unsigned.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    // An `N` says that a number may be large.
    let whole = word.strip_suffix('N').unwrap_or(word).trim_start_matches('+');
    if whole.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(whole.parse().map_or_else(|_| Edn::Word(whole.into()), Edn::Int));
    }
    let real: f64 = word.parse().ok().filter(|real: &f64| real.is_finite())?;
    // There is one zero.
    Some(Edn::Word(format!("{:?}", real + 0.0)))
}

/// The escape that a text begins with, `\u` and four digits, and the character that it is. What lies
/// beyond 16 bits is two halves.
fn unicode(text: &str) -> (&str, Option<char>) {
    let half = |from: usize| {
        let digits = text.get(from..)?.strip_prefix("\\u")?.get(..4)?;
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        u16::from_str_radix(digits, 16).ok().filter(|_| is_hex)
    };
    let halves = [half(0), half(6)].into_iter().map_while(|half| half);
    let first = char::decode_utf16(halves).next();
    let escaped = first.and_then(Result::ok);
    let length = match escaped {
        Some(escaped) => 6 * escaped.len_utf16(),
        None => text.char_indices().nth(6).map_or(text.len(), |(at, _)| at),
    };
    (&text[..length], escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Edn, String> {
        let mut reader = Reader::new(text, 1);
        let value = reader.next().map_err(|error| error.to_string())?;
        assert_eq!(reader.next().map_err(|error| error.to_string())?, None);
        value.ok_or_else(|| "nothing".into())
    }

    #[test]
    fn values_are_read() {
        let text = "; a comment\n#op{:process 0, :f #_:x :cas\n :value [3 -4], :t 1.5, :s #{\"a\\n\\\"\\u0041\" nil}}";
        let value = read(text).unwrap();
        assert_eq!(
            value.to_string(),
            "{:f :cas :process 0 :s #{\"a\\n\\\"A\" nil} :t 1.5 :value [3 -4]}"
        );
        assert_eq!(value.get("process"), Some(&Edn::Int(0)));
        assert_eq!(value.get("time"), None);
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line() {
        let wrong = |text: &str| read(text).unwrap_err();
        assert_eq!(wrong("\n\n]"), "line 3: `]` closes nothing");
        assert_eq!(wrong("\n[1\n2"), "line 2: what opens here is never closed: a `]` is missing");
        assert_eq!(wrong("{:a}"), "line 1: the map's last key `:a` has no value");
        assert_eq!(
            wrong("\n\"abc\n"),
            "line 2: the text that begins here is never closed: a `\"` is missing"
        );
        assert_eq!(
            wrong("\"\\x\""),
            "line 1: the text has `\\\\x`, which is no escape: write `\\\\` for a backslash"
        );
        assert!(wrong(&"[".repeat(1_000_000)).contains("64 deep"));
        assert!(wrong(&"#_".repeat(1_000_000)).contains("64 deep"));
        assert!(wrong(&"#a ".repeat(1_000_000)).contains("64 deep"));
    }

    #[test]
    fn values_of_each_kind_are_told_apart() {
        let word = |text: &str| Edn::Word(text.into());
        for (text, value) in [
            ("nil", Edn::Nil),
            ("-4", Edn::Int(-4)),
            ("9223372036854775807", Edn::Int(i64::MAX)),
            ("9223372036854775808", word("9223372036854775808")),
            ("1.5", word("1.5")),
            ("true", word("true")),
            ("nile", word("nile")),
            ("\\;", word("\\;")),
            ("[\\( \\)]", Edn::Sequence(vec![word("\\("), word("\\)")])),
            ("[\\newline]", Edn::Sequence(vec![word("\\newline")])),
            ("\\", word("\\")),
            ("[##NaN ##-Inf]", Edn::Sequence(vec![word("##NaN"), word("##-Inf")])),
            (":a/b-c", Edn::Keyword("a/b-c".into())),
            (":nil", Edn::Keyword("nil".into())),
            ("\"nil\"", Edn::Text("nil".into())),
            ("(1 2)", Edn::Sequence(vec![Edn::Int(1), Edn::Int(2)])),
            ("#{2,1}", Edn::Set(vec![Edn::Int(2), Edn::Int(1)])),
            ("+1", Edn::Int(1)),
            ("-1N", Edn::Int(-1)),
            ("+9223372036854775808N", word("9223372036854775808")),
            ("1.50", word("1.5")),
            ("-0.0", word("0.0")),
            ("15e-1", word("1.5")),
            ("1.5M", word("1.5M")),
            ("1NN", word("1NN")),
            ("N", word("N")),
            ("-", word("-")),
            ("inf", word("inf")),
            ("[é(ü)]", Edn::Sequence(vec![word("é"), Edn::Sequence(vec![word("ü")])])),
            ("{}", Edn::Map { line: 1, entries: vec![] }),
            (
                "[\n#a{1 2}]",
                Edn::Sequence(vec![Edn::Map {
                    line: 2,
                    entries: vec![(Edn::Int(1), Edn::Int(2))],
                }]),
            ),
            (";no\n7 ;no", Edn::Int(7)),
            (",, #_ no #_[1] 7 #_ no", Edn::Int(7)),
        ] {
            assert_eq!(read(text), Ok(value), "{text}");
        }
        assert_eq!(read(" ;"), Err("nothing".into()));
        assert_eq!(Edn::Keyword("process".into()).get("process"), None, "no map");
    }

    #[test]
    fn a_text_has_escapes() {
        for (text, value) in [
            (r#""""#, ""),
            (r#""\n\t\r\"\\""#, "\n\t\r\"\\"),
            (r#""\b\f""#, "\u{8}\u{c}"),
            (r#""\u00e4\u0041b""#, "äAb"),
            ("\"é;[\n\"", "é;[\n"),
            (r#""\ud83d\ude00b""#, "\u{1f600}b"),
            (r#""\u0041\ud83D\uDE01""#, "A\u{1f601}"),
            (r#""\ud7ff\ue000""#, "\u{d7ff}\u{e000}"),
        ] {
            assert_eq!(read(text), Ok(Edn::Text(value.into())), "{text}");
        }
        // Half a character, and no number.
        for text in [r"\ud83d", r"\ude00", r"\uzzzz", r"\u+041", r"\u00é1"] {
            let shown = text.replace('\\', "\\\\");
            let problem = format!("line 1: the text has `{shown}`, which is no character");
            assert_eq!(read(&format!("\"{text}\"")), Err(problem), "{text}");
        }
        assert!(read(r#""\ud83d\u0041""#).is_err() && read(r#""\u""#).is_err());
        assert_eq!(read(r#"["é" "é"]"#).unwrap().to_string(), r#"["é" "é"]"#);
    }

    #[test]
    fn equal_values_have_equal_texts_and_others_have_others() {
        let shown = |text: &str| read(text).unwrap().to_string();
        for (one, other) in [
            ("{:a 1, :b 2}", "{:b 2, :a 1}"),
            ("#{1 2}", "#{2 1}"),
            ("[#{[1] {2 3, 4 5}}]", "(\n#{{4 5\n2 3N} (1)})"),
            ("[1 2]", "(1 2)"),
            ("1", "1N"),
            ("1.0", "1.00"),
        ] {
            assert_eq!(shown(one), shown(other));
        }
        for (one, other) in [
            ("#{1 2}", "[1 2]"),
            ("#{1 2}", "{1 2}"),
            ("{1 2}", "{2 1}"),
            ("[1 2]", "[2 1]"),
            ("1", "1.0"),
            (r#""\ud83d\ude00""#, r#""\ud83d\ude01""#),
        ] {
            assert_ne!(shown(one), shown(other));
        }
    }

    #[test]
    fn values_may_lie_in_each_other_64_deep() {
        let deep = |open: &str, close: &str, depth| {
            read(&(open.repeat(depth) + "1" + &close.repeat(depth))).map(drop)
        };
        let too_deep = "line 1: values lie in each other more than 64 deep; a history has maps of plain values";
        for (open, close) in [("[", "]"), ("(", ")"), ("#{", "}"), ("{1 ", "}"), ("#a ", "")] {
            assert_eq!(deep(open, close, 64), Ok(()), "{open}");
            assert_eq!(deep(open, close, 65), Err(too_deep.into()), "{open}");
        }
        // What is beside each other does not count.
        for beside in ["[]", "{}", "#{}", "#a 1", "#_[] 1"] {
            assert!(
                read(&format!("[{}]", (beside.to_string() + " ").repeat(100))).is_ok(),
                "{beside}"
            );
        }
    }

    #[test]
    fn what_is_missing_is_named_with_its_line() {
        let wrong = |text: &str| read(text).unwrap_err();
        let closes = |line, close| {
            format!("line {line}: what opens here is never closed: a `{close}` is missing")
        };
        assert_eq!(wrong("\n(1"), closes(2, ')'));
        assert_eq!(wrong("[\n#{1"), closes(2, '}'));
        assert_eq!(wrong("{1 [2]\n\n"), closes(1, '}'));
        assert_eq!(wrong("\n}"), "line 2: `}` closes nothing");
        assert_eq!(wrong("[1)"), "line 1: `)` closes nothing");
        assert_eq!(wrong("1\n#a\n"), "line 3: a tag stands before nothing");
        assert_eq!(wrong("#_ ;\n"), "line 2: `#_` stands before nothing");
        assert_eq!(wrong("\n{1 2\n 3}"), "line 2: the map's last key `3` has no value");
    }

    #[test]
    fn a_map_has_each_key_once() {
        let wrong = |text: &str| read(text).unwrap_err();
        let twice = |key: &str| format!("line 2: the map has the key `{key}` twice");
        assert_eq!(wrong("\n{:process 0, :f :read,\n :process 1}"), twice(":process"));
        assert_eq!(wrong("[\n#a{1 2, 1N 2}]"), twice("1"));
        assert_eq!(wrong("\n{#{1 2} 3, #{2 1} 3}"), twice("#{1 2}"));
        assert!(read("{:a {:a 1}, \"a\" 1, a 1, 1 1, 1.0 1}").is_ok());
    }
}
