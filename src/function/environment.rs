//! The variables of a function process: Lambda's, the function's own, and nothing of the node's.

use super::options::Ready;

/// Variables that Lambda sets and a function may set otherwise.
fn defaults(task: &str) -> [(&'static str, String); 5] {
    [
        ("LANG", "en_US.UTF-8".to_owned()),
        ("TZ", ":UTC".to_owned()),
        ("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/bin".to_owned()),
        ("LD_LIBRARY_PATH", format!("/lib64:/usr/lib64:{task}:{task}/lib:/opt/lib")),
        ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
    ]
}

/// All variables of a process of `deployed`, which asks for its invocations at `api` (`IP:PORT`).
pub(super) fn variables(ready: &Ready, api: &str, stream: &str) -> Vec<(String, String)> {
    let (deployed, task) = (&ready.deployed, ready.code.display().to_string());
    let reserved = [
        ("_HANDLER", &*deployed.handler),
        ("AWS_LAMBDA_FUNCTION_NAME", &deployed.name),
        ("AWS_LAMBDA_FUNCTION_VERSION", &deployed.version),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &deployed.memory_mb.to_string()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", &deployed.log_group),
        ("AWS_LAMBDA_LOG_STREAM_NAME", stream),
        ("AWS_LAMBDA_RUNTIME_API", api),
        ("AWS_REGION", &deployed.region),
        ("AWS_DEFAULT_REGION", &deployed.region),
        ("LAMBDA_TASK_ROOT", &task),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let own = &deployed.environment;
    let mut all: Vec<(String, String)> = reserved.to_vec();
    if !deployed.runtime.starts_with("provided") {
        all.push(("AWS_EXECUTION_ENV".to_owned(), format!("AWS_Lambda_{}", deployed.runtime)));
    }
    let taken = |name: &str| all.iter().any(|(known, _)| known == name);
    let can_be = |name: &str| !name.is_empty() && !name.contains(['=', '\0']);
    let own: Vec<(String, String)> = own
        .iter()
        .filter(|(name, value)| can_be(name) && !value.contains('\0') && !taken(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let rest = defaults(&task).map(|(name, value)| (name.to_owned(), value));
    let rest = rest.into_iter().filter(|(name, _)| !deployed.environment.contains_key(name));
    all.extend(own.into_iter().chain(rest));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::deployed::Deployed;

    fn ready(own: &[(&str, &str)]) -> Ready {
        let deployed = Deployed {
            key: "k".into(),
            arn: "arn:aws:lambda:eu-west-1:000000000000:function:f".into(),
            name: "f".into(),
            version: "$LATEST".into(),
            account: "000000000000".into(),
            region: "eu-west-1".into(),
            runtime: "python3.12".into(),
            handler: "app.handler".into(),
            memory_mb: 256,
            ephemeral_mb: 512,
            timeout_s: 3,
            architecture: "x86_64".into(),
            environment: own.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            log_group: "/aws/lambda/f".into(),
            code_sha256: [0; 32],
            code_bytes: 0,
            reserved_concurrency: None,
        };
        Ready { deployed, code: "/var/task".into() }
    }

    #[test]
    fn a_functions_own_variables_replace_defaults_but_never_lambdas() {
        let own =
            [("TZ", "Europe/Berlin"), ("AWS_REGION", "mars"), ("TABLE", "t"), ("", "x"), ("A=B", "x"), ("N", "\0")];
        let all = variables(&ready(&own), "127.1.2.3:4", "stream");
        let value = |name: &str| {
            let mut found = all.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
            let first = found.next();
            assert!(found.next().is_none(), "{name} is there twice");
            first
        };
        for (name, expected) in [
            ("TZ", Some("Europe/Berlin")),
            ("AWS_REGION", Some("eu-west-1")),
            ("TABLE", Some("t")),
            ("AWS_LAMBDA_RUNTIME_API", Some("127.1.2.3:4")),
            ("AWS_EXECUTION_ENV", Some("AWS_Lambda_python3.12")),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", Some("256")),
            ("LD_LIBRARY_PATH", Some("/lib64:/usr/lib64:/var/task:/var/task/lib:/opt/lib")),
            ("", None),
            ("A=B", None),
            ("N", None),
            ("HOME", None),
        ] {
            assert_eq!(value(name), expected, "{name}");
        }
    }
}
