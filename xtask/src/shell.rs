//! Text that users copy into a shell.

use std::path::Path;

/// A path as one word of a command line. Plain paths stay as they are.
pub(crate) fn quoted(path: &Path) -> String {
    run_record::shell::word(&path.display().to_string())
}

/// The variables of a replay that are not the lab's own, as the beginning of another command: the code under test
/// has asked for them.
pub(crate) fn variables(replay: &str) -> String {
    let before = replay.split_once("cargo test").map_or("", |(before, _)| before);
    let own = |word: &&str| !word.starts_with("LAB_");
    before.split_whitespace().filter(own).map(|word| format!("{word} ")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variables_of_the_code_under_test_are_kept() {
        let replay = "LAB_SETTING=losses=0 KV_ZOO=GetNotLogged LAB_SEED=3 cargo test -p kv-zoo";
        assert_eq!(variables(replay), "KV_ZOO=GetNotLogged ");
        assert_eq!(variables("LAB_SEED=3 cargo test -p my-kv"), "");
    }

    #[test]
    #[cfg(unix)]
    fn a_shell_takes_it_for_one_word() {
        for (path, expected) in [
            ("../my-raft", "../my-raft"),
            ("/home/Übung/x", "/home/Übung/x"),
            ("a b (new)/c", "'a b (new)/c'"),
            ("it's", r"'it'\''s'"),
            ("$HOME", "'$HOME'"),
            ("~", "'~'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(Path::new(path)), expected);
            let echo = format!("printf %s {expected}");
            let said = std::process::Command::new("sh").args(["-c", &echo]).output();
            assert_eq!(String::from_utf8_lossy(&said.expect("sh runs").stdout), path);
        }
    }
}
