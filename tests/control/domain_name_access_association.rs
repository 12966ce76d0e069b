//! DomainNameAccessAssociation: across accounts.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::bench::{Bench, Seen};
use crate::deployment::{bad_request, conflict, not_found};
use crate::domain_name::private;

const URL: &str = "/domainnameaccessassociations";
const MISSING: &str = "Invalid domain name access association identifier specified";

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

#[test]
fn an_association_is_made_listed_and_deleted() {
    let bench = Bench::new();
    let domain = private(&bench, "in.example.com");
    let (arn, id) = (domain["domainNameArn"].as_str().unwrap(), domain["domainNameId"].as_str().unwrap());
    let body = json!({
        "domainNameArn": arn, "accessAssociationSourceType": "VPCE", "accessAssociationSource": "vpce-1a2b",
        "tags": {"a": "b"},
    });
    let made = bench.post(URL, body.clone()).ok(201);
    let own = format!(
        "arn:aws:apigateway:us-east-1:000000000000:/domainnameaccessassociations/domainname/in.example.com+{id}/vpcesource/vpce-1a2b"
    );
    let mut expected = body.clone();
    expected["domainNameAccessAssociationArn"] = json!(own);
    assert_eq!(made, expected);
    assert_eq!(bench.get(URL).ok(200), json!({"item": [made]}));
    assert_eq!(bench.get(&format!("{URL}?resourceOwner=SELF")).ok(200), json!({"item": [made]}));
    assert_eq!(bench.get(&format!("{URL}?resourceOwner=OTHER_ACCOUNTS")).ok(200), json!({"item": []}));
    assert_eq!(bench.post(URL, body).refusal(), conflict("Domain name access association already exists"));
    assert_eq!(bench.get(&format!("/tags/{}", encoded(&own))).ok(200), json!({"tags": {"a": "b"}}));
    assert_eq!(bench.delete(&format!("{URL}/{}", encoded(&own))).ok(202), Value::Null);
    assert_eq!(bench.delete(&format!("{URL}/{}", encoded(&own))).refusal(), not_found(MISSING));
}

#[test]
fn an_association_is_refused_with_the_reason() {
    let bench = Bench::new();
    let domain = private(&bench, "in.example.com");
    let arn = domain["domainNameArn"].as_str().unwrap();
    let post = |arn: &str, source: &str| {
        let body =
            json!({"domainNameArn": arn, "accessAssociationSourceType": "VPCE", "accessAssociationSource": source});
        bench.post(URL, body).refusal()
    };
    assert_eq!(post("nonsense", "vpce-1"), bad_request("Invalid ARN specified in the request"));
    assert_eq!(
        post("arn:aws:apigateway:us-east-1::/domainnames/api.example.com", "vpce-1"),
        bad_request("Invalid ARN specified in the request")
    );
    assert_eq!(post(&arn.replace("in.", "out."), "vpce-1"), not_found("Invalid domain name identifier specified"));
    assert_eq!(post(arn, "subnet-1"), bad_request("Invalid access association source specified: subnet-1"));
    let kind = json!({"domainNameArn": arn, "accessAssociationSourceType": "X", "accessAssociationSource": "vpce-1"});
    assert_eq!(
        bench.post(URL, kind).refusal().2,
        "1 validation error detected: Value 'X' at 'createDomainNameAccessAssociationInput.accessAssociationSourceType' failed to satisfy constraint: Member must satisfy enum value set: [VPCE]"
    );
}

/// A bench whose calls can come from two accounts, by the access key of development.
fn as_account(bench: &Bench, account: &str, method: &str, target: &str, body: &Value) -> Seen {
    let text = if body.is_null() { String::new() } else { body.to_string() };
    let mut request = Bench::request(method, target, text);
    request.headers_mut().insert("authorization", format!("Bearer {account}").parse().unwrap());
    request.headers_mut().insert("x-meridian-region", "us-east-1".parse().unwrap());
    bench.send(request)
}

#[test]
fn the_owner_sees_and_refuses_what_another_account_made() {
    use meridian::catalog::AccountId;
    use meridian::catalog::cluster::AdminKey;
    use meridian::spec::sigv4::sha256_hex;
    use meridian::state::{Ops, Scope};

    let bench = Bench::with(|settings| settings.dev = false);
    let mut ops = Ops::new();
    let (owner, guest) = ("111122223333", "444455556666");
    for account in [owner, guest] {
        let key = AdminKey { account: AccountId::from(account), ..AdminKey::default() };
        ops.put(&Scope::cluster(), &format!("token:{}", sha256_hex(account.as_bytes())), &key);
    }
    bench.memory.put(&ops.0);
    let call =
        |account: &str, method: &str, target: &str, body: Value| as_account(&bench, account, method, target, &body);
    let name = json!({
        "domainName": "in.example.com", "certificateArn": crate::domain_name::CERTIFICATE,
        "endpointConfiguration": {"types": ["PRIVATE"]},
    });
    let domain = call(owner, "POST", "/domainnames", name).ok(201);
    let arn = domain["domainNameArn"].as_str().unwrap();
    let body =
        json!({"domainNameArn": arn, "accessAssociationSourceType": "VPCE", "accessAssociationSource": "vpce-1"});
    let made = call(guest, "POST", URL, body).ok(201);
    let others = format!("{URL}?resourceOwner=OTHER_ACCOUNTS");
    assert_eq!(call(owner, "GET", URL, Value::Null).ok(200), json!({"item": []}));
    assert_eq!(call(owner, "GET", &others, Value::Null).ok(200), json!({"item": [made]}));
    assert_eq!(
        call(guest, "GET", "/domainnames?resourceOwner=OTHER_ACCOUNTS", Value::Null).ok(200),
        json!({"item": [domain]})
    );
    let reject = |who: &str| {
        let association = encoded(made["domainNameAccessAssociationArn"].as_str().unwrap());
        let query = format!("domainNameAccessAssociationArn={association}&domainNameArn={}", encoded(arn));
        call(who, "POST", &format!("/rejectdomainnameaccessassociations?{query}"), Value::Null)
    };
    assert_eq!(reject(guest).refusal(), not_found("Invalid domain name identifier specified"));
    assert_eq!(reject(owner).ok(202), Value::Null);
    assert_eq!(call(owner, "GET", &others, Value::Null).ok(200), json!({"item": []}));
    assert_eq!(call(guest, "GET", URL, Value::Null).ok(200), json!({"item": [made]}));
    assert_eq!(
        call(guest, "GET", "/domainnames?resourceOwner=OTHER_ACCOUNTS", Value::Null).ok(200),
        json!({"item": []})
    );
}
