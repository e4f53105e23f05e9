//! Two runs with one seed that are not the same.

use labrt::world::{Event, Trace};

/// What usually makes runs with one seed differ.
pub(crate) const CAUSES: &str = "the code depends on something outside the simulation: the order of a HashMap or \
     HashSet, what a static holds from the run before, an address, std's clock or threads, or the \
     operating system's randomness, from which a library may draw as well (raft-rs its election \
     timeouts, for one: then set what it draws yourself)";

/// Says how two runs differ, and where, as far as two more that were recorded tell.
pub(crate) fn difference(seed: u64, runs: [&Trace; 2], recorded: [&Trace; 2]) -> String {
    let how = parting(recorded).unwrap_or_else(|| {
        let [first, next] = runs.map(|run| run.steps);
        format!(
            "The first had {first} steps and the next one {next}; two more were alike. So what differs is kept \
             from the first"
        )
    });
    format!("two runs with seed {seed} differ. {how}. {CAUSES}")
}

/// Where two recorded runs part; none if they are the same.
fn parting([one, two]: [&Trace; 2]) -> Option<String> {
    if one == two {
        return None;
    }
    let mut both = one.events.iter().zip(&two.events);
    let place = both.position(|(one, two)| one != two);
    let place = place.unwrap_or(one.events.len().min(two.events.len()));
    let [one, two] = [one, two].map(|run| show(run, run.events.get(place)));
    Some(format!("At step {place} one had {one}, and the other {two}"))
}

fn show(trace: &Trace, event: Option<&Event>) -> String {
    let Some(Event { time, task, op, at, .. }) = event else { return "ended".to_string() };
    let title = usize::try_from(*task).ok().and_then(|number| trace.tasks.get(number));
    let title = title.map_or("a task", String::as_str);
    format!("{op:?} of {title} in {at} at {:.6} s", time.as_secs_f64())
}
