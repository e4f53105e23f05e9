//! As much of Clojure's data notation as histories have.

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
    /// A number of another kind, a symbol, a character, a boolean: as it stands in the file.
    Word(String),
    /// A vector, a list or a set.
    Sequence(Vec<Edn>),
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
            Edn::Map { entries, .. } => {
                let entries: Vec<_> =
                    entries.iter().map(|(key, value)| format!("{key} {value}")).collect();
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
            '#' if self.rest.starts_with("#{") => self.sequence(2, '}').map(Edn::Sequence),
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
        while let Some(key) = values.next() {
            let Some(value) = values.next() else {
                let problem =
                    format!("the map's last key {} has no value", shown(&key.to_string()));
                return Err(ReadError::new(begin, problem));
            };
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
                        '"' | '\\' => escaped,
                        'u' => {
                            let digits: String = chars.by_ref().take(4).map(|(_, c)| c).collect();
                            let code = u32::from_str_radix(&digits, 16).ok();
                            code.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
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
        // A word has at least one character, so that reading comes to an end.
        let first = self.rest.chars().next().map_or(0, char::len_utf8);
        let length = self.rest[first..].find(ends).map_or(self.rest.len(), |at| first + at);
        let word = self.take(length);
        match word {
            "nil" => Edn::Nil,
            _ => match (word.strip_prefix(':'), word.parse()) {
                (Some(name), _) => Edn::Keyword(name.into()),
                (None, Ok(number)) => Edn::Int(number),
                (None, Err(_)) => Edn::Word(word.into()),
            },
        }
    }
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
            "{:process 0 :f :cas :value [3 -4] :t 1.5 :s [\"a\\n\\\"A\" nil]}"
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
            ("\\;", word("\\")),
            (":a/b-c", Edn::Keyword("a/b-c".into())),
            (":nil", Edn::Keyword("nil".into())),
            ("\"nil\"", Edn::Text("nil".into())),
            ("(1 2)", Edn::Sequence(vec![Edn::Int(1), Edn::Int(2)])),
            ("#{1,2}", Edn::Sequence(vec![Edn::Int(1), Edn::Int(2)])),
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
            (r#""\u00e4\u0041b""#, "äAb"),
            ("\"é;[\n\"", "é;[\n"),
            // Half a character, and no number.
            (r#""\ud800""#, "\u{fffd}"),
            (r#""\uzzzz""#, "\u{fffd}"),
        ] {
            assert_eq!(read(text), Ok(Edn::Text(value.into())), "{text}");
        }
        assert_eq!(read(r#"["é" "é"]"#).unwrap().to_string(), r#"["é" "é"]"#);
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
}
