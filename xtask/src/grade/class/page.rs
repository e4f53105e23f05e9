//! The results of a class as one page that needs nothing else.

use std::ffi::OsStr;

use maud::{Markup, html};

use super::Class;
use super::alike::most_equal;
use super::table::{
    ABOUT_PAIRS, PAIR_HEAD, Row, head, not_unpacked, pair_cells, pairs_title, summary,
};
use crate::page::page;

/// The whole page.
pub(crate) fn render(class: &Class) -> String {
    let name = format!("Class {}", class.name);
    let details = |row: &Row| Some(format!("crates/{}/grade.txt", in_address(&row.folder)));
    let rows = class.rows.iter().map(|row| (row.cells(), row.is_well(), details(row)));
    let pairs = most_equal(&class.pairs).into_iter().map(|pair| (pair_cells(pair), true, None));
    let body = html! {
        header { h1 { (name) } }
        main {
            p { (summary(class)) }
            div.wide { (table(&head(class), rows)) }
            @if let Some(words) = not_unpacked(&class.archives) { p { (words) } }
            @if !class.pairs.is_empty() {
                h2 { (pairs_title(class)) }
                p.dim { (ABOUT_PAIRS) }
                div.wide { (table(&PAIR_HEAD, pairs)) }
            }
        }
    };
    page(&name, false, &body)
}

/// A name as part of an address. It need not be text.
fn in_address(name: &OsStr) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let shown = |byte: u8| match plain(&byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    name.as_encoded_bytes().iter().copied().map(shown).collect()
}

/// A table: of each row its cells, whether it is as it should be, and where there is more to read. Each cell
/// knows its head, since a narrow screen has no room for a line of heads.
fn table(head: &[&str], rows: impl Iterator<Item = (Vec<String>, bool, Option<String>)>) -> Markup {
    html! {
        table {
            thead { tr { @for text in head { th scope="col" { (text) } } } }
            tbody {
                @for (cells, well, details) in rows {
                    tr {
                        @for (place, (text, head)) in cells.iter().zip(head).enumerate() {
                            @let bad = !well && *head == "points";
                            td data-label=(head) class=[bad.then_some("bad")] {
                                @match details.as_ref().filter(|_| place == 0) {
                                    Some(address) => a href=(address) { (text) },
                                    None => (text),
                                }
                            }
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

    #[cfg(unix)]
    #[test]
    fn a_link_leads_to_a_folder_whose_name_is_no_text() {
        use std::os::unix::ffi::OsStrExt as _;

        let mut class = class();
        class.rows[0].folder = OsStr::from_bytes(b"zo\xff e").to_owned();
        let page = render(&class);
        let details = "<a href=\"crates/zo%FF%20e/grade.txt\">zo\u{fffd} e</a>";
        assert!(page.contains(details), "{page}");
    }

    #[test]
    fn the_page_shows_words_as_words_and_loads_nothing() {
        let page = render(&class());
        assert!(page.contains("&lt;b&gt;no&lt;/b&gt;") && !page.contains("<script"), "{page}");
        for address in ["http://", "https://", "src=", "@import", "url("] {
            assert!(!page.contains(address), "{address}");
        }
        assert_eq!(page.matches("class=\"bad\"").count(), 2, "{page}");
        assert!(page.contains("<td data-label=\"alike\">88 %</td>"), "{page}");
        let details = "<a href=\"crates/%3Dbob/grade.txt\">=bob</a>";
        assert!(page.contains(details), "{page}");
        assert!(page.contains("3 crates, 2 of them finished"), "{page}");
    }
}
