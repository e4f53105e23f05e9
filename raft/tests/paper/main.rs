//! The rules against the extended Raft paper, section by section.
//!
//! Each test's doc ends with the place in the paper it is about.

mod behind_a_base;
#[path = "../common/mod.rs"]
mod common;
mod figure_13;
mod figure_2;
mod figures;
mod harness;
mod scene;
mod section_5_1;
mod section_5_2;
mod section_5_3;
mod section_5_3_backup;
mod section_5_3_flow;
mod section_5_4_1;
mod section_5_4_2;
mod section_5_5;
mod section_7;
mod section_7_flow;
mod section_8;
mod service;
mod storm;
mod transcript;
