//! Settings: what is stronger, what is refused, and that the samples in `config/` are what they say.

use super::{ConfigError, Listen, NodeConfig, Settings};

fn resolve(toml: &str, dev: bool) -> Result<NodeConfig, ConfigError> {
    NodeConfig::resolve(Settings::from_toml(toml).unwrap(), "host", dev)
}

#[test]
fn defaults_listen_on_loopback_only() {
    let config = resolve("", false).unwrap();
    assert!(config.is_private());
    assert_eq!(config.admin.to_string(), "127.0.0.1:4566");
    assert_eq!((config.name.as_str(), config.region.as_str()), ("host", "us-east-1"));
}

#[test]
fn functions_are_off_unless_somebody_turns_them_on() {
    let enabled = |toml: &str, dev| resolve(toml, dev).unwrap().functions.enabled;
    assert!(!enabled("", false) && enabled("", true));
    assert!(enabled("[functions]\nenabled = true", false) && !enabled("[functions]\nenabled = false", true));
}

#[test]
fn interpreters_of_both_sources_count() {
    let file = "[functions]\nmemory_mib = 5\n[functions.interpreters]\n'python3.11' = '/a'\n'python3.12' = '/b'";
    let flags = "[functions.interpreters]\n'python3.12' = '/c'";
    let both = Settings::from_toml(file).unwrap().overridden_by(Settings::from_toml(flags).unwrap());
    let functions = NodeConfig::resolve(both, "host", false).unwrap().functions;
    let paths: Vec<_> = functions.interpreters.values().map(|path| path.display().to_string()).collect();
    assert_eq!((paths, functions.memory_mib), (vec!["/a".to_owned(), "/c".to_owned()], 5));
}

#[test]
fn flags_are_stronger_than_the_file() {
    let file = Settings::from_toml("region = 'eu-west-1'\nname = 'a'\n[listen]\nadmin = '127.0.0.1:1'").unwrap();
    let flags = Settings::from_toml("name = 'b'\n[listen]\ngateway_http = 'off'").unwrap();
    let config = NodeConfig::resolve(file.overridden_by(flags), "host", false).unwrap();
    assert_eq!((config.name.as_str(), config.region.as_str()), ("b", "eu-west-1"));
    assert_eq!((config.admin.to_string(), config.gateway_http), ("127.0.0.1:1".into(), Listen::Off));
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let refused = |toml: &str, dev| resolve(toml, dev).unwrap_err().to_string();
    for (toml, words) in [
        ("region = 'Europe/West'", "region"),
        ("account = '12'", "twelve digits"),
        ("profile = 'fast'", "generous or strict"),
        ("domain = 'Ex ample'", "domain"),
        ("[listen]\ndns = '127.0.0.1:53'", "DNS listener is not built yet"),
        ("[listen]\npeers = 'off'", "peers"),
        ("[listen]\npeers = '0.0.0.0:4567'", "--advertise"),
        ("[listen]\nadmin = '0.0.0.0:4566'", "without TLS"),
        ("[tls]\ncert = 'a.pem'", "--tls-key"),
        ("[backends]\nconnections = 0", "1–65,536"),
        ("[functions]\nzip_mib = 0", "functions.zip_mib"),
        ("[functions]\ncode_mib = 9999999999", "functions.code_mib"),
        ("[functions]\nidle_s = 0", "functions.idle_s"),
        ("[functions]\nconcurrency = 1000000", "functions.concurrency"),
        ("[functions]\nnode_ric = 'here'", "absolute"),
        ("[cache]\nmib = 0", "1 to 1048576"),
    ] {
        let said = refused(toml, false);
        assert!(said.contains(words), "{toml}: {said}");
    }
    assert!(refused("[listen]\ngateway_http = '192.0.2.1:80'", true).contains("--dev"));
}

#[test]
fn unknown_keys_and_bad_addresses_are_errors_that_name_the_place() {
    for toml in ["regoin = 'x'", "[listen]\nport = 1", "[listen]\nadmin = 'here'", "name = 1"] {
        let said = Settings::from_toml(toml).unwrap_err().to_string();
        assert!(said.contains("line"), "{said}");
    }
}

#[test]
fn every_sample_in_config_resolves() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let mut samples = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "toml") && path.file_stem().unwrap() != "deny" {
            let settings = Settings::from_toml(&std::fs::read_to_string(&path).unwrap()).unwrap();
            NodeConfig::resolve(settings, "host", false).unwrap();
            samples += 1;
        }
    }
    assert!(samples >= 2, "the samples are gone");
}
