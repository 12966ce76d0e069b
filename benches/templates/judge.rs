//! Velocity and Jayway in the same run: the Java program beside this file, compiled here and now.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

/// Debian's packages: velocity, libjsonpath-java, libjson-smart-java, libcommons-lang-java and what they need.
const JARS: &[&str] = &[
    "velocity",
    "commons-collections3",
    "commons-lang",
    "json-path",
    "json-smart",
    "accessors-smart",
    "asm",
    "slf4j-api",
    "slf4j-nop",
];

/// What the judges printed and found, and how many nanoseconds each took.
pub(crate) struct Judged {
    pub(crate) nanoseconds: HashMap<String, f64>,
    pub(crate) printed: String,
    pub(crate) found: Vec<String>,
}

/// Runs the judges over a template, a body and paths.
///
/// # Errors
/// What is missing, or why they do not run.
pub(crate) fn judge(template: &str, body: &str, paths: &[&str]) -> Result<Judged, String> {
    let jars: Vec<String> = JARS.iter().map(|name| format!("/usr/share/java/{name}.jar")).collect();
    if let Some(missing) = jars.iter().find(|jar| !Path::new(jar).exists()) {
        return Err(format!("{missing} is not there: apt-get install velocity libjsonpath-java default-jdk-headless"));
    }
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).map_err(|e| e.to_string());
    write("template.vtl", template)?;
    write("body.json", body)?;
    write("paths", &paths.join("\n"))?;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/templates/Judge.java");
    let class_path = format!("{}:{}", folder.path().display(), jars.join(":"));
    let run = |command: &mut Command| {
        let output = command.output().map_err(|error| format!("{:?}: {error}", command.get_program()))?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(String::from_utf8_lossy(&output.stdout).into_owned()) } else { Err(said) }
    };
    run(Command::new("javac").args(["-nowarn", "-cp", &class_path, "-d"]).arg(folder.path()).arg(source))?;
    let lines = run(Command::new("java").args(["-cp", &class_path, "Judge"]).arg(folder.path()))?;
    let nanoseconds = lines.lines().filter_map(|line| {
        let (name, time) = line.split_once('\t')?;
        Some((name.to_owned(), time.parse().ok()?))
    });
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).map_err(|error| error.to_string());
    Ok(Judged {
        nanoseconds: nanoseconds.collect(),
        printed: read("printed")?,
        found: read("found")?.lines().map(str::to_owned).collect(),
    })
}
