//! Which seeds a simulated test runs with.

use std::fmt;

use run_record::choices::{self, Case, Choices};

/// How many, unless `LAB_SEEDS` says otherwise.
const DEFAULT_SEEDS: u64 = 4;

/// More than anybody has time for: it is a mistake.
const MOST_SEEDS: u64 = 1_000_000;

/// With up to so many seeds each run has its own lines; with more, each block of [`BLOCK`].
const LINES_EACH: usize = 10;
const BLOCK: usize = 100;

/// Some of them, in the order of their runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seeds(Vec<Case>);

impl Seeds {
    /// What the environment asks for: `LAB_SEED` is the first seed or a list of all, `LAB_SEEDS` how
    /// many there are from the first one on, and `LAB_CHOICES` has the choices of each, or those of all.
    ///
    /// # Panics
    /// If a variable is set to what makes no sense.
    pub(crate) fn from_environment() -> Seeds {
        let read = |name| std::env::var(name).ok();
        let seeds = Seeds::parse(read("LAB_SEED").as_deref(), read("LAB_SEEDS").as_deref());
        match seeds.and_then(|seeds| seeds.with_choices(read(choices::VARIABLE).as_deref())) {
            Ok(seeds) => seeds,
            Err(words) => panic!("{words}"),
        }
    }

    fn parse(seed: Option<&str>, count: Option<&str>) -> Result<Seeds, String> {
        let number = |name: &str, text: &str| {
            let parsed = text.trim().parse::<u64>();
            parsed.map_err(|_| format!("{name} must be a whole number, not `{text}`"))
        };
        let list: Vec<u64> = match seed {
            Some(text) => {
                text.split(',').map(|one| number("LAB_SEED", one)).collect::<Result<_, _>>()?
            }
            None => vec![0],
        };
        let count = count.map(|text| number("LAB_SEEDS", text)).transpose()?;
        match (&list[..], count) {
            (_, Some(count)) if count > MOST_SEEDS => {
                Err(format!("LAB_SEEDS={count} is too much: the most is {MOST_SEEDS}"))
            }
            (_, Some(0)) => Err("LAB_SEEDS=0 would test nothing".to_string()),
            ([_, _, ..], Some(_)) => {
                Err("LAB_SEED lists all seeds, so LAB_SEEDS cannot say how many".to_string())
            }
            ([first], count) => {
                let count = count.unwrap_or(if seed.is_some() { 1 } else { DEFAULT_SEEDS });
                Ok(Seeds::of((0..count).map(|n| first.wrapping_add(n))))
            }
            _ => Ok(Seeds::of(list)),
        }
    }

    fn of(seeds: impl IntoIterator<Item = u64>) -> Seeds {
        let case = |seed| Case { seed, choices: Choices::default() };
        Seeds(seeds.into_iter().map(case).collect())
    }

    fn with_choices(mut self, text: Option<&str>) -> Result<Seeds, String> {
        let name = choices::VARIABLE;
        let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(self) };
        let list = Choices::list(text).map_err(|words| format!("{name}: {words}"))?;
        if list.len() != 1 && list.len() != self.0.len() {
            let (runs, lists) = (self.0.len(), list.len());
            return Err(format!("{name} has the choices of {lists} runs, and there are {runs}"));
        }
        for (case, choices) in self.0.iter_mut().zip(list.into_iter().cycle()) {
            case.choices = choices;
        }
        Ok(self)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Case> {
        self.0.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The seeds in pieces that have lines of their own.
    pub(crate) fn blocks(&self) -> Vec<Seeds> {
        let size = if self.0.len() <= LINES_EACH { 1 } else { BLOCK };
        self.0.chunks(size).map(|block| Seeds(block.to_vec())).collect()
    }
}

impl fmt::Display for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0[..] {
            [case] => case.fmt(f),
            cases => write!(f, "seeds {} to {}", cases[0].seed, cases[cases.len() - 1].seed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(seed: Option<&str>, count: Option<&str>) -> Result<Vec<u64>, String> {
        Seeds::parse(seed, count).map(|seeds| seeds.iter().map(|case| case.seed).collect())
    }

    #[test]
    fn the_environment_chooses_the_seeds() {
        assert_eq!(parse(None, None), Ok(vec![0, 1, 2, 3]));
        assert_eq!(parse(None, Some("2")), Ok(vec![0, 1]));
        assert_eq!(parse(Some("7"), None), Ok(vec![7]));
        assert_eq!(parse(Some("7"), Some("3")), Ok(vec![7, 8, 9]));
        assert_eq!(parse(Some("5,1,9"), None), Ok(vec![5, 1, 9]));
    }

    #[test]
    fn what_makes_no_sense_is_refused_in_words() {
        let refused = |seed, count| parse(seed, count).expect_err("it makes no sense");
        assert!(refused(None, Some("0")).contains("LAB_SEEDS=0 would test nothing"));
        assert!(refused(Some("x"), None).contains("LAB_SEED must be a whole number, not `x`"));
        assert!(refused(None, Some("-1")).contains("LAB_SEEDS must be a whole number, not `-1`"));
        for count in ["18446744073709551615", "1000000000", "1000001"] {
            let words = refused(None, Some(count));
            assert_eq!(words, format!("LAB_SEEDS={count} is too much: the most is 1000000"));
        }
        assert!(refused(Some("1,2"), Some("5")).contains("LAB_SEED lists all seeds"));
    }

    #[test]
    fn few_seeds_have_lines_each_and_many_come_in_blocks() {
        let few = Seeds::of([3, 4]).blocks();
        assert_eq!(few, [Seeds::of([3]), Seeds::of([4])]);
        let many = Seeds::of(0..250).blocks();
        assert_eq!(many.iter().map(Seeds::len).collect::<Vec<_>>(), [100, 100, 50]);
        assert_eq!(many[2].to_string(), "seeds 200 to 249");
    }

    #[test]
    fn choices_are_those_of_each_run_or_of_all() {
        let with = |text| Seeds::of([5, 6]).with_choices(Some(text));
        let said = |seeds: Seeds| seeds.iter().map(Case::to_string).collect::<Vec<_>>();
        assert_eq!(
            said(with(";1.5:7").expect("choices")),
            ["seed 5", "seed 6, choices 1.500000:7"]
        );
        let all = said(with("1:2").expect("choices"));
        assert!(all.iter().all(|one| one.ends_with(", choices 1.000000:2")), "{all:?}");
        let words = with("1:2;1:3;1:4").expect_err("there are two runs");
        assert_eq!(words, "LAB_CHOICES has the choices of 3 runs, and there are 2");
        assert!(with("x").expect_err("no choice").starts_with("LAB_CHOICES: `x` is no change"));
    }
}
