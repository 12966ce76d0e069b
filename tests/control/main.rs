//! The control plane without sockets: whole answers of every noun, and of the walk itself.

mod bench;
mod rest_api;
mod walk;
