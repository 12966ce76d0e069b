//! Code that a call brings: kept as a blob by the node that took the call, so that only its hash and size travel on.

use super::invalid;
use crate::control::functions::{Functions, KeptCode};
use crate::control::{Call, Fault};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;

/// What stands in a call's input for code that is kept; no member of AWS's has these names.
const SHA256: &str = "meridian:codeSha256";
const SIZE: &str = "meridian:codeSize";

/// Keeps the code of a call, and puts its hash and size in its place. A call that brings none stays as it is.
///
/// # Errors
/// For code that is not given by value, is no base64, too large, or no zip; and when it cannot be kept.
pub(in crate::control) async fn keep(call: Call, functions: &dyn Functions) -> Result<Call, Fault> {
    let mut call = call;
    // `Code` holds it where a function is made; where it is updated it stands beside the rest.
    let nested = call.input.remove("Code").map(|code| code.as_object().cloned().unwrap_or_default());
    let mut place = nested.unwrap_or_default();
    for name in
        ["ZipFile", "S3Bucket", "S3Key", "S3ObjectVersion", "S3ObjectStorageMode", "ImageUri", "SourceKMSKeyArn"]
    {
        if let Some(value) = call.input.remove(name) {
            place.insert(name.to_owned(), value);
        }
    }
    let by_value = place.remove("ZipFile");
    if let Some((other, _)) = place.iter().next() {
        return Err(invalid(format!(
            "Meridian takes a function's code by value only: give ZipFile instead of {other}"
        )));
    }
    let Some(Value::String(text)) = by_value else {
        return Err(invalid("Please provide a source for function code."));
    };
    let zip = decoded(text, functions.most_zip_bytes())?;
    let KeptCode { sha256, bytes } = functions.keep(zip).await?;
    call.input.insert(SHA256.to_owned(), STANDARD.encode(sha256).into());
    call.input.insert(SIZE.to_owned(), bytes.into());
    Ok(call)
}

fn decoded(text: String, most: usize) -> Result<Bytes, Fault> {
    let too_large = || {
        let text = format!("Request must be smaller than {most} bytes of zipped code");
        Fault::new("RequestEntityTooLargeException", 413, text)
    };
    if text.len() / 4 * 3 > most + 3 {
        return Err(too_large());
    }
    let zip = STANDARD.decode(text).map_err(|_| Fault::serialization("ZipFile is not valid base64"))?;
    match zip.len() {
        0 => Err(invalid("Uploaded file must be a non-empty zip")),
        long if long > most => Err(too_large()),
        _ => Ok(zip.into()),
    }
}

/// The hash (base64, as AWS shows it) and size of the code that a call brought.
///
/// # Errors
/// Internal for a call that was proposed without.
pub(super) fn kept(call: &Call) -> Result<(String, u64), Fault> {
    let sha256 = call.text(SHA256).map(str::to_owned);
    let size = call.number(SIZE).and_then(|size| u64::try_from(size).ok());
    sha256.zip(size).ok_or_else(|| Fault::internal("a call that brings code was proposed without"))
}
