//! `meridian demo`: a whole cluster on this machine, one process per region, with the distances between regions simulated
//! on the peers' sockets; a sample API made through the AWS-compatible control plane; traffic; and what clients saw.
//!
//! ```text
//! fleet (three processes) ─ sample (APIs, key, plan, deployments) ─ traffic (the table) ─ fall (kill the leader)
//!    └ backends in this process, one per region            └ far: the same client without an edge, through a delayed relay
//! ```

mod backend;
mod fall;
mod far;
mod fleet;
mod report;
mod sample;
mod traffic;

use super::CliError;
use clap::Args;
use fleet::Fleet;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Round trips between the regions, milliseconds: first–second, first–third, second–third, and so on around.
const ROUND_TRIPS_MS: [u64; 3] = [80, 150, 230];

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Regions, one node each
    #[arg(long, value_delimiter = ',', default_value = "us-east-1,eu-west-1,ap-southeast-2")]
    regions: Vec<String>,
    /// Leave the cluster running until Ctrl-C, and print commands to play with
    #[arg(long)]
    keep: bool,
}

impl From<std::io::Error> for CliError {
    fn from(cause: std::io::Error) -> Self {
        Self::Demo(cause.to_string())
    }
}

impl Demo {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        // The fleet is dropped, and with it every process and the directory, also when the person presses Ctrl-C.
        runtime.block_on(async {
            let (mut terminate, mut hangup) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
            let code = tokio::select! {
                done = self.play() => return done,
                _ = tokio::signal::ctrl_c() => 130,
                _ = terminate.recv() => 143,
                _ = hangup.recv() => 129,
            };
            let _ = writeln!(std::io::stderr(), "\nstopped: the cluster and its directory are gone");
            Ok(ExitCode::from(code))
        })
    }

    async fn play(&self) -> Result<ExitCode, CliError> {
        if self.regions.len() < 2 || self.regions.len() > 5 {
            return Err(CliError::Demo("--regions takes two to five regions".into()));
        }
        let fleet = Fleet::start(&self.regions).await?;
        let sample = sample::make(&fleet).await?;
        report::network(&fleet)?;
        let seen = traffic::run(&fleet, &sample).await?;
        report::traffic(&fleet, &seen)?;
        let fall = fall::run(&fleet, &sample).await?;
        report::fall(&fall)?;
        if self.keep {
            report::play_with(&fleet, &sample)?;
            std::future::pending::<()>().await;
        }
        fleet.stop().await;
        let good = fall.errors == 0 && fall.writes_resumed;
        Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Says what goes on, in one line that the next one replaces; nothing where nobody looks.
fn step(text: &str) {
    let mut out = std::io::stderr();
    if out.is_terminal() {
        let _ = write!(out, "\r\x1b[K{text}");
        let _ = out.flush();
    } else if !text.is_empty() {
        let _ = writeln!(out, "{text}");
    }
}

/// The round trip between two regions of the demo.
fn round_trip(a: usize, b: usize) -> Duration {
    let (low, high) = (a.min(b), a.max(b));
    if low == high {
        Duration::ZERO
    } else {
        Duration::from_millis(ROUND_TRIPS_MS[(low + high - 1) % ROUND_TRIPS_MS.len()])
    }
}

#[cfg(test)]
mod tests {
    use super::round_trip;

    #[test]
    fn the_three_default_regions_are_80_150_and_230_ms_apart() {
        let ms = |a, b| round_trip(a, b).as_millis();
        assert_eq!((ms(0, 1), ms(0, 2), ms(1, 2)), (80, 150, 230));
        assert_eq!((ms(2, 1), ms(1, 1)), (230, 0));
    }
}
