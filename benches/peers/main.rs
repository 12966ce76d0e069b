//! Meridian beside its peers, in one run: the programs that are compared and the one that compares them.
//!
//! ```text
//! scripts/bench ─▶ speed │ wan │ admin      starts peers on one core, load and backend on the other, prints Markdown
//!                  responder │ proxy        bare hyper, the floor that a gateway on hyper can reach
//!                  load                     keep-alive requests over h1 or h2, plain or TLS
//!                  carry                    one end of a network with distance (root)
//! ```
//!
//! A report, not a test: nothing here passes or fails. CPU per request is the figure to trust, as a ratio inside a repeat.

#[path = "../../tests/nodes/mod.rs"]
mod nodes;

mod admin;
mod caller;
mod documents;
mod gateway;
mod large;
mod load;
mod peers;
mod process;
mod proxy;
mod responder;
mod signer;
mod speed;
mod table;
mod tls;
mod tun;
mod wan;

use std::collections::HashMap;
use std::process::ExitCode;

/// Whatever ends a bench early.
pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Arguments of the form `--name value`.
pub(crate) struct Flags(HashMap<String, String>);

impl Flags {
    fn read(arguments: impl Iterator<Item = String>) -> Self {
        let mut flags = HashMap::new();
        let mut name = None;
        for argument in arguments {
            match (argument.strip_prefix("--"), name.take()) {
                (Some(next), _) => name = Some(next.to_owned()),
                (None, Some(name)) => {
                    flags.insert(name, argument);
                }
                (None, None) => {}
            }
        }
        Self(flags)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The value of `--name`, or `otherwise`.
    pub(crate) fn number<T: std::str::FromStr>(&self, name: &str, otherwise: T) -> T {
        self.text(name).and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    }
}

/// The runtime of every role: one thread, as each of them is measured on one core.
pub(crate) fn on_one_thread<T>(work: impl Future<Output = T>) -> Outcome<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(tokio::task::LocalSet::new().block_on(&runtime, work))
}

fn main() -> ExitCode {
    // `cargo bench` adds `--bench`.
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let role = arguments.next().unwrap_or_default();
    let flags = Flags::read(arguments);
    tls::install_provider();
    let outcome = match role.as_str() {
        "responder" => responder::run(&flags),
        "proxy" => proxy::run(&flags),
        "load" => load::run(&flags),
        "carry" => tun::run(&flags),
        "fresh" => wan::fresh(&flags),
        "prepare" => wan::prepare(&flags),
        "speed" => speed::run(&flags),
        "wan" => wan::run(&flags),
        "admin" => admin::run(&flags),
        _ => {
            println!("usage: scripts/bench [speed | wan | admin] [--seconds N] [--repeats N]");
            return ExitCode::SUCCESS;
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{role}: {error}");
            ExitCode::FAILURE
        }
    }
}
