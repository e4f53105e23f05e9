//! Random and damaged input for whatever reads bytes, the same in every run.
//!
//! A [`Target`] has inputs that are right, and a check. The check gets the kept inputs of the target's
//! folder, the right ones, and then ones made from these: with flipped bits, cut off, with pieces that are
//! missing, repeated or taken from another one, with absurd numbers and lengths; and noise. It may not
//! panic, take more memory than a bound in the length of the input, or go on without end.
//!
//! An input that does not pass is made smaller while it still does not, and written to `target/fuzz`. Once
//! its cause is mended it belongs in `tools/fuzz/corpus`, in the folder of its target, and is tried
//! first from then on.
//!
//! The targets are in `tests/targets`, and in the modules `fuzz` of `xtask/src/stress` and `xtask/src/grade`. As tests they
//! try a few hundred inputs each. [`INPUTS`] and [`SECONDS`] make that more: `cargo xtask fuzz` sets them, and
//! `docs/fuzz.md` has the rest.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a check that does not end is noticed by a thread with a clock; nothing is simulated here"
)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs};

mod guard;
mod mutate;
mod shrink;

pub use guard::Elsewhere;
use guard::Guard;
use mutate::Mutator;

/// The environment variable that says how many inputs each target makes.
pub const INPUTS: &str = "LAB_FUZZ_INPUTS";
/// The environment variable that says for how many seconds each target makes inputs; it comes before
/// [`INPUTS`].
pub const SECONDS: &str = "LAB_FUZZ_SECONDS";
/// The environment variable that says which inputs are made: another number, other inputs.
pub const SEED: &str = "LAB_FUZZ_SEED";

/// How many inputs a target makes if no variable says so.
const FEW: u64 = 300;

/// What the right inputs look like, and so how wrong ones are made of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Bytes, with the lengths that labgob writes.
    Bytes,
    /// Words, numbers, quotes and brackets.
    Text,
}

/// Something that reads bytes.
#[derive(Clone, Debug)]
pub struct Target {
    name: &'static str,
    form: Form,
    right: Vec<Vec<u8>>,
    inputs: u64,
    memory: Option<(u64, u64)>,
}

impl Target {
    /// A target without right inputs. Its name names the folder of its kept ones.
    pub fn new(name: &'static str, form: Form) -> Target {
        Target { name, form, right: Vec::new(), inputs: FEW, memory: None }
    }

    /// Adds right inputs.
    #[must_use]
    pub fn right<I: Into<Vec<u8>>>(mut self, inputs: impl IntoIterator<Item = I>) -> Target {
        self.right.extend(inputs.into_iter().map(Into::into));
        self
    }

    /// How many inputs a test makes, in place of some hundreds.
    #[must_use]
    pub fn inputs(mut self, count: u64) -> Target {
        self.inputs = count;
        self
    }

    /// The most bytes of memory that a check may take at a time: so many, and so many more for each byte of
    /// its input. Without it nobody looks. What it takes on other threads than its own, [`Elsewhere`] adds.
    #[must_use]
    pub fn memory(mut self, base: u64, for_each_byte: u64) -> Target {
        self.memory = Some((base, for_each_byte));
        self
    }

    /// Tries the check, which says whether the input was read, or else refused.
    ///
    /// # Panics
    /// If an input does not pass, with what is wrong and where the input is; if a right input is refused; or if
    /// of the damaged ones all were read, or none: then they test little. A check that does not end within a minute takes the process
    /// down, after its input was written.
    pub fn run(&self, check: impl Fn(&[u8]) -> bool) {
        let guard = Guard::new(self.name, self.memory);
        for (file, input) in self.kept() {
            if let Err(trouble) = guard.passes(&input, &check) {
                panic!("{}: {trouble}\n    input: {}", self.name, file.display());
            }
        }
        for input in &self.right {
            let read = self.expect(&guard, input, &check);
            assert!(read, "{}: a right input was refused: {}", self.name, shown(input));
        }
        let mut budget = Budget::new(self.inputs);
        let mut mutator = Mutator::new(self.form, &self.right, seed(self.name));
        let mut read = 0;
        while budget.has_more() {
            read += u64::from(self.expect(&guard, &mutator.input(), &check));
        }
        if budget.is_long {
            println!("{}: {} inputs, of which {read} were read", self.name, budget.made);
        }
        assert!(
            budget.made < 100 || (1..budget.made).contains(&read),
            "{}: of {} damaged inputs {read} were read",
            self.name,
            budget.made
        );
    }

    /// Fails if the input does not pass; tells whether it was read.
    fn expect(&self, guard: &Guard, input: &[u8], check: &impl Fn(&[u8]) -> bool) -> bool {
        let trouble = match guard.passes(input, check) {
            Ok(read) => return read,
            Err(trouble) => trouble,
        };
        let least = shrink::shrink(input, |input| guard.passes(input, check).is_err());
        // What the least input shows may be another trouble, and is what somebody will look at.
        let trouble = guard.passes(&least, check).err().unwrap_or(trouble);
        let file = guard::file(self.name, &least);
        let kept = match guard::write(&file, &least) {
            Ok(()) => file.display().to_string(),
            Err(error) => format!("cannot be written to {}: {error}", file.display()),
        };
        panic!(
            "{}: {trouble}\n    input: {kept}\n    its {} bytes: {}\n    once its cause is mended, keep it \
             in tools/fuzz/corpus/{}",
            self.name,
            least.len(),
            shown(&least),
            self.name
        );
    }

    /// The inputs of the target's folder, in the order of their names.
    fn kept(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(self.name);
        let Ok(files) = fs::read_dir(&dir) else { return Vec::new() };
        let mut paths: Vec<PathBuf> =
            files.map(|file| file.expect("the corpus can be read").path()).collect();
        paths.sort();
        let read = |path: PathBuf| (path.clone(), fs::read(path).expect("the corpus can be read"));
        paths.into_iter().map(read).collect()
    }
}

/// How many inputs are still to be made.
struct Budget {
    inputs: u64,
    until: Option<Instant>,
    is_long: bool,
    made: u64,
}

impl Budget {
    fn new(usual: u64) -> Budget {
        let (inputs, seconds) = (variable(INPUTS), variable(SECONDS));
        let until = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
        let is_long = inputs.is_some() || until.is_some();
        Budget { inputs: inputs.unwrap_or(usual), until, is_long, made: 0 }
    }

    fn has_more(&mut self) -> bool {
        let more = match self.until {
            Some(until) => Instant::now() < until,
            None => self.made < self.inputs,
        };
        self.made += u64::from(more);
        more
    }
}

/// A seed for each target, so that equal right inputs do not lead to equal wrong ones.
fn seed(name: &str) -> u64 {
    let of_the_name = u64::from(crc32fast::hash(name.as_bytes()));
    of_the_name ^ (variable(SEED).unwrap_or(0) << 32)
}

fn variable(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    match text.parse() {
        Ok(number) => Some(number),
        Err(_) => panic!("{name} is `{text}`, which is no number"),
    }
}

/// An input for people: as text, if it is one, and not too much of it.
fn shown(input: &[u8]) -> String {
    const MOST: usize = 400;
    let most = &input[..input.len().min(MOST)];
    let dots = if most.len() < input.len() { "..." } else { "" };
    format!("\"{}\"{dots}", most.escape_ascii())
}
