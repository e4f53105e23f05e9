//! Making an input smaller.

/// The most trials: the last bytes are not worth minutes.
const TRIALS: usize = 3_000;

/// A smaller input that still fails. Takes pieces out, large ones first.
pub(crate) fn shrink(input: &[u8], fails: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut least = input.to_vec();
    let mut trials = 0;
    let mut piece = least.len().div_ceil(2);
    while piece > 0 {
        let mut at = 0;
        while at < least.len() && trials < TRIALS {
            let mut less = least.clone();
            less.drain(at..(at + piece).min(least.len()));
            trials += 1;
            match fails(&less) {
                true => least = less,
                false => at += piece,
            }
        }
        piece /= 2;
    }
    least
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_matter_is_taken_out() {
        let fails = |input: &[u8]| input.contains(&b'x') && input.contains(&b'y');
        assert_eq!(shrink(b"some text with x and some more with y in it", fails), b"xy");
        assert_eq!(shrink(b"", |_| true), b"");
    }
}
