//! Tables that people read: columns as wide as their widest cell.

use super::{CliError, say};
use serde_json::Value;

/// Prints rows of objects under these members; a missing member is `-`.
pub(super) fn print(rows: &[Value], columns: &[&str]) -> Result<(), CliError> {
    say::text(render(rows, columns))
}

fn cell(row: &Value, column: &str) -> String {
    match &row[column] {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => format!("{:.1}", number.as_f64().unwrap_or_default()),
        other => other.to_string(),
    }
}

fn render(rows: &[Value], columns: &[&str]) -> String {
    let heads: Vec<String> = columns.iter().map(|column| column.to_uppercase().replace('_', " ")).collect();
    let mut lines = vec![heads];
    lines.extend(rows.iter().map(|row| columns.iter().map(|column| cell(row, column)).collect()));
    let widths: Vec<usize> =
        (0..columns.len()).map(|i| lines.iter().map(|line| line[i].chars().count()).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for line in &lines {
        let padded: Vec<String> =
            line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}", width = *width)).collect();
        text.push_str(padded.join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [json!({"name": "a", "rtt_ms": 80.04}), json!({"name": "longer"})];
        assert_eq!(super::render(&rows, &["name", "rtt_ms"]), "NAME    RTT MS\na       80.0\nlonger  -\n");
    }
}
