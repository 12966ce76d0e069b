//! The closed vocabularies of the catalog beside the model's sets.

use std::collections::BTreeSet;

use meridian::catalog::v1::*;
use meridian::control::model::Shape;
use meridian::control::table::SHAPES;

#[test]
fn the_closed_vocabularies_are_the_models() {
    fn model(structure: &str, member: &str) -> BTreeSet<String> {
        let members = SHAPES.iter().find_map(|shape| match shape {
            Shape::Structure(name, members) if *name == structure && members.iter().any(|m| m.name == member) => {
                Some(members)
            }
            _ => None,
        });
        let shape = members.expect(structure).iter().find(|m| m.name == member).expect(member).shape();
        match shape {
            Shape::Enum(words) => words.iter().map(|word| (*word).to_owned()).collect(),
            Shape::List(item) => match &SHAPES[*item as usize] {
                Shape::Enum(words) => words.iter().map(|word| (*word).to_owned()).collect(),
                other => panic!("{structure}.{member}: {other:?}"),
            },
            other => panic!("{structure}.{member}: {other:?}"),
        }
    }
    macro_rules! same {
        ($type:ident, $structure:literal, $member:literal) => {
            let ours: BTreeSet<String> = $type::KNOWN.iter().map(|word| word.as_str().to_owned()).collect();
            assert_eq!(ours, model($structure, $member), stringify!($type));
        };
    }
    same!(AuthorizerType, "Authorizer", "type");
    same!(DocumentationPartType, "DocumentationPartLocation", "type");
    same!(GatewayResponseType, "GatewayResponse", "responseType");
    same!(JwtAlgorithm, "JwtConfiguration", "defaultAlgorithms");
    same!(RoutingMode, "DomainName", "routingMode");
    same!(VpcLinkStatus, "VpcLink", "status");
    same!(ApiKeySource, "RestApi", "apiKeySource");
    same!(EndpointType, "EndpointConfiguration", "types");
    same!(IpAddressType, "EndpointConfiguration", "ipAddressType");
    same!(IntegrationType, "Integration", "type");
    same!(ConnectionType, "Integration", "connectionType");
    same!(ContentHandling, "Integration", "contentHandling");
    same!(ResponseTransferMode, "Integration", "responseTransferMode");
    same!(QuotaPeriod, "QuotaSettings", "period");
    same!(UnauthorizedCacheControlHeaderStrategy, "MethodSetting", "unauthorizedCacheControlHeaderStrategy");
}
