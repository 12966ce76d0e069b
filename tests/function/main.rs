//! Functions as real processes: runtimes in Python and Node.js over the Runtime API, and functions that misbehave.

mod bounds;
mod code;
mod faults;
mod house;
mod logs;
mod runtimes;
#[path = "../nodes/skip.rs"]
mod skip;
mod streams;
mod without_namespaces;
