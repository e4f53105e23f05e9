/// A step of the splitmix64 generator: numbers that are close to each other become numbers that are not.
///
/// ```
/// assert_eq!(run_record::mix(0), 0xe220_a839_7b1d_cdaf);
/// ```
pub fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
