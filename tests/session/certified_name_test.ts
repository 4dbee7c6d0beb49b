import assert from "node:assert/strict";
import type { Peer } from "../../src/session/ports.ts";
import { hookAccess } from "../support/access.ts";
import { connect, type ConnectFields } from "../support/packets.ts";
import { defaultListener, type FakeClient, World } from "../support/world.ts";

const certificate: Peer = { certificateName: "lamp", certificateSubject: "CN=lamp,O=Lab" };

/** A world in which no password is ever right. */
function closedWorld(): World {
  const access = hookAccess({ authenticate: () => false }, false, () => {});
  return new World({ access });
}

function arrive(
  world: World,
  userNameFrom: "identity" | "subject",
  peer: Peer | null,
  fields: ConnectFields = {},
  version: 4 | 5 = 5,
): FakeClient {
  const client = world.open(version, { ...defaultListener, userNameFrom });
  client.peer = peer;
  return client.send(connect(version, { clientId: "c", ...fields }));
}

Deno.test("a certificate or key takes the place of user name and password", () => {
  const rows: ["identity" | "subject", Peer, string][] = [
    ["identity", certificate, "lamp"],
    ["subject", certificate, "CN=lamp,O=Lab"],
    ["identity", { pskIdentity: "sensor7" }, "sensor7"],
  ];
  for (const [from, peer, userName] of rows) {
    const world = closedWorld();
    const client = arrive(world, from, peer, { userName: "root", password: "wrong" });
    assert.equal(client.expect("connack").reason, 0);
    assert.equal(world.broker.sessions.get("c")!.userName, userName);
    assert.ok(world.log.some((line) => line.endsWith(`u'${userName}').`)), world.log.join("\n"));
  }
});

Deno.test("the log says what a client has agreed on with our TLS", () => {
  for (const version of [4, 5] as const) {
    const world = new World();
    const peer = { tlsVersion: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256", certificateName: "a" };
    arrive(world, "identity", peer, {}, version).expect("connack");
    const at = world.log.findIndex((line) => line.startsWith("New client connected"));
    assert.equal(
      world.log[at + 1],
      "Client c negotiated TLSv1.3 cipher TLS_AES_128_GCM_SHA256",
    );
  }
});

Deno.test("who has proven no name is refused, whatever the CONNECT says", () => {
  const rows: ["identity" | "subject", Peer | null][] = [
    ["identity", null],
    ["identity", {}],
    ["identity", { certificateName: "" }],
    ["subject", { pskIdentity: "sensor7" }],
  ];
  for (const [from, peer] of rows) {
    const fields = { userName: "root", password: "right" };
    assert.equal(arrive(new World(), from, peer, fields).expect("connack").reason, 0x86);
    assert.equal(arrive(new World(), from, peer, fields, 4).expect("connack").reason, 4);
  }
});

Deno.test("rights and the Client Identifier follow the name that was proven", () => {
  const seen: (string | undefined)[] = [];
  const access = hookAccess(
    { authorizePublish: ({ userName }) => seen.push(userName) > 0 },
    true,
    () => {},
  );
  const world = new World({ access });
  const listener = {
    ...defaultListener,
    userNameFrom: "identity" as const,
    useUsernameAsClientid: true,
  };
  const client = world.open(5, listener);
  client.peer = certificate;
  client.send(connect(5, { clientId: "other", userName: "root" }));
  client.publish({ topic: "t" });
  assert.deepEqual(seen, ["lamp"]);
  assert.deepEqual([...world.broker.sessions].map(({ clientId }) => clientId), ["lamp"]);
});
