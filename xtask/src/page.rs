//! What the pages of this program have in common.

use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("stress/report.css");

/// A page that needs nothing else and may load nothing else. `body` may have scripts only with `scripts`.
pub(crate) fn page(name: &str, scripts: bool, body: &Markup) -> String {
    let styles = "default-src 'none'; style-src 'unsafe-inline'";
    let policy = format!("{styles}{}", if scripts { "; script-src 'unsafe-inline'" } else { "" });
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy" content=(policy);
                title { (name) }
                style { (PreEscaped(STYLE)) }
            }
            body { (body) }
        }
    };
    page.into_string()
}
