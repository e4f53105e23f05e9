//! Text that users copy into a shell.

use std::path::Path;

/// A path as one word of a command line. Plain paths stay as they are.
pub(crate) fn quoted(path: &Path) -> String {
    run_record::shell::word(&path.display().to_string())
}

/// The variables of a replay that are not the lab's own, as the beginning of another command: the code under test
/// has asked for them.
pub(crate) fn variables(replay: &str) -> String {
    let (variables, _) = run_record::shell::assignments(replay);
    let others = variables.iter().filter(|variable| !variable.name.starts_with("LAB_"));
    others.map(|variable| format!("{} ", variable.written)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variables_of_the_code_under_test_are_kept() {
        let replay = "LAB_SETTING=losses=0 KV_ZOO=GetNotLogged LAB_SEED=3 cargo test -p kv-zoo";
        assert_eq!(variables(replay), "KV_ZOO=GetNotLogged ");
        assert_eq!(variables("LAB_SEED=3 cargo test -p my-kv"), "");
        let spaces =
            "A='x  y' LAB_SETTING='losses=0' B='it'\\''s cargo test' LAB_SEED=3 cargo test";
        assert_eq!(variables(spaces), "A='x  y' B='it'\\''s cargo test' ");
    }

    #[test]
    #[cfg(unix)]
    fn a_shell_gives_another_command_the_same_variables() {
        for value in ["x  y", " cargo test ", "it's  LAB_SEED=1 ", "a\tb"] {
            let replay =
                format!("A={} LAB_SEED=3 cargo test -p my-kv", run_record::shell::word(value));
            let print = format!("{}sh -c 'printf %s \"$A\"'", variables(&replay));
            let said = std::process::Command::new("sh").args(["-c", &print]).output();
            assert_eq!(String::from_utf8_lossy(&said.expect("sh runs").stdout), value);
        }
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
