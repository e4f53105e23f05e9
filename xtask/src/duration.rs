//! Durations on the command line.

use std::time::Duration;

/// No command takes longer: a hundred years. Systems cannot tell times that are much later.
pub(crate) const LONGEST: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

/// A duration that is neither nothing nor longer than any clock goes.
///
/// # Errors
/// If it is none of these, in words.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("nothing can be done in no time; give some, such as 10s".into()),
        Ok(duration) if duration > LONGEST => Err("that is too long; the most is 100y".into()),
        Ok(duration) => Ok(duration),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_clock_can_tell_and_no_time_are_refused() {
        assert_eq!(parse("90s"), Ok(Duration::from_secs(90)));
        assert!(parse("100y").is_ok());
        assert!(parse("0s").is_err_and(|words| words.contains("give some")));
        for long in ["101y", "500000000000y", "100000000000y"] {
            assert!(parse(long).is_err_and(|words| words.contains("the most is 100y")), "{long}");
        }
        assert!(parse("soon").is_err());
        // It can be added to now, and multiplied.
        assert!(std::time::Instant::now().checked_add(LONGEST * 6).is_some());
    }
}
