# Sourced by the other scripts: where the project is, what must be installed, and the Python environment of the tests.
# After it the working directory is the project's root.

cd "$(dirname "${BASH_SOURCE[0]}")/.."
target=${CARGO_TARGET_DIR:-target}

say() { printf '\n==> %s\n' "$*"; }

fail() {
  printf 'error: %s\n' "$1" >&2
  shift
  printf '  %s\n' "$@" >&2
  exit 1
}

need_cargo() {
  command -v cargo >/dev/null || fail "cargo is not installed" \
    "Meridian is built from source with Rust $(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml) or newer." \
    "Install Rust with rustup or your system's packages, then run this again."
  command -v cc >/dev/null || fail "there is no C compiler (cc)" \
    "Two dependencies (aws-lc, zstd) are written in C. On Debian: apt-get install build-essential"
}

need_python() {
  command -v python3 >/dev/null || fail "python3 is not installed" \
    "The tests drive the cluster with boto3 and the AWS CLI. On Debian: apt-get install python3 python3-venv"
}

# Makes $target/venv hold exactly tests/clients/requirements.txt; does nothing when it already does.
need_venv() {
  need_python
  local wanted=tests/clients/requirements.txt venv=$target/venv
  if ! cmp -s "$wanted" "$venv/installed.txt"; then
    say "Python environment in $venv ($(grep -v '^#' "$wanted" | tr '\n' ' '))"
    rm -rf "$venv"
    mkdir -p "$target"
    python3 -m venv "$venv" || fail "python3 could not make a virtual environment" \
      "On Debian: apt-get install python3-venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$wanted" ||
      fail "pip could not install the pinned clients of $wanted" \
        "Is the Python package index reachable from here?"
    cp "$wanted" "$venv/installed.txt"
  fi
  MERIDIAN_TEST_PYTHON=$(cd "$venv/bin" && pwd)/python
  export MERIDIAN_TEST_PYTHON
}

# Makes $target/node hold exactly tests/clients/package-lock.json. Without Node.js the tests that want it are skipped, which
# is said here and again by each of them; CI must have it.
need_node() {
  local from=tests/clients home=$target/node
  if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    [ -z "${CI:-}" ] || fail "Node.js and npm are not installed" "On Debian: apt-get install nodejs npm"
    say "SKIPPED: no Node.js with npm here, so the AWS SDK for JavaScript judges nothing (on Debian: apt-get install nodejs npm)"
    return
  fi
  if ! cmp -s "$from/package-lock.json" "$home/installed.json"; then
    say "AWS SDK for JavaScript in $home"
    rm -rf "$home"
    mkdir -p "$home"
    cp "$from/package.json" "$from/package-lock.json" "$home"
    npm ci --prefix "$home" --ignore-scripts --no-audit --no-fund --loglevel=error ||
      fail "npm could not install the pinned SDK of $from/package-lock.json" "Is the npm registry reachable from here?"
    cp "$from/package-lock.json" "$home/installed.json"
  fi
  ln -sf "$(command -v node)" "$home/node"
  MERIDIAN_TEST_NODE=$(cd "$home" && pwd)/node
  export MERIDIAN_TEST_NODE
}

# Makes $target/judges hold what --all compares with: Jayway's JSONPath (a jar inside npm's wiremock) and the draft-4
# suite (inside PyPI's jsonschema). What cannot be had is skipped by its test, which says so.
need_judges() {
  local judges=$target/judges wiremock=3.13.2 jsonschema=4.26.0
  mkdir -p "$judges"
  if ! [ -e "$judges/wiremock.jar" ]; then
    (cd "$judges" && npm pack --silent "wiremock@$wiremock" && tar xzf "wiremock-$wiremock.tgz" &&
      mv "package/build/wiremock-standalone-$wiremock.jar" wiremock.jar && rm -r package "wiremock-$wiremock.tgz") \
      >/dev/null 2>&1 || say "npm cannot fetch wiremock $wiremock: paths are not compared with Jayway's"
  fi
  if ! [ -d "$judges/draft4" ]; then
    (cd "$judges" && "$MERIDIAN_TEST_PYTHON" -m pip download --quiet --no-binary :all: --no-deps "jsonschema==$jsonschema" &&
      tar xzf "jsonschema-$jsonschema.tar.gz" && mv "jsonschema-$jsonschema/json/tests/draft4" draft4 &&
      rm -r "jsonschema-$jsonschema" "jsonschema-$jsonschema.tar.gz") \
      >/dev/null 2>&1 || say "pip cannot fetch jsonschema $jsonschema: schemas are not compared with its suite"
  fi
  judges=$(cd "$judges" && pwd)
  [ ! -e "$judges/wiremock.jar" ] || export MERIDIAN_WIREMOCK_JAR=$judges/wiremock.jar
  [ ! -d "$judges/draft4" ] || export MERIDIAN_SCHEMA_SUITE=$judges/draft4
}
