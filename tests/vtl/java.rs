//! The reference engines: Java programs that read a question a line and write an answer a line.

use super::skip::skip;
use serde_json::Value as Json;
use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A compiled reference engine.
pub(crate) struct Reference {
    folder: tempfile::TempDir,
    class_path: String,
    class: &'static str,
    options: &'static [&'static str],
}

impl Reference {
    /// Compiles `class` against `jars`. `None`, and a line that says so, where the long tests are not asked for or
    /// something is missing.
    pub(crate) fn compile(
        class: &'static str,
        jars: &[PathBuf],
        options: &'static [&'static str],
    ) -> Option<Reference> {
        if std::env::var_os("MERIDIAN_TEST_ALL").is_none() {
            skip(class, "it is asked with --all only");
            return None;
        }
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../shared/tools/{class}.java"));
        if let Some(missing) = std::iter::once(&source).chain(jars).find(|file| !file.exists()) {
            skip(class, &format!("{} is not there", missing.display()));
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary directory");
        let jars: Vec<String> = jars.iter().map(|jar| jar.display().to_string()).collect();
        let class_path = jars.join(":");
        let compiler =
            Command::new("javac").args(["-nowarn", "-cp", &class_path, "-d"]).arg(folder.path()).arg(source).output();
        match compiler {
            Ok(output) if output.status.success() => {
                let class_path = format!("{}:{class_path}", folder.path().display());
                Some(Reference { folder, class_path, class, options })
            }
            other => {
                skip(class, &format!("javac does not compile it: {other:?}"));
                None
            }
        }
    }

    /// The answers to some questions, by their `id`.
    pub(crate) fn ask(&self, questions: &[Json]) -> HashMap<u64, Json> {
        let mut child = Command::new("java")
            .args(self.options)
            .args(["-cp", &self.class_path, self.class])
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("java runs");
        let mut stdin = child.stdin.take().expect("its input");
        let text: String = questions.iter().map(|question| format!("{question}\n")).collect();
        let writer = std::thread::spawn(move || {
            let _ = stdin.write_all(text.as_bytes());
        });
        let output = child.wait_with_output().expect("it ends");
        writer.join().expect("everything is written");
        let lines = String::from_utf8(output.stdout).expect("UTF-8");
        let answers = lines.lines().map(|line| serde_json::from_str::<Json>(line).expect("an answer"));
        answers.map(|answer| (answer["id"].as_u64().expect("an id"), answer)).collect()
    }
}
