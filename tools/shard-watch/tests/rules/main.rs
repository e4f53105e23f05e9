//! What servers may tell, however close it comes to what a rule forbids, and what they must not.

mod answers;
mod deleted;
mod order;
mod serving;
mod silence;
mod situations;
mod world;
