//! What `#[labrpc::service]` refuses, and in which words: see `ui`.

#[test]
fn refusals() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
