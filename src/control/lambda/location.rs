//! Where a version's zip can be had: an address that carries its own permission, for ten minutes.

use crate::catalog::lambda::FunctionVersion;
use crate::control::{Fault, Scene, Seal};
use crate::function::blobs::hex;
use crate::function::resolve::sha256_of_text;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What the paths begin with, on the admin listener.
const PATH: &str = "/_aws/lambda/code/";
/// What is sealed begins so: nothing else that is sealed does.
const MARK: &str = "code/1/";
const VALID_MS: i64 = 600_000;

/// The address on this node; none while a call is not answered here.
pub(super) fn of(scene: &Scene<'_>, version: &FunctionVersion) -> Option<String> {
    let reached = scene.reached?;
    let sha256 = sha256_of_text(&version.code_sha256)?;
    let text = format!("{MARK}{}/{}", hex(&sha256), scene.stamp.time_ms + VALID_MS);
    let token = URL_SAFE_NO_PAD.encode(scene.seal.seal(text.as_bytes(), scene.mint().bytes()));
    // Beyond loopback the admin listener speaks TLS alone.
    let scheme = if reached.ip().is_loopback() { "http" } else { "https" };
    Some(format!("{scheme}://{reached}{PATH}{token}"))
}

/// Whether a path is such an address's.
pub(in crate::control) fn is_download(path: &str) -> bool {
    path.starts_with(PATH)
}

/// The blob that such a path permits to read.
///
/// # Errors
/// 403 for one that is not ours, or too old.
pub(in crate::control) fn open(path: &str, seal: &dyn Seal, now_ms: i64) -> Result<[u8; 32], Fault> {
    let opened = || {
        let sealed = URL_SAFE_NO_PAD.decode(path.strip_prefix(PATH)?).ok()?;
        let text = String::from_utf8(seal.open(&sealed)?).ok()?;
        let (digest, until) = text.strip_prefix(MARK)?.split_once('/')?;
        let valid = until.parse::<i64>().ok()? >= now_ms && digest.len() == 64;
        let mut sha256 = [0; 32];
        for (at, byte) in sha256.iter_mut().enumerate() {
            *byte = u8::from_str_radix(digest.get(2 * at..2 * at + 2)?, 16).ok()?;
        }
        valid.then_some(sha256)
    };
    opened().ok_or_else(|| {
        let text = "This address of a function's code is not valid any more: ask GetFunction for a new one";
        Fault::new("AccessDeniedException", 403, text)
    })
}
