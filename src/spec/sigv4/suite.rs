//! Cases of AWS's published Signature Version 4 test suite: request, signature in a header, signature in a query.

use super::*;

const NOW: &str = "20150830T123600Z";

/// name, path form, method, path, query, headers besides Host, header signature, query signature
type Case = (
    &'static str,
    PathForm,
    &'static str,
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
    &'static str,
);

#[rustfmt::skip]
const CASES: &[Case] = &[
    ("get-vanilla", PathForm::Once, "GET", "/", "", &[], "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31", "e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d"),
    ("get-header-key-duplicate", PathForm::Once, "GET", "/", "", &[("My-Header1", "value2"), ("My-Header1", "value2"), ("My-Header1", "value1")], "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea", "3349ee0b81b4b589da0ff28a395c3591e04de515651dd74f298fa992d1507a97"),
    ("get-header-value-order", PathForm::Once, "GET", "/", "", &[("My-Header1", "value4"), ("My-Header1", "value1"), ("My-Header1", "value3"), ("My-Header1", "value2")], "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01", "313720e71ca6202fdcfa9b20f88de01a4eb0638a83c833b1c184359a4eda864e"),
    ("get-header-value-trim", PathForm::Once, "GET", "/", "", &[("My-Header1", " value1"), ("My-Header2", " \"a   b   c\"")], "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736", "e7bb0fd515e125e1aec2ecc4c0c17484fb06f6846b927c35e46005dd3df3acd4"),
    ("get-relative-relative-normalized", PathForm::Once, "GET", "/example1/example2/../..", "", &[], "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31", "e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d"),
    ("get-relative-relative-unnormalized", PathForm::Raw, "GET", "/example1/example2/../..", "", &[], "dc33e0856fd4baca4d7aa2146c38958283844764f38c74252a333df5e613003b", "b45db0bfd1cf15003493b733e33aa208dd981bd0e63037a6ed953f71d2118a16"),
    ("get-slash-dot-slash-normalized", PathForm::Once, "GET", "/./", "", &[], "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31", "e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d"),
    ("get-slash-pointless-dot-normalized", PathForm::Once, "GET", "/./example", "", &[], "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5", "35034b1a0bdd969f346975386daf8aedfd4976573b8348cf4f67eaa41c5857de"),
    ("get-slashes-normalized", PathForm::Once, "GET", "//example//", "", &[], "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84", "c1834e8fb0307243711f0f907f6ab7311ed300d87f13792d7ee4da89ab93e082"),
    ("get-slashes-unnormalized", PathForm::Raw, "GET", "//example//", "", &[], "87cca117541a147f6df867677d98a7d80dff226d2bfca9e4ffa899665623c7e5", "822a5a9ba28072c5ab2bb4a6307d0c88276d40e49fec6b724c03fb4d4ba60fc2"),
    ("get-space-normalized", PathForm::Once, "GET", "/example%20space/", "", &[], "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741", "7a1f416954786484c9824d93c1f26ef64acb9b1b6c9154d08c9f07d0e394abf6"),
    ("get-unreserved", PathForm::Once, "GET", "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "", &[], "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f", "95968482db1b9e0fadef6efc1bd24689f77c77d9ef56919c96a28cc92e0d6005"),
    ("get-utf8", PathForm::Once, "GET", "/ሴ", "", &[], "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85", "10eae3f14a260bd3911cc6d008d3c576d143b05b62f09782a7a4b37f52178e44"),
    ("get-vanilla-query-order-encoded", PathForm::Once, "GET", "/", "Param-3=Value3&Param=Value2&%E1%88%B4=Value1", &[], "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac", "c5f1848ceec943ac2ca68ee720460c23aaae30a2300586597ada94c4a65e4787"),
    ("get-vanilla-query-order-key-case", PathForm::Once, "GET", "/", "Param2=value2&Param1=value1", &[], "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500", "86012e2c9ad4d77369f5d81c11f75158aae4f895a085212cc6d3f923d300bed5"),
    ("get-vanilla-utf8-query", PathForm::Once, "GET", "/", "ሴ=bar", &[], "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04", "0bdd809b1519ac4f0c1dc3540e2cc46bd0c7f778eda408b2ebf3b913d21ff600"),
    ("post-header-key-case", PathForm::Once, "POST", "/", "", &[], "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b", "2ce6e6d2e0cf2f9d1b55fafec88cd20574c31dc2e7631979f71ba2310083e95b"),
    ("post-header-value-case", PathForm::Once, "POST", "/", "", &[("My-Header1", "VALUE1")], "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d", "0698bc9e4f7f9139065ba2909c0e99da257e8e2a42492a097bcd46d792391fed"),
    ("post-vanilla-query", PathForm::Once, "POST", "/", "Param1=value1", &[], "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11", "a9ef26247f293bffe40eeff86a0480ba8c14d31503b2e0c3399e3a16bf1a3682"),
];

pub(super) fn signer(path: PathForm) -> Signer {
    let credentials = Credentials {
        access_key: "AKIDEXAMPLE".into(),
        secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
        token: None,
    };
    Signer { credentials, region: "us-east-1".into(), service: "service".into(), path }
}

fn headers(more: &[(&str, &str)]) -> Vec<(String, String)> {
    let host = [("Host", "example.amazonaws.com")];
    host.iter().chain(more).map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
}

#[test]
fn the_published_cases_are_signed_and_verified_in_both_forms() {
    let now = parse_amz_date(NOW).unwrap();
    for (name, form, method, path, query, more, header_signature, query_signature) in CASES {
        let signer = signer(*form);
        let secret = signer.credentials.secret.clone();
        let rules = Rules { services: &["service"], path: *form, ..Rules::default() };
        let mut headers = headers(more);
        let request = Request { method, path, query, headers: &headers, body: b"" };
        let presigned = signer.presign(&request, now, 3600);
        assert!(presigned.ends_with(query_signature), "{name}: {presigned}");
        let asked = Request { query: &presigned, ..request.clone() };
        Claim::read(&asked)
            .and_then(|c| c.verify(&asked, &secret, now, &rules))
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        let added = signer.sign(&request, now);
        assert!(added.last().unwrap().1.ends_with(header_signature), "{name}: {added:?}");
        headers.extend(added);
        let asked = Request { method, path, query, headers: &headers, body: b"" };
        Claim::read(&asked)
            .and_then(|c| c.verify(&asked, &secret, now, &rules))
            .unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}

#[test]
fn a_signed_body_and_a_session_token_give_the_published_signatures() {
    let now = parse_amz_date(NOW).unwrap();
    let hash = sha256_hex(b"Param1=value1");
    let more = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Content-Length", "13"),
        ("x-amz-content-sha256", hash.as_str()),
    ];
    let headers_ = headers(&more);
    let request = Request { method: "POST", path: "/", query: "", headers: &headers_, body: b"Param1=value1" };
    let added = signer(PathForm::Once).sign(&request, now);
    assert!(added.last().unwrap().1.ends_with("d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b"));

    let mut signer = signer(PathForm::Once);
    signer.credentials.token = Some("6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267".into());
    let headers_ = headers(&[]);
    let request = Request { method: "GET", path: "/", query: "", headers: &headers_, body: b"" };
    assert!(
        signer.sign(&request, now)[2].1.ends_with("07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8")
    );
    assert!(
        signer
            .presign(&request, now, 3600)
            .ends_with("7ff2b50b376cb4d151970630573d6291dc128cc5c2a12ffb237f73cc53f67b6c")
    );
}

#[test]
fn an_encoded_path_is_encoded_once_more() {
    let request =
        Request { method: "POST", path: "/test/@connections/JBDvjfGEIAMCERw%3D", query: "", headers: &[], body: b"" };
    assert!(request.canonical(PathForm::Twice, &[]).starts_with("POST\n/test/%40connections/JBDvjfGEIAMCERw%253D\n\n"));
}
