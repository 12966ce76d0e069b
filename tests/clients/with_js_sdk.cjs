// The AWS SDK for JavaScript v3 against three nodes: what an SDK of another kind makes of our answers. It writes on one
// node, reads on another and invokes on a third, and looks at types, error classes, pages and files.
"use strict";

for (const name of Object.keys(process.env)) if (name.startsWith("AWS_")) delete process.env[name];
Object.assign(process.env, { AWS_CONFIG_FILE: "/dev/null", AWS_SHARED_CREDENTIALS_FILE: "/dev/null" });

const assert = require("node:assert/strict");
const fs = require("node:fs");
const http = require("node:http");
const sdk = require("@aws-sdk/client-api-gateway");

const cluster = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const region = cluster.nodes[0].region;
const UNKNOWN = "aaaaaaaaaa";
const called = new Set();

function client(node, credentials) {
  const made = new sdk.APIGatewayClient({
    endpoint: `http://${node.admin}`, region, maxAttempts: 1,
    credentials: credentials ?? { accessKeyId: cluster.access_key_id, secretAccessKey: cluster.secret_access_key },
  });
  made.middlewareStack.add((next, context) => (given) => {
    called.add(context.commandName);
    return next(given);
  }, { step: "initialize" });
  return made;
}

const clients = cluster.nodes.map((node) => client(node));

// A call that must succeed with this status; gives what the SDK made of the answer, without its metadata.
async function ok(node, operation, input, status = 200) {
  const { $metadata, ...output } = await clients[node].send(new sdk[`${operation}Command`](input));
  assert.equal($metadata.httpStatusCode, status, operation);
  assert.ok($metadata.requestId, `${operation} has no request id`);
  return output;
}

const write = (operation, input, status = 201) => ok(0, operation, input, status);
const read = (operation, input) => ok(1, operation, input);
const third = (operation, input, status = 200) => ok(2, operation, input, status);

// A call that must be refused, with the class that the SDK has for it and AWS's words.
async function refused(sender, operation, input, name, status, message) {
  const error = await sender.send(new sdk[`${operation}Command`](input)).then(
    (output) => assert.fail(`${operation} was answered: ${JSON.stringify(output)}`), (error) => error);
  assert.ok(error instanceof sdk.APIGatewayServiceException, `${operation}: ${error.stack}`);
  if (sdk[name]) assert.ok(error instanceof sdk[name], `${operation}: not of the class ${name}: ${error.stack}`);
  assert.deepEqual([error.name, error.$metadata.httpStatusCode, error.$fault],
    [name, status, status < 500 ? "client" : "server"], `${operation}: ${error.stack}`);
  assert.ok(error.$metadata.requestId, `${operation} has no request id`);
  if (message instanceof RegExp) assert.match(error.message, message, operation);
  else if (message !== undefined) assert.equal(error.message, message, operation);
  return error;
}

const gone = (operation, input, message) => refused(clients[1], operation, input, "NotFoundException", 404, message);

function invoke(node, api, stage, path, headers = {}) {
  const [host, port] = cluster.nodes[node].gateway_http.split(":");
  const sent = { Host: `${api}.execute-api.${region}.localhost`, ...headers };
  return new Promise((done, failed) => {
    http.get({ host, port, path: `/${stage}${path}`, headers: sent, agent: false }, (response) => {
      const pieces = [];
      response.on("data", (piece) => pieces.push(piece));
      response.on("end", () => done([response.statusCode, Buffer.concat(pieces).toString()]));
    }).on("error", failed);
  });
}

const recent = (time) => {
  assert.ok(time instanceof Date && Math.abs(Date.now() - time) < 600_000, `no recent time: ${time}`);
  return time;
};
const step = (path, value, op = "replace") => ({ op, path, value });
const text = (bytes) => Buffer.from(bytes).toString();

async function pages(paginate, input) {
  const items = [];
  for await (const page of paginate({ client: clients[1], pageSize: 2 }, input)) {
    assert.ok(page.items.length <= 2, "a page is as long as it was asked");
    items.push(...page.items);
  }
  return items;
}

// RestApi, Resource and the parts of a method; gives the ids.
async function api() {
  const odd = 'é ✓ "quoted" \\ and\na line';
  const made = await write("CreateRestApi", { name: "shop", description: odd, tags: { team: "blue" }, endpointConfiguration: {
    types: ["REGIONAL"] } });
  const { id, rootResourceId: root } = made;
  assert.deepEqual(made, {
    id, name: "shop", description: odd, createdDate: recent(made.createdDate), apiKeySource: "HEADER",
    disableExecuteApiEndpoint: false, endpointConfiguration: { types: ["REGIONAL"], ipAddressType: "ipv4" },
    rootResourceId: root, tags: { team: "blue" },
  });
  assert.deepEqual(await read("GetRestApi", { restApiId: id }), made);
  const child = await write("CreateResource", { restApiId: id, parentId: root, pathPart: "{petId}" });
  assert.deepEqual(child, { id: child.id, parentId: root, pathPart: "{petId}", path: "/{petId}" });
  const at = { restApiId: id, resourceId: child.id, httpMethod: "GET" };
  await write("PutMethod", { ...at, authorizationType: "NONE", apiKeyRequired: true,
    requestParameters: { "method.request.path.petId": true } });
  await write("PutMethodResponse", { ...at, statusCode: "200", responseParameters: { "method.response.header.X-A": false } });
  await write("PutIntegration", { ...at, type: "MOCK", requestTemplates: { "application/json": '{"statusCode": 200}' } });
  await write("PutIntegrationResponse", { ...at, statusCode: "200", responseTemplates: {
    "application/json": '{"pets":true}' } });
  const method = await read("GetMethod", at);
  assert.deepEqual(method, {
    httpMethod: "GET", authorizationType: "NONE", apiKeyRequired: true,
    requestParameters: { "method.request.path.petId": true },
    methodResponses: { 200: { statusCode: "200", responseParameters: { "method.response.header.X-A": false } } },
    methodIntegration: {
      type: "MOCK", requestTemplates: { "application/json": '{"statusCode": 200}' }, passthroughBehavior: "WHEN_NO_MATCH",
      timeoutInMillis: 29000, cacheNamespace: child.id, cacheKeyParameters: [],
      integrationResponses: { 200: method.methodIntegration.integrationResponses["200"] },
    },
  });
  const changed = await third("UpdateRestApi", { restApiId: id, patchOperations: [
    step("/name", "bazaar"), step("/binaryMediaTypes/image~1png", undefined, "add"), step("/minimumCompressionSize", "10")] });
  assert.deepEqual(changed, { ...made, name: "bazaar", binaryMediaTypes: ["image/png"], minimumCompressionSize: 10 });
  return { id, root, at };
}

// Deployment, stage, key and plan: and what a client of the API sees of them.
async function served({ id }) {
  const deployment = await write("CreateDeployment", { restApiId: id, description: "first" });
  recent(deployment.createdDate);
  const stage = { restApiId: id, stageName: "prod" };
  const made = await write("CreateStage", { ...stage, deploymentId: deployment.id, variables: { kind: "cat" } });
  assert.deepEqual([recent(made.createdDate), recent(made.lastUpdatedDate), made.methodSettings],
    [made.createdDate, made.lastUpdatedDate, {}]);
  const set = await third("UpdateStage", { ...stage, patchOperations: [
    step("/variables/kind", "dog"), step("/*/*/throttling/rateLimit", "50.5"), step("/~1{petId}/GET/logging/dataTrace", "true")] });
  assert.deepEqual(Object.keys(set.methodSettings).sort(), ["*/*", "~1{petId}/GET"]);
  assert.equal(set.methodSettings["*/*"].throttlingRateLimit, 50.5);
  assert.deepEqual((await read("GetStage", stage)).variables, { kind: "dog" });

  const key = await write("CreateApiKey", { name: "client", enabled: true });
  assert.match(key.value, /^[A-Za-z0-9]{40}$/);
  const plan = await write("CreateUsagePlan", { name: "plan", apiStages: [{ apiId: id, stage: "prod" }],
    quota: { limit: 2, period: "DAY" }, throttle: { rateLimit: 10, burstLimit: 5 } });
  assert.deepEqual([plan.quota, plan.throttle], [{ limit: 2, offset: 0, period: "DAY" }, { rateLimit: 10, burstLimit: 5 }]);
  const member = { usagePlanId: plan.id, keyId: key.id };
  assert.deepEqual(await write("CreateUsagePlanKey", { ...member, keyType: "API_KEY" }),
    { id: key.id, type: "API_KEY", value: key.value, name: "client" });
  assert.deepEqual(await invoke(2, id, "prod", "/7"), [403, '{"message":"Forbidden"}']);
  const header = { "x-api-key": key.value };
  for (const node of [1, 2]) assert.deepEqual(await invoke(node, id, "prod", "/7", header), [200, '{"pets":true}']);
  assert.deepEqual(await invoke(0, id, "prod", "/7", header), [429, '{"message":"Limit Exceeded"}']);
  const day = new Date().toISOString().slice(0, 10);
  const usage = await read("GetUsage", { ...member, startDate: day, endDate: day });
  assert.deepEqual([usage.usagePlanId, Object.keys(usage.items)], [plan.id, [key.id]]);
  await refused(clients[0], "DeleteUsagePlan", { usagePlanId: plan.id }, "BadRequestException", 400);
  await refused(clients[0], "DeleteDeployment", { restApiId: id, deploymentId: deployment.id }, "BadRequestException", 400,
    "Active stages pointing to this deployment must be moved or deleted");
  return { stage, deployment, key, plan, member };
}

async function paged({ id, root }) {
  const names = ["p1", "p2", "p3", "p4", "p5"];
  const keys = await Promise.all(names.map((name) => write("CreateApiKey", { name: `page-${name}` })));
  const parts = await Promise.all(names.map((pathPart) => write("CreateResource", { restApiId: id, parentId: root, pathPart })));
  const listed = await pages(sdk.paginateGetApiKeys, { nameQuery: "page-", includeValues: true });
  const byId = (a, b) => (a.id < b.id ? -1 : 1);
  assert.deepEqual(listed.map(({ id, name, value }) => ({ id, name, value })).sort(byId),
    keys.map(({ id, name, value }) => ({ id, name, value })).sort(byId));
  const paths = (await pages(sdk.paginateGetResources, { restApiId: id })).map(({ path }) => path).sort();
  assert.deepEqual(paths, ["/", ...names.map((name) => `/${name}`), "/{petId}"]);
  await refused(clients[0], "GetResources", { restApiId: id, position: "nonsense" }, "BadRequestException", 400);
  for (const key of keys) await write("DeleteApiKey", { apiKey: key.id }, 202);
  for (const part of parts) await third("DeleteResource", { restApiId: id, resourceId: part.id }, 202);
}

async function errors({ id, root }) {
  await gone("GetRestApi", { restApiId: UNKNOWN }, `Invalid API identifier specified ${cluster.account}:${UNKNOWN}`);
  await gone("GetModel", { restApiId: id, modelName: "Nope" }, "Invalid model name specified: Nope");
  await refused(clients[0], "CreateResource", { restApiId: id, parentId: root, pathPart: "{other}" }, "BadRequestException", 400,
    "A sibling ({petId}) of this resource already has a variable path part -- only one is allowed");
  await write("CreateModel", { restApiId: id, name: "Pet", schema: '{"type":"object"}', contentType: "application/json" });
  await refused(clients[1], "CreateModel", { restApiId: id, name: "Pet", schema: "{}", contentType: "application/json" },
    "ConflictException", 409, "Model name already exists for this REST API");
  await refused(clients[2], "UpdateRestApi", { restApiId: id, patchOperations: [step("/nope", "x")] }, "BadRequestException", 400,
    "Invalid patch path /nope");
  // Errors of the framework have a name, but no class of their own.
  await refused(clients[0], "PutIntegration", { restApiId: id, resourceId: root, httpMethod: "GET", type: "NOPE" },
    "ValidationException", 400, /^1 validation error detected: Value 'NOPE' at 'putIntegrationInput.type' failed/);
  await refused(clients[0], "CreateRestApi", { name: true }, "SerializationException", 400,
    "class java.lang.Boolean can not be converted to an String");
  await refused(clients[1], "GetSdkTypes", {}, "NotImplementedException", 501, "Meridian does not implement GetSdkTypes yet");
  const nobody = client(cluster.nodes[1], { accessKeyId: "AKIAAAAAAAAAAAAAAAAA", secretAccessKey: "x".repeat(40) });
  await refused(nobody, "GetAccount", {}, "UnrecognizedClientException", 403);
  const forger = client(cluster.nodes[2], { accessKeyId: cluster.access_key_id, secretAccessKey: "x".repeat(40) });
  await refused(forger, "GetAccount", {}, "InvalidSignatureException", 403);
}

async function tagged({ id }) {
  const resourceArn = `arn:aws:apigateway:${region}::/restapis/${id}`;
  await write("TagResource", { resourceArn, tags: { "a b": "1", "c/d": "é" } }, 204);
  assert.deepEqual((await read("GetTags", { resourceArn })).tags, { team: "blue", "a b": "1", "c/d": "é" });
  await third("UntagResource", { resourceArn, tagKeys: ["a b", "team"] }, 204);
  assert.deepEqual((await read("GetTags", { resourceArn })).tags, { "c/d": "é" });
  const arn = "arn:aws:acm:us-east-1:000000000000:certificate/x";
  const domainName = "js.example.com";
  const domain = await write("CreateDomainName", { domainName, certificateArn: arn });
  recent(domain.certificateUploadDate);
  assert.deepEqual(await write("CreateBasePathMapping", { domainName, restApiId: id }), { basePath: "(none)", restApiId: id });
  assert.deepEqual(await read("GetBasePathMapping", { domainName, basePath: "(none)" }), { basePath: "(none)", restApiId: id });
  await third("DeleteBasePathMapping", { domainName, basePath: "(none)" }, 202);
  await third("DeleteDomainName", { domainName }, 202);
  await gone("GetDomainName", { domainName }, "Invalid domain name identifier specified");
}

async function files({ id }) {
  const file = (name) => Buffer.from(JSON.stringify({
    openapi: "3.0.1", info: { title: name, version: "v1" }, paths: { [`/${name}`]: { get: {
      responses: { 200: { description: "200 response", content: {} } }, "x-amazon-apigateway-integration": {
        type: "mock", requestTemplates: { "application/json": '{"statusCode": 200}' }, passthroughBehavior: "when_no_match",
        responses: { default: { statusCode: "200", responseTemplates: { "application/json": name } } } } } } } }));
  const made = await write("ImportRestApi", { body: file("cats"), failOnWarnings: true,
    parameters: { endpointConfigurationTypes: "REGIONAL", ignore: "documentation" } });
  assert.deepEqual([made.name, made.version, made.endpointConfiguration.types], ["cats", "v1", ["REGIONAL"]]);
  const restApiId = made.id;
  const merged = await ok(1, "PutRestApi", { restApiId, mode: "merge", body: file("dogs") });
  assert.deepEqual([merged.name, merged.rootResourceId], ["dogs", made.rootResourceId]);
  const paths = async () => (await read("GetResources", { restApiId })).items.map(({ path }) => path).sort();
  assert.deepEqual(await paths(), ["/", "/cats", "/dogs"]);
  await write("CreateDeployment", { restApiId, stageName: "prod" });
  assert.deepEqual(await invoke(2, restApiId, "prod", "/dogs"), [200, "dogs"]);
  const asked = { restApiId, stageName: "prod", exportType: "oas30", parameters: { extensions: "apigateway" } };
  const json = await read("GetExport", { ...asked, accepts: "application/json" });
  assert.ok(json.body instanceof Uint8Array);
  assert.deepEqual([json.contentType, json.contentDisposition],
    ["application/octet-stream", 'attachment; filename="oas30_v1.json"']);
  const document = JSON.parse(text(json.body));
  assert.deepEqual(document.paths["/cats"], JSON.parse(file("cats")).paths["/cats"]);
  const yaml = await third("GetExport", { ...asked, accepts: "application/yaml" });
  assert.match(text(yaml.body), /^---\nopenapi: "3\.0\.1"\n/);
  // As YAML it goes in again, and comes out as it was.
  await ok(2, "PutRestApi", { restApiId, mode: "overwrite", failOnWarnings: true, body: yaml.body });
  await write("CreateDeployment", { restApiId, stageName: "prod" });
  assert.equal(text((await read("GetExport", { ...asked, accepts: "application/json" })).body), text(json.body));
  await refused(clients[0], "ImportRestApi", { body: Buffer.from("fake") }, "BadRequestException", 400, "Invalid OpenAPI input.");
  await third("PutRestApi", { restApiId, mode: "overwrite", body: file("cats") });
  assert.deepEqual(await paths(), ["/", "/cats"]);
  await write("DeleteRestApi", { restApiId }, 202);

  const csv = Buffer.from("name,key,enabled\nfirst,a-value-of-the-first-key,true\nsecond,a-value-of-the-second-key,false\n");
  const { ids, warnings } = await write("ImportApiKeys", { body: csv, format: "csv" });
  assert.deepEqual([ids.length, warnings], [2, []]);
  const first = await read("GetApiKey", { apiKey: ids[0], includeValue: true });
  assert.deepEqual([first.name, first.value, first.enabled], ["first", "a-value-of-the-first-key", true]);
  for (const apiKey of ids) await third("DeleteApiKey", { apiKey }, 202);
  const parts = Buffer.from(JSON.stringify({ openapi: "3.0.1", info: { title: "x", version: "1" }, paths: {},
    "x-amazon-apigateway-documentation": { documentationParts: [{ location: { type: "API" }, properties: { description: "d" } }] } }));
  const imported = await ok(0, "ImportDocumentationParts", { restApiId: id, mode: "overwrite", body: parts });
  const part = await read("GetDocumentationPart", { restApiId: id, documentationPartId: imported.ids[0] });
  assert.deepEqual(part, { id: imported.ids[0], location: { type: "API" }, properties: '{"description":"d"}' });
}

async function deleted({ id, at }, { stage, deployment, key, plan, member }) {
  await write("DeleteUsagePlanKey", member, 202);
  await gone("GetUsagePlanKey", member);
  await third("UpdateUsagePlan", { usagePlanId: plan.id, patchOperations: [step("/apiStages", `${id}:prod`, "remove")] });
  await write("DeleteUsagePlan", { usagePlanId: plan.id }, 202);
  await gone("GetUsagePlan", { usagePlanId: plan.id }, "Invalid Usage Plan ID specified");
  await write("DeleteApiKey", { apiKey: key.id }, 202);
  await gone("GetApiKey", { apiKey: key.id });
  await third("DeleteStage", stage, 202);
  await gone("GetStage", stage, "Invalid stage identifier specified");
  assert.equal((await invoke(1, id, "prod", "/7"))[0], 403);
  await write("DeleteDeployment", { restApiId: id, deploymentId: deployment.id }, 202);
  const response = { ...at, statusCode: "200" };
  const missing = "Invalid Response status code specified";
  for (const [noun, input, words] of [["IntegrationResponse", response, missing], ["MethodResponse", response, missing],
    ["Integration", at, "Invalid Integration identifier specified"], ["Method", at, "Invalid Method identifier specified"]]) {
    await write(`Delete${noun}`, input, 204);
    await gone(`Get${noun}`, input, words);
  }
  await write("DeleteModel", { restApiId: id, modelName: "Pet" }, 202);
  await write("DeleteRestApi", { restApiId: id }, 202);
  await gone("GetRestApi", { restApiId: id });
  assert.deepEqual((await pages(sdk.paginateGetRestApis, {})).filter((left) => left.id === id), []);
}

async function main() {
  const made = await api();
  const parts = await served(made);
  for (const scenario of [paged, errors, tagged, files]) await scenario(made);
  await deleted(made, parts);
  console.log(`ok  ${called.size} operations called with ${process.version}`);
}

main().catch((error) => {
  console.error(error.stack);
  process.exitCode = 1;
});
