//! The control plane without sockets: whole answers of every noun, and of the walk itself.

mod account;
mod bench;
mod deployment;
mod integration;
mod method;
mod resource;
mod rest_api;
mod walk;
