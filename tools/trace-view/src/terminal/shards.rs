//! What servers do with shards, and who is to have them.

use super::parts::Parts;
use crate::replay::Shards;

/// How a server's shards have changed.
pub(super) fn change(before: Option<Shards<'_>>, now: Shards<'_>) -> Parts {
    let config = before.is_none_or(|before| before.config != now.config);
    let served = before.map_or(&[][..], |before| before.serves);
    let kept = before.is_some_and(|before| !before.keeps.is_empty());
    let news = differences(served, now.serves);
    let parts = Parts::new(match config {
        true => format!("config {}", now.config),
        false => "shards".to_string(),
    });
    let parts = parts.with_some(0, (!news.is_empty()).then_some(news));
    let keeps = (kept || !now.keeps.is_empty()).then(|| format!("keeps {}", list(now.keeps)));
    parts.with(2, format!("serves {}", list(now.serves))).with_some(1, keeps)
}

/// A configuration: which group is to have which shards.
pub(super) fn configuration(number: u64, owners: &[u64]) -> Parts {
    let mut groups: Vec<u64> = owners.to_vec();
    groups.sort_unstable();
    groups.dedup();
    let of_group = |group: &u64| {
        let has = (0..).zip(owners).filter(|(_, owner)| *owner == group);
        let shards: Vec<u32> = has.map(|(shard, _)| shard).collect();
        let name = if *group == 0 { "nobody".to_string() } else { format!("group {group}") };
        format!("{name}: {}", list(&shards))
    };
    let all: Vec<String> = groups.iter().map(of_group).collect();
    Parts::new(format!("configuration {number}")).with(0, format!("→ {}", all.join(", ")))
}

/// What has come and what is gone: `+3 -7`.
fn differences(before: &[u32], now: &[u32]) -> String {
    let less = |of: &[u32], other: &[u32]| -> Vec<u32> {
        of.iter().copied().filter(|shard| !other.contains(shard)).collect()
    };
    let signed = |sign: char, shards: Vec<u32>| {
        (!shards.is_empty()).then(|| format!("{sign}{}", list(&shards)))
    };
    let both = [signed('+', less(now, before)), signed('-', less(before, now))];
    both.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Numbers of shards, those in a row as one: `0-3,7`.
pub(super) fn list(shards: &[u32]) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for &shard in shards {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(shard) => *last = shard,
            _ => runs.push((shard, shard)),
        }
    }
    let run = |(first, last): &(u32, u32)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    match runs.is_empty() {
        true => "none".to_string(),
        false => runs.iter().map(run).collect::<Vec<_>>().join(","),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_a_row_are_one() {
        assert_eq!(list(&[0, 1, 2, 4, 8, 9]), "0-2,4,8-9");
        assert_eq!(list(&[u32::MAX, 0]), "4294967295,0");
        assert_eq!(list(&[]), "none");
    }

    #[test]
    fn what_has_come_and_gone_is_said() {
        let now = Shards { group: 100, config: 4, serves: &[1, 2], keeps: &[7] };
        assert_eq!(change(None, now).whole(), "config 4 +1-2 serves 1-2 keeps 7");
        let next = Shards { serves: &[2, 3], keeps: &[], ..now };
        let words = change(Some(now), next).whole();
        assert_eq!(words, "shards +3 -1 serves 2-3 keeps none");
    }
}
