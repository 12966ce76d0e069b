//! `meridian token create`: an invitation for one machine.

use super::{Ask, CliError, Output};
use clap::{Args, Subcommand};
use serde_json::json;
use std::io::Write as _;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(super) enum Token {
    /// Make a single-use join token
    Create(Create),
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// How long it is good for: 30s, 10m, 1h, 2d
    #[arg(long, default_value = "1h", value_parser = duration_ms)]
    ttl: i64,
    /// The only region that a node may join with it
    #[arg(long)]
    region: Option<String>,
    #[command(flatten)]
    ask: Ask,
}

impl Token {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let Self::Create(create) = self;
        let body = json!({ "ttl_ms": create.ttl, "region": create.region });
        let answer = create.ask.send("POST", "/cluster/v1/tokens", &body)?;
        match create.ask.output {
            Output::Json => say!("{answer}")?,
            Output::Table => {
                say!("{}", answer["token"].as_str().unwrap_or_default())?;
                let _ = writeln!(
                    std::io::stderr(),
                    "good for one node; on its machine: meridian join TOKEN --region REGION"
                );
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Reads `90s`, `10m`, `1h`, `2d`.
fn duration_ms(text: &str) -> Result<i64, String> {
    let rule = || format!("`{text}` is no duration: write a number and s, m, h or d, such as 1h");
    let unit = text.chars().last().ok_or_else(rule)?;
    let factor = match unit {
        's' => 1_000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        _ => return Err(rule()),
    };
    let number: i64 = text[..text.len() - 1].parse().map_err(|_| rule())?;
    number.checked_mul(factor).filter(|ms| *ms > 0).ok_or_else(rule)
}

#[cfg(test)]
mod tests {
    use super::duration_ms;

    #[test]
    fn durations_need_a_unit_and_a_positive_number() {
        assert_eq!(duration_ms("1h"), Ok(3_600_000));
        assert_eq!(duration_ms("30s"), Ok(30_000));
        for bad in ["", "h", "1", "-1h", "1w", "9223372036854775807d", "é"] {
            assert!(duration_ms(bad).is_err(), "{bad}");
        }
    }
}
