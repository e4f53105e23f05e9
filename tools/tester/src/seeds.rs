//! Which seeds a simulated test runs with.

use std::fmt;

/// How many, unless `LAB_SEEDS` says otherwise.
const DEFAULT_SEEDS: u64 = 4;

/// With up to so many seeds each run has its own lines; with more, each block of [`BLOCK`].
const LINES_EACH: usize = 10;
const BLOCK: usize = 100;

/// Some seeds, in the order of their runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seeds(Vec<u64>);

impl Seeds {
    /// What the environment asks for: `LAB_SEED` is the first seed or a list of all, `LAB_SEEDS` how
    /// many there are from the first one on.
    ///
    /// # Panics
    /// If a variable is set to what makes no sense.
    pub(crate) fn from_environment() -> Seeds {
        let read = |name| std::env::var(name).ok();
        match Seeds::parse(read("LAB_SEED").as_deref(), read("LAB_SEEDS").as_deref()) {
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
            (_, Some(0)) => Err("LAB_SEEDS=0 would test nothing".to_string()),
            ([_, _, ..], Some(_)) => {
                Err("LAB_SEED lists all seeds, so LAB_SEEDS cannot say how many".to_string())
            }
            ([first], count) => {
                let count = count.unwrap_or(if seed.is_some() { 1 } else { DEFAULT_SEEDS });
                Ok(Seeds((0..count).map(|n| first.wrapping_add(n)).collect()))
            }
            _ => Ok(Seeds(list)),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u64> {
        self.0.iter().copied()
    }

    pub(crate) fn first(&self) -> u64 {
        self.0[0]
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
            [seed] => write!(f, "seed {seed}"),
            seeds => write!(f, "seeds {} to {}", seeds[0], seeds[seeds.len() - 1]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(seed: Option<&str>, count: Option<&str>) -> Result<Vec<u64>, String> {
        Seeds::parse(seed, count).map(|seeds| seeds.0)
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
        assert!(refused(Some("1,2"), Some("5")).contains("LAB_SEED lists all seeds"));
    }

    #[test]
    fn few_seeds_have_lines_each_and_many_come_in_blocks() {
        let few = Seeds(vec![3, 4]).blocks();
        assert_eq!(few, [Seeds(vec![3]), Seeds(vec![4])]);
        let many = Seeds((0..250).collect()).blocks();
        assert_eq!(many.iter().map(Seeds::len).collect::<Vec<_>>(), [100, 100, 50]);
        assert_eq!(many[2].to_string(), "seeds 200 to 249");
    }
}
