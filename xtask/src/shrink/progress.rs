//! What is shown while a search goes on.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use run_record::setting::{Setting, Trouble};
use trace_view::clean;

use super::case::grouped;
use super::search::Step;

/// One line that changes on a terminal; elsewhere a line for each setting that was tried.
pub(crate) struct Display {
    bar: Option<ProgressBar>,
}

impl Display {
    pub(crate) fn new(terminal: bool) -> Display {
        let bar = terminal.then(|| {
            let style = ProgressStyle::with_template("{spinner} {wide_msg}");
            let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bar = ProgressBar::new_spinner().with_style(style);
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Display { bar }
    }

    /// A phase begins.
    pub(crate) fn say(&self, words: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(clean(words)),
            None => crate::say::note(&clean(words)),
        }
    }

    /// A setting was tried.
    pub(crate) fn step(&self, step: &Step<'_>) {
        let Step { trial, before, best, runs } = step;
        let tried = change(before, &trial.setting);
        let came = match trial.failing {
            Some(_) if trial.void => "fails, but so does the reference".to_string(),
            Some(seed) => format!("still fails, with seed {seed}"),
            None => format!("not seen to fail with {} seeds", trial.seeds),
        };
        self.say(&match &self.bar {
            Some(_) => format!("{} runs, now {}; {tried}: {came}", grouped(*runs), best.setting),
            None => format!("  {tried}: {came}"),
        });
    }

    /// Nothing more will come.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// What a setting has otherwise than the one before it.
fn change(before: &Setting, after: &Setting) -> String {
    let changed = Trouble::ALL.into_iter().filter(|t| before.limit(*t) != after.limit(*t));
    let only = |setting: Setting, trouble| setting.with(trouble, after.limit(trouble));
    changed.fold(Setting::default(), only).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_named_by_what_it_changes() {
        let setting = |text: &str| text.parse::<Setting>().expect("a setting");
        let named = change(&setting("losses=3,rounds=7"), &setting("losses=3,crashes=0,rounds=3"));
        assert_eq!(named, "crashes=0,rounds=3");
    }
}
