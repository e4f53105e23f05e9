//! What is judged and counted of servers that do nothing but tell.

mod rules;
mod situations;
mod world;
