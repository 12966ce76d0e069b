//! Integrations with AWS services, end to end: boto3 makes the APIs on a real node, and moto stands for the services.

use crate::nodes::{Cluster, wait_for};
use crate::{described, missing, program, root, run_on};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const ROLE: &str = "arn:aws:iam::000000000000:role/gateway";

/// moto's server on a port of its own.
struct Moto {
    child: Child,
    url: String,
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Moto {
    fn start(python: &Path, folder: &Path) -> Moto {
        let log = folder.join("moto.log");
        let output = fs::File::create(&log).expect("moto.log");
        let child = Command::new(python)
            .args(["-B", "-u", "-m", "moto.server", "--host", "127.0.0.1", "--port", "0"])
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a second handle"))
            .stderr(output)
            .spawn()
            .expect("moto's process");
        let url = wait_for("moto's address", Duration::from_secs(60), || {
            let said = fs::read_to_string(&log).ok()?;
            let at = said.find("http://127.0.0.1:")?;
            let url: String = said[at..].chars().take_while(|c| !c.is_whitespace()).collect();
            said[at + url.len()..].starts_with('\n').then_some(url)
        });
        Moto { child, url }
    }
}

#[test]
fn services_that_moto_stands_for_are_called_through_a_real_node() {
    let script = "with_moto.py";
    let Some(python) = program("MERIDIAN_TEST_PYTHON", "venv/bin/python") else {
        return missing(script, "target/venv with the pinned AWS clients and moto");
    };
    let folder = tempfile::tempdir().expect("a temporary directory");
    let moto = Moto::start(&python, folder.path());
    // The secret stands in a file of its own, as an operator would have it.
    let secret = folder.path().join("secret");
    fs::write(&secret, "a-secret-of-the-operator\n").expect("written");
    let file = folder.path().join("node.toml");
    let text = format!(
        "[aws]\nendpoint = \"{}\"\n\n[aws.credentials.\"{ROLE}\"]\naccess_key = \"AKIDMOTO\"\nsecret_file = \"{}\"\n",
        moto.url,
        secret.display()
    );
    fs::write(&file, text).expect("written");
    let cluster = Cluster::start_with(&["us-east-1"], &["--config", file.to_str().expect("UTF-8")]);
    let mut told = described(&cluster);
    told["services"] = moto.url.clone().into();
    told["role"] = ROLE.into();
    let mut command = Command::new(python);
    run_on(script, command.arg("-B").arg(root().join("tests/clients").join(script)), &cluster, &told);
    for node in &cluster.nodes {
        let words = fs::read_to_string(node.data.join("stderr.log")).unwrap_or_default();
        assert!(!words.contains("a-secret-of-the-operator"), "a secret is in the log");
    }
}
