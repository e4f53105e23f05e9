//! Inputs that are nearly right.

use std::ops::Range;

use rand::{Rng, RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::Form;

/// No input is longer, or a repeated piece of a repeated piece would fill the memory.
const LONGEST: usize = 200_000;

/// Numbers that nobody expects.
const NUMBERS: [&str; 12] = [
    "0",
    "1",
    "-1",
    "256",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1e308",
    "1e999",
];

/// Words that nobody expects.
const WORDS: [&str; 18] = [
    "0.5",
    "NaN",
    "null",
    "nil",
    "true",
    "",
    "\"\"",
    "{}",
    "[]",
    "{",
    "[",
    "\"",
    "\\",
    "\\ud800",
    "\u{1b}[2J",
    "\u{202e}",
    "漢字",
    "#_",
];

/// Bytes that mean something in an encoding: small numbers, and the marks of labgob's long ones.
const MARKS: [u8; 12] = [0, 1, 2, 3, 127, 128, 250, 251, 252, 253, 254, 255];

/// Makes inputs.
pub(crate) struct Mutator<'a> {
    form: Form,
    right: &'a [Vec<u8>],
    rng: Xoshiro256PlusPlus,
}

impl<'a> Mutator<'a> {
    pub(crate) fn new(form: Form, right: &'a [Vec<u8>], seed: u64) -> Mutator<'a> {
        Mutator { form, right, rng: Xoshiro256PlusPlus::seed_from_u64(seed) }
    }

    /// The next input.
    pub(crate) fn input(&mut self) -> Vec<u8> {
        if self.right.is_empty() || self.rng.random_bool(0.05) {
            return self.noise();
        }
        let mut input = self.pick(self.right).clone();
        for _ in 0..1 << self.rng.random_range(0..4) {
            match self.form {
                Form::Text if self.rng.random_bool(0.8) => self.change_words(&mut input),
                _ => self.change_bytes(&mut input),
            }
            input.truncate(LONGEST);
        }
        input
    }

    fn pick<'t, T>(&mut self, of: &'t [T]) -> &'t T {
        &of[self.rng.random_range(0..of.len())]
    }

    fn noise(&mut self) -> Vec<u8> {
        let mut noise = vec![0; self.rng.random_range(0..64)];
        self.rng.fill_bytes(&mut noise);
        noise
    }

    fn change_bytes(&mut self, input: &mut Vec<u8>) {
        let at = self.rng.random_range(0..=input.len());
        match self.rng.random_range(0..8) {
            0 if at < input.len() => input[at] ^= 1 << self.rng.random_range(0..8),
            1 if at < input.len() => input[at] = *self.pick(&MARKS),
            2 => input.truncate(at),
            3 => drop(input.drain(self.piece(input))),
            4 => {
                let piece = input[self.piece(input)].to_vec();
                let times = 1 << self.rng.random_range(0..6);
                input.splice(at..at, piece.repeat(times));
            }
            5 => {
                let other = self.pick(self.right);
                let piece = other[self.piece(other)].to_vec();
                input.splice(at..at, piece);
            }
            6 => drop(input.splice(at..at, self.absurd_number())),
            _ => input.insert(at, self.rng.random()),
        }
    }

    /// A place of a piece, mostly of a short one.
    fn piece(&mut self, of: &[u8]) -> Range<usize> {
        let from = self.rng.random_range(0..=of.len());
        let longest = (of.len() - from).min(1 << self.rng.random_range(0..12));
        from..from + self.rng.random_range(0..=longest)
    }

    /// A number as labgob writes large ones: a length that is absurd.
    fn absurd_number(&mut self) -> Vec<u8> {
        let mark = self.rng.random_range(251..=254_u8);
        let bytes = 2 << (mark - 251);
        let mut number = vec![mark];
        match self.rng.random_bool(0.5) {
            true => number.resize(1 + bytes, 0xff),
            false => number.extend((0..bytes).map(|_| self.rng.random::<u8>())),
        }
        number
    }

    /// Changes an input as what it looks like to its reader: words, numbers and signs.
    fn change_words(&mut self, input: &mut Vec<u8>) {
        let words = words(input);
        if words.is_empty() {
            return;
        }
        let is_number = |word: &&Range<usize>| kind(input[word.start]) == Kind::Digits;
        let numbers: Vec<_> = words.iter().filter(is_number).collect();
        if !numbers.is_empty() && self.rng.random_bool(0.4) {
            let number = (*self.pick(&numbers)).clone();
            input.splice(number, self.pick(&NUMBERS).bytes());
            return;
        }
        let word = self.pick(&words).clone();
        match self.rng.random_range(0..7) {
            0..2 => drop(input.splice(word, self.pick(&WORDS).bytes())),
            2 => {
                // Another word of the same kind leaves a reader with more to read.
                let is_alike =
                    |other: &&Range<usize>| kind(input[other.start]) == kind(input[word.start]);
                let alike: Vec<_> = words.iter().filter(is_alike).collect();
                let other = input[(*self.pick(&alike)).clone()].to_vec();
                input.splice(word, other);
            }
            3 => drop(input.drain(word)),
            4 => {
                let times = 1 << self.rng.random_range(0..14);
                let repeated = input[word.clone()].repeat(times.min(1 + LONGEST / word.len()));
                input.splice(word, repeated);
            }
            5 => self.change_lines(input),
            _ => drop(input.splice(word.start..word.start, self.pick(&WORDS).bytes())),
        }
    }

    fn change_lines(&mut self, input: &mut Vec<u8>) {
        let mut lines: Vec<&[u8]> = input.split_inclusive(|byte| *byte == b'\n').collect();
        let (at, other) =
            (self.rng.random_range(0..lines.len()), self.rng.random_range(0..lines.len()));
        match self.rng.random_range(0..3) {
            0 => lines.swap(at, other),
            1 => drop(lines.remove(at)),
            _ => lines.insert(at, lines[other]),
        }
        *input = lines.concat();
    }
}

/// Where the words of a text are: what belongs to a name or a number, blanks, and each other sign alone.
fn words(text: &[u8]) -> Vec<Range<usize>> {
    let mut words: Vec<Range<usize>> = Vec::new();
    for (at, byte) in text.iter().enumerate() {
        match words.last_mut() {
            Some(word) if kind(*byte) != Kind::Sign && kind(text[word.start]) == kind(*byte) => {
                word.end = at + 1;
            }
            _ => words.push(at..at + 1),
        }
    }
    words
}

#[derive(PartialEq, Eq)]
enum Kind {
    Digits,
    Letters,
    Blank,
    Sign,
}

fn kind(byte: u8) -> Kind {
    match byte {
        b'0'..=b'9' => Kind::Digits,
        b'_' | b'-' | b'.' | 0x80.. => Kind::Letters,
        _ if byte.is_ascii_alphabetic() => Kind::Letters,
        _ if byte.is_ascii_whitespace() => Kind::Blank,
        _ => Kind::Sign,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_inputs_and_another_one_others() {
        let right = [b"{\"number\": 12, \"text\": \"some\"}\n[1, 2]".to_vec()];
        let inputs = |form, seed| {
            let mut mutator = Mutator::new(form, &right, seed);
            (0..200).map(|_| mutator.input()).collect::<Vec<_>>()
        };
        for form in [Form::Bytes, Form::Text] {
            assert_eq!(inputs(form, 1), inputs(form, 1));
            assert_ne!(inputs(form, 1), inputs(form, 2));
            assert!(inputs(form, 1).iter().all(|input| input.len() <= LONGEST));
        }
    }

    #[test]
    fn words_are_names_numbers_blanks_and_signs() {
        let text = b"{\"a_b\": 12}";
        let words: Vec<_> =
            words(text).into_iter().map(|word| text[word].escape_ascii().to_string()).collect();
        assert_eq!(words, ["{", "\\\"", "a_b", "\\\"", ":", " ", "12", "}"]);
    }
}
