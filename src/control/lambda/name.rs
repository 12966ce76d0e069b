//! Which function a call means: a name, part of an ARN or a whole one, each with a qualifier or without.

use super::{invalid, not_found, validation};
use crate::catalog::Region;
use crate::control::{Call, Fault};
use crate::function::call::Address;

/// Longest name, characters.
const LONGEST: usize = 64;

/// The function of a call, with its qualifier.
///
/// # Errors
/// For another region, another account (Lambda's AccessDenied), two qualifiers, or a name that is too long.
pub(super) fn address(call: &Call) -> Result<Address, Fault> {
    let address = any_account(call)?;
    if *address.account == *call.account.as_str() {
        return Ok(address);
    }
    let text = format!(
        "User: arn:aws:iam::{}:root is not authorized to perform: lambda:{} on resource: {}",
        call.account,
        call.operation.name,
        address.arn()
    );
    Err(Fault::new("AccessDeniedException", 403, text))
}

/// The same, of any account: who may call it is for its policy to say.
///
/// # Errors
/// As [`address`], but for the account.
pub(super) fn any_account(call: &Call) -> Result<Address, Fault> {
    let given = call.label("FunctionName");
    let Parts { region, account, name, qualifier } = parts(given);
    if let Some(region) = region.filter(|region| *region != call.region.as_str()) {
        return Err(not_found(format!(
            "Functions from '{region}' are not reachable in this region ('{}')",
            call.region
        )));
    }
    if name.chars().count() > LONGEST {
        return Err(validation(name, "functionName", "Member must have length less than or equal to 64"));
    }
    let asked = call.text("Qualifier").filter(|qualifier| !qualifier.is_empty());
    if let (Some(asked), Some(own)) = (asked, qualifier)
        && asked != own
    {
        return Err(invalid("The derived qualifier from the function name does not match the specified qualifier."));
    }
    Ok(Address {
        region: call.region.as_str().into(),
        account: account.unwrap_or(call.account.as_str()).into(),
        name: name.into(),
        qualifier: asked.or(qualifier).map(Into::into),
    })
}

/// A function without a qualifier.
///
/// # Errors
/// As [`address`], and for a qualifier.
pub(super) fn unqualified(call: &Call) -> Result<Address, Fault> {
    let address = address(call)?;
    match address.qualifier.as_deref() {
        None => Ok(address),
        // The part of the pattern that a version or an alias does not fit.
        Some(_) => Err(validation(
            call.label("FunctionName"),
            "functionName",
            "Member must name a function without a version or an alias",
        )),
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Parts<'a> {
    region: Option<&'a str>,
    account: Option<&'a str>,
    name: &'a str,
    qualifier: Option<&'a str>,
}

/// `[arn:aws:lambda:][region:][account:][function:]name[:qualifier]`; the model's pattern has seen it before.
fn parts(given: &str) -> Parts<'_> {
    let mut rest: Vec<&str> = given.split(':').collect();
    if rest.len() > 3 && rest[0] == "arn" && rest[2] == "lambda" {
        rest.drain(..3);
    }
    let mut take = |fits: &dyn Fn(&str) -> bool| {
        let first = rest.first().copied().filter(|first| rest.len() > 1 && fits(first));
        if first.is_some() {
            rest.remove(0);
        }
        first
    };
    let region = take(&|text| {
        let ends = text.rsplit_once('-').is_some_and(|(_, n)| n.len() == 1 && n.bytes().all(|b| b.is_ascii_digit()));
        ends && text.matches('-').count() >= 2 && Region::from(text).is_valid()
    });
    let account = take(&|text| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()));
    take(&|text| text == "function");
    Parts { region, account, name: rest.first().copied().unwrap_or_default(), qualifier: rest.get(1).copied() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_name_is_read() {
        let form = |given| {
            let Parts { region, account, name, qualifier } = parts(given);
            [region, account, Some(name), qualifier].map(|part: Option<&str>| part.unwrap_or("-").to_owned()).join(" ")
        };
        for (given, read) in [
            ("pets", "- - pets -"),
            ("pets:live", "- - pets live"),
            ("pets:$LATEST", "- - pets $LATEST"),
            ("function:pets", "- - pets -"),
            ("function", "- - function -"),
            ("000000000000:function:pets", "- 000000000000 pets -"),
            ("000000000000:function:pets:7", "- 000000000000 pets 7"),
            ("us-east-1:000000000000:function:pets", "us-east-1 000000000000 pets -"),
            ("arn:aws:lambda:us-east-1:000000000000:function:pets", "us-east-1 000000000000 pets -"),
            ("arn:aws-cn:lambda:cn-north-1:000000000000:function:pets:live", "cn-north-1 000000000000 pets live"),
            ("us-gov-west-1:pets", "us-gov-west-1 - pets -"),
        ] {
            assert_eq!(form(given), read, "{given}");
        }
    }
}
