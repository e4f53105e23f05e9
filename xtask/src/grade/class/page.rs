//! The results of a class as one page that needs nothing else.

use maud::{Markup, html};

use super::Class;
use super::table::{ABOUT_PAIRS, PAIR_HEAD, Row, head, pair_cells, pairs_title, shown};
use crate::page::page;

/// The whole page.
pub(crate) fn render(class: &Class) -> String {
    let name = format!("Class {}", class.name);
    let rows = class.rows.iter().map(|row| (row.cells(), Row::is_well(row)));
    let pairs = shown(class).iter().map(|pair| (pair_cells(pair), true));
    let body = html! {
        header { h1 { (name) } }
        main {
            div.wide { (table(&head(class), rows)) }
            @if !class.pairs.is_empty() {
                h2 { (pairs_title(class)) }
                p.dim { (ABOUT_PAIRS) }
                div.wide { (table(&PAIR_HEAD, pairs)) }
            }
        }
    };
    page(&name, false, &body)
}

/// A table. Each cell knows its head, since a narrow screen has no room for a line of heads.
fn table(head: &[&str], rows: impl Iterator<Item = (Vec<String>, bool)>) -> Markup {
    html! {
        table {
            thead { tr { @for text in head { th scope="col" { (text) } } } }
            tbody {
                @for (cells, well) in rows {
                    tr {
                        @for (text, head) in cells.iter().zip(head) {
                            @let bad = !well && *head == "points";
                            td data-label=(head) class=[bad.then_some("bad")] { (text) }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::tests::class;
    use super::*;

    #[test]
    fn the_page_shows_words_as_words_and_loads_nothing() {
        let page = render(&class());
        assert!(page.contains("&lt;b&gt;no&lt;/b&gt;") && !page.contains("<script"), "{page}");
        for address in ["http://", "https://", "src=", "@import", "url("] {
            assert!(!page.contains(address), "{address}");
        }
        assert_eq!(page.matches("class=\"bad\"").count(), 2, "{page}");
        assert!(page.contains("<td data-label=\"alike\">88 %</td>"), "{page}");
    }
}
