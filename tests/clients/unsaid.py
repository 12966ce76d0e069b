"""What AWS's model leaves unsaid and the test of inputs must know: what goes together, sets in prose, words of refusals."""

from prepared import SOURCE, URI

LAMBDA = {"httpMethod": "POST", "uri": URI}
HTTP = {"httpMethod": "GET", "uri": "http://example.com/"}
ISSUER = {"issuer": "https://issuer.example.com", "audiences": ["a"], "additionalClaims": [
    {"claimName": "team", "format": "SINGLE_STRING", "expectedValues": ["a"], "required": True}]}
JWT = {"type": "JWT", "authorizerUri": None, "jwtConfiguration": {"issuers": [ISSUER], "defaultAlgorithms": ["RS256"]}}
NAMED = ("AUTHORIZER", "MODEL", "PATH_PARAMETER", "QUERY_PARAMETER", "REQUEST_HEADER", "RESPONSE_HEADER")
# What a member needs beside it to make sense, and one word of it: {(operation, where or where=word)}.
BESIDE = {
    ("CreateAuthorizer", "type=COGNITO_USER_POOLS"): lambda p: {
        "authorizerUri": None, "providerARNs": ["arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_a"]},
    ("CreateAuthorizer", "type=JWT"): lambda p: JWT,
    ("CreateAuthorizer", "jwtConfiguration"): lambda p: JWT,
    ("CreateDomainName", "endpointAccessMode"): lambda p: {"securityPolicy": "SecurityPolicy_TLS13_1_3_2025_09"},
    ("CreateUsagePlan", "quota"): lambda p: {"quota": {"limit": 9}},
    ("PutIntegration", "type=HTTP"): lambda p: HTTP,
    ("PutIntegration", "type=HTTP_PROXY"): lambda p: HTTP,
    ("PutIntegration", "type=AWS"): lambda p: LAMBDA,
    ("PutIntegration", "type=AWS_PROXY"): lambda p: LAMBDA,
    ("PutIntegration", "connectionType"): lambda p: {"type": "HTTP", **HTTP},
    ("PutIntegration", "connectionType=VPC_LINK"): lambda p: {"type": "HTTP", **HTTP, "connectionId": p.link["vpcLinkId"]},
    ("PutIntegration", "responseTransferMode"): lambda p: {"type": "HTTP_PROXY", **HTTP},
    ("CreateDocumentationPart", "location.type=API"): lambda p: {"location": {}},
    ("CreateDocumentationPart", "location"): lambda p: {"location": {"type": "RESPONSE", "path": f"/{p.name()}"}},
    **{("CreateDocumentationPart", f"location.type={kind}"): lambda p: {"location": {"name": p.name()}} for kind in NAMED},
}
# Sets that the model has only in prose: (operation, member) and its words; one more is refused with BadRequestException.
PROSE = {
    ("PutMethod", "authorizationType"): {
        "NONE": lambda p: {}, "AWS_IAM": lambda p: {}, "CUSTOM": lambda p: {"authorizerId": p.authorizer["authorizerId"]},
        "COGNITO_USER_POOLS": lambda p: {"authorizerId": p.do("CreateAuthorizer", **{
            **p.path, "name": p.name(), "type": "COGNITO_USER_POOLS", "identitySource": SOURCE,
            "providerARNs": ["arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_a"]})["id"]}},
    ("PutMethod", "httpMethod"): dict.fromkeys(("PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD", "ANY"), lambda p: {}),
    ("PutIntegration", "passthroughBehavior"): dict.fromkeys(("WHEN_NO_MATCH", "WHEN_NO_TEMPLATES", "NEVER"), lambda p: {}),
    ("CreateUsagePlanKey", "keyType"): {"API_KEY": lambda p: {}},
    ("GetExport", "exportType"): {"oas30": lambda p: {}, "swagger": lambda p: {}},
}
# What else than its own operation is accepted at the path of an update's valid call; the rest is refused.
ALSO = {"UpdateRestApi": {"remove"}, "UpdateMethodResponse": {"replace", "remove"}}
# Sets behind the paths of patches: (operation, path) and the shape whose words are accepted, or the words.
PATCHED = {
    ("UpdateRestApi", "/apiKeySource"): "ApiKeySourceType",
    ("UpdateRestApi", "/endpointConfiguration/ipAddressType"): "IpAddressType",
    ("UpdateRestApi", "/endpointConfiguration/types/0"): ("REGIONAL", "EDGE"),
    ("UpdateRestApi", "/securityPolicy"): "SecurityPolicy",
    ("UpdateRestApi", "/endpointAccessMode"): "EndpointAccessMode",
    ("UpdateDomainName", "/securityPolicy"): "SecurityPolicy",
    ("UpdateDomainName", "/routingMode"): "RoutingMode",
    ("UpdateDomainName", "/endpointAccessMode"): "EndpointAccessMode",
    ("UpdateIntegration", "/contentHandling"): "ContentHandlingStrategy",
    ("UpdateIntegration", "/connectionType"): ("INTERNET",),
    ("UpdateIntegration", "/responseTransferMode"): ("BUFFERED",),
    ("UpdateIntegration", "/passthroughBehavior"): ("WHEN_NO_MATCH", "WHEN_NO_TEMPLATES", "NEVER"),
    ("UpdateIntegrationResponse", "/contentHandling"): "ContentHandlingStrategy",
    ("UpdateAuthorizer", "/type"): ("TOKEN", "REQUEST"),
    ("UpdateStage", "/cacheClusterSize"): "CacheClusterSize",
    ("UpdateStage", "/*/*/caching/unauthorizedCacheControlHeaderStrategy"): "UnauthorizedCacheControlHeaderStrategy",
    ("UpdateStage", "/*/*/logging/loglevel"): ("OFF", "ERROR", "INFO"),
    ("UpdateMethod", "/authorizationType"): ("NONE", "AWS_IAM"),
    ("UpdateUsagePlan", "/quota/period"): "QuotaPeriodType",
}

# Values of other JSON types, by the model's type.
OTHERS = {
    "string": (True, 7, 1.5, [], {}), "boolean": ("true", 1, [], {}), "integer": ("7", True, [], {}),
    "long": ("7", True, [], {}), "double": ("7", True, [], {}), "timestamp": ("now", True, [], {}),
    "map": ("x", 7, True, []), "list": ("x", 7, True, {}), "structure": ("x", 7, True, []),
}
CLASSES = {bool: "java.lang.Boolean", str: "java.lang.String", int: "com.amazon.coral.value.json.numbers.TruncatingBigNumber",
           float: "com.amazon.coral.value.json.numbers.TruncatingBigNumber"}

# Values at the edges of a type.
EXTREMES = {
    "string": ("", "\0", "é✓" * 2000, "${stageVariables.x}/../%00"), "integer": (-1, 2**31 - 1, 2**31, 2**64, 1e300),
    "double": (-1, 0, 1e308, 2**64), "map": ({"": ""}, {"é" * 999: "x"}), "list": ([None], [""]),
}
# Values that AWS does not take, though their type is right: (operation, where).
TOO_FAR = {
    ("CreateRestApi", "name"): ("",), ("CreateRestApi", "description"): ("",), ("CreateRestApi", "policy"): ("{", "[]", "x"),
    ("CreateRestApi", "minimumCompressionSize"): (-1, 10_485_761), ("CreateRestApi", "endpointConfiguration.types"): (
        [], ["EDGE", "REGIONAL"]), ("CreateResource", "pathPart"): ("", "a/b", "a b", "{a}b", "{a", "{+}"),
    ("CreateModel", "name"): ("", "a-b", "é"), ("CreateModel", "schema"): ("", "{", "[]"),
    ("CreateStage", "stageName"): ("", "a b", "a/b", "x" * 129), ("CreateStage", "deploymentId"): ("nosuch",),
    ("CreateStage", "canarySettings.percentTraffic"): (-0.5, 100.5),
    ("CreateAuthorizer", "authorizerResultTtlInSeconds"): (-1, 3601), ("CreateAuthorizer", "name"): ("",),
    ("CreateAuthorizer", "authorizerUri"): ("", "arn:nope", "http://example.com/"),
    ("CreateApiKey", "value"): ("short", "v" * 129), ("CreateApiKey", "name"): ("n" * 1025,),
    ("CreateUsagePlan", "name"): ("",), ("CreateUsagePlan", "quota.limit"): (-1,), ("CreateUsagePlan", "throttle.rateLimit"): (-1,),
    ("CreateUsagePlan", "throttle.burstLimit"): (-1,), ("CreateVpcLink", "name"): ("",),
    ("CreateVpcLink", "targetArns"): ([], ["invalid-arn"]), ("CreateDomainName", "domainName"): ("", "a b", "nodots"),
    ("CreateDocumentationPart", "properties"): ("", "[]", "{"), ("PutIntegration", "timeoutInMillis"): (49, 10**9),
    ("PutIntegration", "requestParameters.key"): ("x",), ("PutMethod", "requestParameters.key"): (True,),
    ("PutMethodResponse", "responseParameters.key"): (True,), ("PutIntegrationResponse", "responseParameters.key"): ("x",),
    ("PutGatewayResponse", "responseParameters.key"): ("x",), ("TagResource", "tags"): ({"aws:x": "y"}, {"k" * 129: "v"}, {"k": "v" * 257}),
}

# Labels that name no thing but a word; their sets are tried elsewhere.
LABELS_OF_WORDS = {"httpMethod", "statusCode", "exportType"}
# What is said of a label of nothing, where it is not NotFound.
UNKNOWN = {
    ("CreateAuthorizer", "restApiId"): "ConflictException",
    ("CreateRequestValidator", "restApiId"): "BadRequestException",
    ("GetUsagePlanKeys", "usagePlanId"): "nothing",
    "resourceArn": "BadRequestException",
}
