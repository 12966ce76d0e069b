"""What an account has beside its APIs: client certificates, VPC links, custom domain names and what is under them."""

from cluster import ID6, RECENT, ok, pages, pattern, refused, replace

BAD, GONE, TAKEN = "BadRequestException", "NotFoundException", "ConflictException"
CERTIFICATE = "arn:aws:acm:us-east-1:000000000000:certificate/x"
NLB = "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/net/x/1"
MAPPING = "Invalid base path mapping identifier specified"


def run(c, _):
    certificates(c)
    links(c)
    names(c)
    associations(c)


def certificates(c):
    made = ok(c.write("GenerateClientCertificate", description="d", tags={"a": "b"}), 201)
    pem = made["pemEncodedCertificate"]
    assert pem.startswith("-----BEGIN CERTIFICATE-----"), made
    assert 360 < (made["expirationDate"] - made["createdDate"]) / 86_400 < 366, made
    assert made.wire == {"clientCertificateId": ID6, "description": "d", "pemEncodedCertificate": pem, "createdDate": RECENT,
                         "expirationDate": made["expirationDate"], "tags": {"a": "b"}}, made
    one = {"clientCertificateId": made["clientCertificateId"]}
    ok(c.read("GetClientCertificate", **one), 200, made.wire)
    assert made.wire in pages(c.read, "GetClientCertificates")
    changed = ok(c.third("UpdateClientCertificate", **one, patchOperations=[replace("/description", "e")]), 200)
    assert changed.wire == {**made.wire, "description": "e"}, changed
    ok(c.write("DeleteClientCertificate", **one), 202)
    refused(c.read("GetClientCertificate", **one), 404, GONE, "Invalid Client Certificate identifier specified")


def links(c):
    made = ok(c.write("CreateVpcLink", name="inside", targetArns=[NLB]), 202,
              {"id": ID6, "name": "inside", "targetArns": [NLB], "status": "PENDING"})
    one = {"vpcLinkId": made["id"]}
    ready = {**made.wire, "status": "AVAILABLE", "statusMessage": "Your vpc link is ready for use"}
    ok(c.read("GetVpcLink", **one), 200, {**ready, "tags": {}})
    assert ready in pages(c.read, "GetVpcLinks")
    ok(c.third("UpdateVpcLink", **one, patchOperations=[replace("/name", "n"), replace("/description", "d")]), 200,
       {**ready, "name": "n", "description": "d", "tags": {}})
    refused(c.write("CreateVpcLink", name="", targetArns=[NLB]), 400, BAD, "Name cannot be empty")
    refused(c.write("CreateVpcLink", name="x", targetArns=["invalid-arn"]), 400, BAD,
            "Invalid ARN. ARN is not well formed invalid-arn")
    ok(c.write("DeleteVpcLink", **one), 202)
    refused(c.read("GetVpcLink", **one), 404, GONE, "Invalid Vpc Link identifier specified")


def names(c):
    name = "api.example.com"
    made = ok(c.write("CreateDomainName", domainName=name, regionalCertificateArn=CERTIFICATE,
                      endpointConfiguration={"types": ["REGIONAL"]}), 201, {
        "domainName": name, "domainNameArn": f"arn:aws:apigateway:us-east-1::/domainnames/{name}",
        "regionalCertificateArn": CERTIFICATE, "domainNameStatus": "AVAILABLE", "securityPolicy": "TLS_1_2",
        "regionalDomainName": pattern(r"d-[a-z0-9]{10}\.execute-api\.us-east-1\.localhost"),
        "regionalHostedZoneId": pattern("Z[A-Z0-9]+"), "routingMode": "BASE_PATH_MAPPING_ONLY",
        "endpointConfiguration": {"types": ["REGIONAL"], "ipAddressType": "ipv4"}})
    ok(c.read("GetDomainName", domainName=name), 200, {**made.wire, "tags": {}})
    assert made.wire in pages(c.read, "GetDomainNames")
    ok(c.third("UpdateDomainName", domainName=name, patchOperations=[replace("/regionalCertificateName", "n")]), 200,
       {**made.wire, "regionalCertificateName": "n", "tags": {}})
    refused(c.write("CreateDomainName", domainName=name, certificateArn=CERTIFICATE), 400, BAD,
            "The domain name you provided already exists.")

    api = ok(c.write("CreateRestApi", name="mapped"), 201)["id"]
    root = ok(c.write("CreateBasePathMapping", domainName=name, restApiId=api), 201,
              {"basePath": "(none)", "restApiId": api})
    pets = ok(c.write("CreateBasePathMapping", domainName=name, restApiId=api, basePath="pets"), 201)
    ok(c.read("GetBasePathMapping", domainName=name, basePath="(none)"), 200, root.wire)
    assert pages(c.read, "GetBasePathMappings", domainName=name) == [root.wire, pets.wire]
    refused(c.write("CreateBasePathMapping", domainName=name, restApiId=api), 409, TAKEN,
            "Base path already exists for this domain name")
    refused(c.write("CreateBasePathMapping", domainName=name, restApiId=api, basePath="x", stage="nope"), 400, BAD,
            "Invalid stage identifier specified")
    ok(c.third("UpdateBasePathMapping", domainName=name, basePath="pets", patchOperations=[replace("/basePath", "v1")]), 200,
       {"basePath": "v1", "restApiId": api})
    refused(c.read("GetBasePathMapping", domainName=name, basePath="pets"), 404, GONE, MAPPING)
    refused(c.write("DeleteRestApi", restApiId=api), 400, BAD)
    ok(c.write("DeleteBasePathMapping", domainName=name, basePath="(none)"), 202)
    ok(c.write("DeleteDomainName", domainName=name), 202)
    refused(c.read("GetDomainName", domainName=name), 404, GONE, "Invalid domain name identifier specified")
    ok(c.write("DeleteRestApi", restApiId=api), 202)


def associations(c):
    domain = ok(c.write("CreateDomainName", domainName="in.example.com", certificateArn=CERTIFICATE,
                        endpointConfiguration={"types": ["PRIVATE"]}), 201)
    given = {"domainNameArn": domain["domainNameArn"], "accessAssociationSourceType": "VPCE",
             "accessAssociationSource": "vpce-1a2b"}
    made = ok(c.write("CreateDomainNameAccessAssociation", **given), 201)
    arn = made["domainNameAccessAssociationArn"]
    assert made.wire == {**given, "domainNameAccessAssociationArn": arn}, made
    assert pages(c.read, "GetDomainNameAccessAssociations") == [made.wire]
    ok(c.third("RejectDomainNameAccessAssociation", domainNameAccessAssociationArn=arn, domainNameArn=given["domainNameArn"]), 202)
    refused(c.write("CreateDomainNameAccessAssociation", **given), 409, TAKEN)
    ok(c.write("DeleteDomainNameAccessAssociation", domainNameAccessAssociationArn=arn), 202)
    refused(c.write("DeleteDomainNameAccessAssociation", domainNameAccessAssociationArn=arn), 404, GONE)
    ok(c.write("DeleteDomainName", domainName="in.example.com", domainNameId=domain["domainNameId"]), 202)
