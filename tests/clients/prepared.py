"""A valid call of every operation that is built: what it needs is made first, fresh where the call uses it up."""

import datetime
import itertools

CERTIFICATE = "arn:aws:acm:us-east-1:000000000000:certificate/x"
NLB = "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/net/x/1"
URI = ("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
       "arn:aws:lambda:us-east-1:000000000000:function:f/invocations")
SOURCE = "method.request.header.Authorization"
TEMPLATES = {"application/json": '{"statusCode": 200}'}
FILE = b'{"openapi":"3.0.1","info":{"title":"file","version":"1"},"paths":{}}'
PARTS = (b'{"openapi":"3.0.1","info":{"title":"x","version":"1"},"paths":{},"x-amazon-apigateway-documentation":'
         b'{"documentationParts":[{"location":{"type":"API"},"properties":{"description":"d"}}]}}')
DAY = str(datetime.datetime.now(datetime.timezone.utc).date())


def patch(path, value, op="replace"):
    return [{"op": op, "path": path, "value": value}]


class Prepared:
    """An API with one of everything; `do` makes a call that must succeed and gives its body."""

    def __init__(self, do):
        self.do, self.numbers = do, itertools.count(1)
        self.made, self.root = self.api()
        self.path = {"restApiId": self.made}
        self.resource = self.do("CreateResource", **self.path, parentId=self.root, pathPart="base")["id"]
        self.at = {**self.path, "resourceId": self.resource, "httpMethod": "GET"}
        self.method(self.at)
        self.deployment = self.do("CreateDeployment", **self.path, stageName="prod")["id"]
        self.stage = {**self.path, "stageName": "prod"}
        self.do("CreateModel", **self.path, name="Base", schema="{}", contentType="application/json")
        self.authorizer, self.validator, self.part = self.fresh_authorizer(), self.fresh_validator(), self.fresh_part()
        self.version = self.fresh_version()
        self.key = self.fresh_key()
        self.plan = self.do("CreateUsagePlan", name=self.name(), quota={"limit": 9, "period": "DAY"})["id"]
        self.member = {"usagePlanId": self.plan, "keyId": self.key}
        self.do("CreateUsagePlanKey", **self.member, keyType="API_KEY")
        self.domain = self.fresh_domain()
        self.mapping = self.fresh_mapping()
        self.link, self.certificate = self.fresh_link(), self.do("GenerateClientCertificate")["clientCertificateId"]
        self.arn = f"arn:aws:apigateway:us-east-1::/restapis/{self.made}"
        self.inside = self.do("CreateDomainName", domainName=self.host(), certificateArn=CERTIFICATE,
                              endpointConfiguration={"types": ["PRIVATE"]})["domainNameArn"]

    def name(self):
        return f"n{next(self.numbers)}"

    def host(self):
        return f"{self.name()}.example.com"

    def api(self):
        made = self.do("CreateRestApi", name=self.name())
        return made["id"], made["rootResourceId"]

    def method(self, at):
        self.do("PutMethod", **at, authorizationType="NONE")
        self.do("PutMethodResponse", **at, statusCode="200")
        self.do("PutIntegration", **at, type="MOCK", requestTemplates=TEMPLATES)
        self.do("PutIntegrationResponse", **at, statusCode="200")

    def fresh_method(self):
        resource = self.do("CreateResource", **self.path, parentId=self.root, pathPart=self.name())["id"]
        at = {**self.path, "resourceId": resource, "httpMethod": "GET"}
        self.method(at)
        return at

    def fresh_authorizer(self):
        return {**self.path, "authorizerId": self.do("CreateAuthorizer", **self.token())["id"]}

    def token(self):
        return {**self.path, "name": self.name(), "type": "TOKEN", "authorizerUri": URI, "identitySource": SOURCE}

    def fresh_validator(self):
        return {**self.path, "requestValidatorId": self.do("CreateRequestValidator", **self.path, name=self.name())["id"]}

    def location(self):
        return {"type": "RESOURCE", "path": f"/{self.name()}"}

    def fresh_part(self):
        made = self.do("CreateDocumentationPart", **self.path, location=self.location(), properties='{"a":1}')
        return {**self.path, "documentationPartId": made["id"]}

    def fresh_version(self):
        version = {**self.path, "documentationVersion": self.name()}
        self.do("CreateDocumentationVersion", **version)
        return version

    def fresh_key(self):
        return self.do("CreateApiKey", name=self.name())["id"]

    def fresh_plan(self):
        return self.do("CreateUsagePlan", name=self.name())["id"]

    def fresh_member(self):
        member = {"usagePlanId": self.fresh_plan(), "keyId": self.fresh_key()}
        self.do("CreateUsagePlanKey", **member, keyType="API_KEY")
        return member

    def regional(self):
        return {"domainName": self.host(), "regionalCertificateArn": CERTIFICATE, "certificateArn": CERTIFICATE,
                "endpointConfiguration": {"types": ["REGIONAL"]}}

    def fresh_domain(self):
        return {"domainName": self.do("CreateDomainName", **self.regional())["domainName"]}

    def fresh_mapping(self):
        mapping = {**self.domain, "basePath": self.name()}
        self.do("CreateBasePathMapping", **mapping, **self.path)
        return mapping

    def fresh_link(self):
        return {"vpcLinkId": self.do("CreateVpcLink", name=self.name(), targetArns=[NLB])["id"]}

    def fresh_deployment(self):
        return {**self.path, "deploymentId": self.do("CreateDeployment", **self.path)["id"]}

    def fresh_stage(self):
        stage = {**self.path, "stageName": self.name()}
        self.do("CreateStage", **stage, deploymentId=self.deployment)
        return stage

    def access(self):
        return {"domainNameArn": self.inside, "accessAssociationSourceType": "VPCE",
                "accessAssociationSource": f"vpce-{next(self.numbers):x}"}

    def fresh_access(self):
        made = self.do("CreateDomainNameAccessAssociation", **self.access())
        return {"domainNameAccessAssociationArn": made["domainNameAccessAssociationArn"]}

    def fresh_model(self):
        model = {**self.path, "modelName": self.name()}
        self.do("CreateModel", **self.path, name=model["modelName"], schema="{}", contentType="application/json")
        return model

    def fresh_response(self):
        response = {**self.path, "responseType": "THROTTLED"}
        self.do("PutGatewayResponse", **response)
        return response


# The members of a valid call. A base that changes something is asked for anew before each call.
CALLS = {
    "CreateApiKey": lambda p: {"name": p.name()},
    "CreateAuthorizer": lambda p: p.token(),
    "CreateBasePathMapping": lambda p: {**p.domain, **p.path, "basePath": p.name()},
    "CreateDeployment": lambda p: p.path,
    "CreateDocumentationPart": lambda p: {**p.path, "location": p.location(), "properties": '{"a":1}'},
    "CreateDocumentationVersion": lambda p: {**p.path, "documentationVersion": p.name()},
    "CreateDomainName": lambda p: p.regional(),
    "CreateDomainNameAccessAssociation": lambda p: p.access(),
    "CreateModel": lambda p: {**p.path, "name": p.name(), "schema": "{}", "contentType": "application/json"},
    "CreateRequestValidator": lambda p: {**p.path, "name": p.name()},
    "CreateResource": lambda p: {**p.path, "parentId": p.root, "pathPart": p.name()},
    "CreateRestApi": lambda p: {"name": p.name()},
    "CreateStage": lambda p: {**p.path, "stageName": p.name(), "deploymentId": p.deployment},
    "CreateUsagePlan": lambda p: {"name": p.name()},
    "CreateUsagePlanKey": lambda p: {"usagePlanId": p.plan, "keyId": p.fresh_key(), "keyType": "API_KEY"},
    "CreateVpcLink": lambda p: {"name": p.name(), "targetArns": [NLB]},
    "DeleteApiKey": lambda p: {"apiKey": p.fresh_key()},
    "DeleteAuthorizer": lambda p: p.fresh_authorizer(),
    "DeleteBasePathMapping": lambda p: p.fresh_mapping(),
    "DeleteClientCertificate": lambda p: {"clientCertificateId": p.do("GenerateClientCertificate")["clientCertificateId"]},
    "DeleteDeployment": lambda p: p.fresh_deployment(),
    "DeleteDocumentationPart": lambda p: p.fresh_part(),
    "DeleteDocumentationVersion": lambda p: p.fresh_version(),
    "DeleteDomainName": lambda p: p.fresh_domain(),
    "DeleteDomainNameAccessAssociation": lambda p: p.fresh_access(),
    "DeleteGatewayResponse": lambda p: p.fresh_response(),
    "DeleteIntegration": lambda p: p.fresh_method(),
    "DeleteIntegrationResponse": lambda p: {**p.fresh_method(), "statusCode": "200"},
    "DeleteMethod": lambda p: p.fresh_method(),
    "DeleteMethodResponse": lambda p: {**p.fresh_method(), "statusCode": "200"},
    "DeleteModel": lambda p: p.fresh_model(),
    "DeleteRequestValidator": lambda p: p.fresh_validator(),
    "DeleteResource": lambda p: {**p.path, "resourceId": p.fresh_method()["resourceId"]},
    "DeleteRestApi": lambda p: {"restApiId": p.api()[0]},
    "DeleteStage": lambda p: p.fresh_stage(),
    "DeleteUsagePlan": lambda p: {"usagePlanId": p.fresh_plan()},
    "DeleteUsagePlanKey": lambda p: p.fresh_member(),
    "DeleteVpcLink": lambda p: p.fresh_link(),
    "FlushStageAuthorizersCache": lambda p: p.stage,
    "FlushStageCache": lambda p: p.stage,
    "GenerateClientCertificate": lambda p: {},
    "GetAccount": lambda p: {},
    "GetApiKey": lambda p: {"apiKey": p.key},
    "GetApiKeys": lambda p: {},
    "GetAuthorizer": lambda p: p.authorizer,
    "GetAuthorizers": lambda p: p.path,
    "GetBasePathMapping": lambda p: p.mapping,
    "GetBasePathMappings": lambda p: p.domain,
    "GetClientCertificate": lambda p: {"clientCertificateId": p.certificate},
    "GetClientCertificates": lambda p: {},
    "GetDeployment": lambda p: {**p.path, "deploymentId": p.deployment, "embed": ["apisummary"]},
    "GetDeployments": lambda p: p.path,
    "GetDocumentationPart": lambda p: p.part,
    "GetDocumentationParts": lambda p: p.path,
    "GetDocumentationVersion": lambda p: p.version,
    "GetDocumentationVersions": lambda p: p.path,
    "GetDomainName": lambda p: p.domain,
    "GetDomainNameAccessAssociations": lambda p: {},
    "GetDomainNames": lambda p: {},
    "GetExport": lambda p: {**p.stage, "exportType": "oas30"},
    "GetGatewayResponse": lambda p: {**p.path, "responseType": "THROTTLED"},
    "GetGatewayResponses": lambda p: p.path,
    "GetIntegration": lambda p: p.at,
    "GetIntegrationResponse": lambda p: {**p.at, "statusCode": "200"},
    "GetMethod": lambda p: p.at,
    "GetMethodResponse": lambda p: {**p.at, "statusCode": "200"},
    "GetModel": lambda p: {**p.path, "modelName": "Base"},
    "GetModelTemplate": lambda p: {**p.path, "modelName": "Base"},
    "GetModels": lambda p: p.path,
    "GetRequestValidator": lambda p: p.validator,
    "GetRequestValidators": lambda p: p.path,
    "GetResource": lambda p: {**p.path, "resourceId": p.resource},
    "GetResources": lambda p: {**p.path, "embed": ["methods"]},
    "GetRestApi": lambda p: p.path,
    "GetRestApis": lambda p: {},
    "GetStage": lambda p: p.stage,
    "GetStages": lambda p: p.path,
    "GetTags": lambda p: {"resourceArn": p.arn},
    "GetUsage": lambda p: {"usagePlanId": p.plan, "startDate": DAY, "endDate": DAY},
    "GetUsagePlan": lambda p: {"usagePlanId": p.plan},
    "GetUsagePlanKey": lambda p: p.member,
    "GetUsagePlanKeys": lambda p: {"usagePlanId": p.plan},
    "GetUsagePlans": lambda p: {},
    "GetVpcLink": lambda p: p.link,
    "GetVpcLinks": lambda p: {},
    "ImportApiKeys": lambda p: {"body": f"name,key\n{p.name()},a-value-that-is-long-{p.name()}".encode(), "format": "csv"},
    "ImportDocumentationParts": lambda p: {**p.path, "body": PARTS},
    "ImportRestApi": lambda p: {"body": FILE},
    "PutGatewayResponse": lambda p: {**p.path, "responseType": "THROTTLED"},
    "PutIntegration": lambda p: {**p.at, "type": "MOCK", "requestTemplates": TEMPLATES},
    "PutIntegrationResponse": lambda p: {**p.at, "statusCode": "200"},
    "PutMethod": lambda p: {**p.fresh_method(), "httpMethod": "PUT", "authorizationType": "NONE"},
    "PutMethodResponse": lambda p: {**p.fresh_method(), "statusCode": "201"},
    "PutRestApi": lambda p: {"restApiId": p.api()[0], "body": FILE},
    "RejectDomainNameAccessAssociation": lambda p: {**p.fresh_access(), "domainNameArn": p.inside},
    "TagResource": lambda p: {"resourceArn": p.arn, "tags": {"a": "b"}},
    "TestInvokeMethod": lambda p: {**p.at, "pathWithQueryString": "/base?a=b", "headers": {"X-One": "1"}},
    "UntagResource": lambda p: {"resourceArn": p.arn, "tagKeys": ["a"]},
    "UpdateAccount": lambda p: {"patchOperations": patch("/cloudwatchRoleArn", "arn:aws:iam::000000000000:role/logs")},
    "UpdateApiKey": lambda p: {"apiKey": p.key, "patchOperations": patch("/description", "d")},
    "UpdateAuthorizer": lambda p: {**p.authorizer, "patchOperations": patch("/authorizerResultTtlInSeconds", "9")},
    "UpdateBasePathMapping": lambda p: {**p.mapping, "patchOperations": patch("/stage", "prod")},
    "UpdateClientCertificate": lambda p: {"clientCertificateId": p.certificate, "patchOperations": patch("/description", "d")},
    "UpdateDeployment": lambda p: {**p.path, "deploymentId": p.deployment, "patchOperations": patch("/description", "d")},
    "UpdateDocumentationPart": lambda p: {**p.fresh_part(), "patchOperations": patch("/properties", '{"a":2}')},
    "UpdateDocumentationVersion": lambda p: {**p.version, "patchOperations": patch("/description", "d")},
    "UpdateDomainName": lambda p: {**p.domain, "patchOperations": patch("/certificateName", "n")},
    "UpdateGatewayResponse": lambda p: {**p.path, "responseType": "THROTTLED", "patchOperations": patch("/statusCode", "429")},
    "UpdateIntegration": lambda p: {**p.at, "patchOperations": patch("/timeoutInMillis", "900")},
    "UpdateIntegrationResponse": lambda p: {**p.at, "statusCode": "200", "patchOperations": patch("/selectionPattern", "2..")},
    "UpdateMethod": lambda p: {**p.at, "patchOperations": patch("/operationName", "Look")},
    "UpdateMethodResponse": lambda p: {**p.at, "statusCode": "200", "patchOperations":
                                       patch("/responseParameters/method.response.header.X", "true", "add")},
    "UpdateModel": lambda p: {**p.path, "modelName": "Base", "patchOperations": patch("/description", "d")},
    "UpdateRequestValidator": lambda p: {**p.validator, "patchOperations": patch("/validateRequestBody", "true")},
    "UpdateResource": lambda p: {**p.path, "resourceId": p.resource, "patchOperations": patch("/pathPart", p.name())},
    "UpdateRestApi": lambda p: {**p.path, "patchOperations": patch("/description", "d")},
    "UpdateStage": lambda p: {**p.stage, "patchOperations": patch("/description", "d")},
    "UpdateUsage": lambda p: {**p.member, "patchOperations": patch("/remaining", "4")},
    "UpdateUsagePlan": lambda p: {"usagePlanId": p.plan, "patchOperations": patch("/description", "d")},
    "UpdateVpcLink": lambda p: {**p.link, "patchOperations": patch("/description", "d")},
}
