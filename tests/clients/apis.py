"""RestApi and Resource."""

from cluster import ID6, ID10, RECENT, ok, pages, refused, replace

UNKNOWN = "aaaaaaaaaa"
OPS = "[add, remove, move, test, replace, copy]"


def run(c, _):
    rest_apis(c)
    refused_rest_apis(c)
    resources(c)


def rest_apis(c):
    plain = {"id": ID10, "name": "plain", "createdDate": RECENT, "apiKeySource": "HEADER", "disableExecuteApiEndpoint": False,
             "endpointConfiguration": {"types": ["EDGE"], "ipAddressType": "ipv4"}, "rootResourceId": ID10}
    made = ok(c.write("CreateRestApi", name="plain"), 201, plain)
    api = made["id"]
    ok(c.read("GetRestApi", restApiId=api), 200, {**made.wire, "tags": {}})

    policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"*"}]}'
    full = ok(c.write("CreateRestApi", name="full", description="all of it", version="v1", apiKeySource="AUTHORIZER",
                      binaryMediaTypes=["image/png"], minimumCompressionSize=100, disableExecuteApiEndpoint=True,
                      endpointConfiguration={"types": ["REGIONAL"]}, policy=policy, tags={"team": "blue"}), 201)
    assert full.wire == {
        **plain, "id": ID10, "name": "full", "description": "all of it", "version": "v1", "apiKeySource": "AUTHORIZER",
        "binaryMediaTypes": ["image/png"], "minimumCompressionSize": 100, "disableExecuteApiEndpoint": True,
        "endpointConfiguration": {"types": ["REGIONAL"], "ipAddressType": "ipv4"}, "tags": {"team": "blue"},
        "policy": policy.replace('"', '\\"')}, full

    private = ok(c.write("CreateRestApi", name="private", endpointConfiguration={"types": ["PRIVATE"]}), 201)
    assert private["endpointConfiguration"] == {"types": ["PRIVATE"], "ipAddressType": "dualstack"}, private

    listed = {item["id"]: item for item in pages(c.read, "GetRestApis")}
    assert listed[api] == made.wire, f"a list omits empty tags: {listed[api]}"
    assert listed[full["id"]]["tags"] == {"team": "blue"}, listed[full["id"]]

    changed = ok(c.third("UpdateRestApi", restApiId=api, patchOperations=[
        replace("/name", "renamed"), replace("/description", "said"), replace("/minimumCompressionSize", "1024"),
        replace("/binaryMediaTypes/image~1png", op="add"), replace("/binaryMediaTypes/a~1b", op="add"),
        replace("/apiKeySource", "AUTHORIZER"), replace("/disableExecuteApiEndpoint", "true"),
        replace("/endpointConfiguration/types/EDGE", "REGIONAL")]), 200)
    assert changed.wire == {
        **made.wire, "name": "renamed", "description": "said", "minimumCompressionSize": 1024,
        "binaryMediaTypes": ["image/png", "a/b"], "apiKeySource": "AUTHORIZER", "disableExecuteApiEndpoint": True,
        "endpointConfiguration": {"types": ["REGIONAL"], "ipAddressType": "ipv4"}, "tags": {}}, changed
    ok(c.read("GetRestApi", restApiId=api), 200, changed.wire)
    undone = ok(c.write("UpdateRestApi", restApiId=api, patchOperations=[
        replace("/description", op="remove"), replace("/minimumCompressionSize", ""),
        replace("/binaryMediaTypes/image~1png", op="remove"), replace("/binaryMediaTypes/a~1b", op="remove")]), 200)
    assert not {"description", "minimumCompressionSize", "binaryMediaTypes"} & set(undone.wire), undone

    for one in (api, full["id"], private["id"]):
        ok(c.third("DeleteRestApi", restApiId=one), 202)
        refused(c.read("GetRestApi", restApiId=one), 404, "NotFoundException",
                f"Invalid API identifier specified {c.account}:{one}")


def refused_rest_apis(c):
    bad = "BadRequestException"
    refused(c.write("CreateRestApi", name="x", description=""), 400, bad, "Description cannot be an empty string")
    refused(c.write("CreateRestApi", name="x", endpointConfiguration={"types": ["EDGE", "REGIONAL"]}), 400, bad,
            "Cannot create an api with multiple Endpoint Types.")
    refused(c.write("CreateRestApi", name="x", minimumCompressionSize=10485761), 400, bad,
            "Invalid minimum compression size, must be between 0 and 10485760")
    refused(c.write("CreateRestApi", name="x", endpointConfiguration={"types": ["PRIVATE"], "ipAddressType": "ipv4"}), 400, bad,
            "Only dualstack ipAddressType is supported for Private APIs.")
    refused(c.write("CreateRestApi", name="x", endpointConfiguration={"types": ["wrong"]}), 400, "ValidationException",
            "1 validation error detected: Value '[wrong]' at 'createRestApiInput.endpointConfiguration.types' failed to satisfy "
            "constraint: Member must satisfy constraint: [Member must satisfy enum value set: [PRIVATE, EDGE, REGIONAL]]")

    made = ok(c.write("CreateRestApi", name="stubborn"), 201)
    api = made["id"]

    def patch(*operations):
        return c.write("UpdateRestApi", restApiId=api, patchOperations=list(operations))

    refused(patch(replace("/nope", "x")), 400, bad, "Invalid patch path /nope")
    refused(patch(replace("/binaryMediaTypes", "x", op="add")), 400, bad, "Invalid patch path /binaryMediaTypes")
    refused(patch(replace("/name", "x", op="add")), 400, bad, "Invalid patch operation specified. Must be one of: [replace]")
    refused(patch(replace("/minimumCompressionSize", "-1")), 400, bad,
            "Invalid minimum compression size, must be between 0 and 10485760")
    refused(patch(replace("/endpointConfiguration/types/0", "NOPE")), 400, bad,
            "Invalid EndpointTypes specified. Valid options are REGIONAL,EDGE,PRIVATE")
    refused(patch(replace("/name", "half"), replace("/nope", "x")), 400, bad)
    refused(patch(replace("/name", "x", op="bogus")), 400, "ValidationException",
            "1 validation error detected: Value 'bogus' at 'updateRestApiInput.patchOperations.1.member.op' failed to satisfy "
            f"constraint: Member must satisfy enum value set: {OPS}")
    ok(c.read("GetRestApi", restApiId=api), 200, {**made.wire, "tags": {}})

    unknown = f"Invalid API identifier specified {c.account}:{UNKNOWN}"
    refused(c.read("GetRestApi", restApiId=UNKNOWN), 404, "NotFoundException", unknown)
    refused(c.read("GetRestApi", restApiId=api.upper() if api.upper() != api else "AAAAAAAAAA"), 404, "NotFoundException")
    refused(c.write("UpdateRestApi", restApiId=UNKNOWN, patchOperations=[replace("/name", "x")]), 404, "NotFoundException", unknown)
    refused(c.write("DeleteRestApi", restApiId=UNKNOWN), 404, "NotFoundException", unknown)
    ok(c.write("DeleteRestApi", restApiId=api), 202)


def resources(c):
    made = ok(c.write("CreateRestApi", name="resources"), 201)
    api, root = made["id"], made["rootResourceId"]
    ok(c.read("GetResources", restApiId=api), 200, {"item": [{"id": root, "path": "/"}]})

    def child(parent, part):
        return c.write("CreateResource", restApiId=api, parentId=parent, pathPart=part)

    pets = ok(child(root, "pets"), 201, {"id": ID6, "parentId": root, "pathPart": "pets", "path": "/pets"})
    pet = ok(child(pets["id"], "{petId}"), 201)
    assert pet["path"] == "/pets/{petId}", pet
    greedy = ok(child(root, "{proxy+}"), 201)
    ok(c.read("GetResource", restApiId=api, resourceId=pet["id"]), 200, pet.wire)

    invalid = "Invalid Resource identifier specified"
    refused(child(root, "pets"), 409, "ConflictException", "Another resource with the same parent already has this name: pets")
    refused(child(pets["id"], "{other}"), 400, "BadRequestException",
            "A sibling ({petId}) of this resource already has a variable path part -- only one is allowed")
    refused(child(greedy["id"], "x"), 400, "BadRequestException",
            "Cannot create a child of a resource with a greedy path variable: {proxy+}")
    refused(child("aaaaaa", "x"), 404, "NotFoundException", invalid)
    refused(c.read("GetResource", restApiId=api, resourceId="aaaaaa"), 404, "NotFoundException", invalid)
    refused(c.read("GetResource", restApiId=UNKNOWN, resourceId=root), 404, "NotFoundException", invalid)

    ok(c.write("PutMethod", restApiId=api, resourceId=pets["id"], httpMethod="GET", authorizationType="NONE"), 201)
    listed = {item["path"]: item for item in pages(c.read, "GetResources", restApiId=api)}
    assert listed == {"/": {"id": root, "path": "/"}, "/pets": {**pets.wire, "resourceMethods": {"GET": {}}},
                      "/pets/{petId}": pet.wire, "/{proxy+}": greedy.wire}, listed
    embedded = ok(c.read("GetResources", restApiId=api, embed=["methods"]), 200)
    embedded = next(item for item in embedded["item"] if item["path"] == "/pets")
    method = {"apiKeyRequired": False, "authorizationType": "NONE", "httpMethod": "GET"}
    assert embedded["resourceMethods"] == {"GET": method}, embedded

    def patch(resource, *operations):
        return c.third("UpdateResource", restApiId=api, resourceId=resource, patchOperations=list(operations))

    moved = ok(patch(pets["id"], replace("/pathPart", "animals")), 200)
    assert (moved["pathPart"], moved["path"]) == ("animals", "/animals"), moved
    assert ok(c.read("GetResource", restApiId=api, resourceId=pet["id"]), 200)["path"] == "/animals/{petId}"
    moved = ok(patch(pet["id"], replace("/parentId", root), replace("/pathPart", "animal")), 200)
    assert moved.wire == {"id": pet["id"], "parentId": root, "pathPart": "animal", "path": "/animal"}, moved

    bad = "BadRequestException"
    refused(patch(pet["id"], replace("/id", "x")), 400, bad,
            "Invalid patch path  '/id' specified for op 'replace'. Must be one of: [/parentId, /pathPart]")
    refused(patch(pet["id"], replace("/pathPart", "x", op="add")), 400, bad,
            "Invalid patch path  '/pathPart' specified for op 'add'. Please choose supported operations")
    refused(patch(root, replace("/pathPart", "x")), 400, bad, "Root resource cannot update its pathPart.")
    refused(patch(root, replace("/parentId", pets["id"])), 400, bad, "Root resource cannot update its parentId.")
    ok(patch(pet["id"], replace("/parentId", pets["id"])), 200)
    refused(patch(pets["id"], replace("/parentId", pet["id"])), 400, bad, "Resources cannot be cyclical.")
    refused(patch(greedy["id"], replace("/pathPart", "animals")), 409, "ConflictException",
            "Another resource with the same parent already has this name: animals")

    ok(c.write("DeleteResource", restApiId=api, resourceId=pets["id"]), 202)
    refused(c.read("GetResource", restApiId=api, resourceId=pet["id"]), 404, "NotFoundException", invalid)
    ok(c.write("DeleteRestApi", restApiId=api), 202)
