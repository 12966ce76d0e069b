"""ApiKey, with CSV import."""

from cluster import ID10, RECENT, ok, pages, pattern, refused, replace

BAD, GONE = "BadRequestException", "NotFoundException"


def run(c, _):
    base = {"id": ID10, "createdDate": RECENT, "lastUpdatedDate": RECENT, "enabled": False, "stageKeys": []}
    made = ok(c.write("CreateApiKey", name="alpha"), 201, {**base, "name": "alpha", "value": pattern("[A-Za-z0-9]{40}")})
    key, without = made["id"], {name: value for name, value in made.wire.items() if name != "value"}
    got = ok(c.read("GetApiKey", apiKey=key), 200)
    assert got.wire == {**without, "tags": {}}, got
    assert ok(c.read("GetApiKey", apiKey=key, includeValue=True), 200)["value"] == made["value"]

    value = "given-value-of-20-or-more"
    given = ok(c.write("CreateApiKey", name="alphabet", description="d", enabled=True, value=value, tags={"team": "blue"}), 201,
               {**base, "name": "alphabet", "description": "d", "enabled": True, "value": value, "tags": {"team": "blue"}})
    nameless = ok(c.write("CreateApiKey", name=""), 201)
    assert "name" not in nameless.wire, nameless

    listed = {item["id"]: item for item in pages(c.read, "GetApiKeys", nameQuery="alpha")}
    assert set(listed) == {key, given["id"]} and all("value" not in item for item in listed.values()), listed
    assert ok(c.read("GetApiKeys", nameQuery="Alpha"), 200).wire.get("item", []) == [], "the name filter is case-sensitive"
    assert ok(c.read("GetApiKeys", nameQuery="bet"), 200).wire.get("item", []) == [], "the name filter is a prefix"
    valued = {item["id"]: item["value"] for item in pages(c.read, "GetApiKeys", nameQuery="alpha", includeValues=True)}
    assert valued == {key: made["value"], given["id"]: value}, valued

    def patch(*operations):
        return c.third("UpdateApiKey", apiKey=key, patchOperations=list(operations))

    changed = ok(patch(replace("/name", "omega"), replace("/description", "last"), replace("/enabled", "true"),
                       replace("/customerId", "c1")), 200)
    assert changed.wire == {**without, "name": "omega", "description": "last", "enabled": True, "customerId": "c1", "tags": {},
                            "lastUpdatedDate": RECENT}, changed
    assert ok(patch(replace("/enabled", "nonsense")), 200)["enabled"] is False
    assert ok(c.read("GetApiKeys", customerId="c1"), 200)["item"][0]["id"] == key

    paths = "[/description, /enabled, /name, /customerId]"
    refused(patch(replace("/id", "x")), 400, BAD, f"Invalid patch path  '/id' specified for op 'replace'. Must be one of: {paths}")
    refused(c.write("CreateApiKey", name="x", value="short"), 400, BAD, "API Key value should be at least 20 characters")
    refused(c.write("CreateApiKey", name="x", value="v" * 129), 400, BAD, "API Key value exceeds maximum size of 128 characters")
    refused(c.write("CreateApiKey", name="n" * 1025), 400, BAD, "Invalid API Key name, can be at most 1024 characters.")
    refused(c.write("CreateApiKey", name="x", value=value), 409, "ConflictException", "API Key already exists")
    refused(c.read("GetApiKey", apiKey="aaaaaaaaaa"), 404, GONE)

    imported(c)
    for one in (key, given["id"], nameless["id"]):
        ok(c.write("DeleteApiKey", apiKey=one), 202)
        refused(c.read("GetApiKey", apiKey=one), 404, GONE)


def imported(c):
    csv = (b"Name, KEY ,description,Enabled\n"
           b"first, imported-value-number-one-aa ,said,TRUE\n"
           b"second,imported-value-number-two-aa,,false\n"
           b"third,short,,\n")
    refused(c.write("ImportApiKeys", body=csv, format="csv", failOnWarnings=True), 400, BAD)
    assert ok(c.read("GetApiKeys", nameQuery="first"), 200).wire.get("item", []) == [], "a refused import leaves nothing"
    done = ok(c.write("ImportApiKeys", body=csv, format="csv"), 201)
    assert len(done["ids"]) == 2 and len(done["warnings"]) == 1, done
    first, second = (ok(c.read("GetApiKey", apiKey=key, includeValue=True), 200) for key in done["ids"])
    assert (first["name"], first["value"], first["enabled"], first["description"]) == \
        ("first", "imported-value-number-one-aa", True, "said"), first
    assert (second["name"], second["value"], second["enabled"]) == ("second", "imported-value-number-two-aa", False), second
    for key in done["ids"]:
        ok(c.third("DeleteApiKey", apiKey=key), 202)
