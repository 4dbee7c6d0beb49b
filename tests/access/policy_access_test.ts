import assert from "node:assert/strict";
import { DEFER, type Policy } from "../../src/access/policy.ts";
import { PolicyAccess, type Security } from "../../src/access/policy_access.ts";
import type { Identity } from "../../src/session/ports.ts";
import { Publish } from "../../src/wire/publish.ts";
import { Reason } from "../../src/wire/reason.ts";
import { ack, connect, raw, subscribe, unsubscribe } from "../support/packets.ts";
import { defaultListener, type FakeClient, World } from "../support/world.ts";

const faults: string[] = [];
const request = {
  filter: "a",
  qos: 1 as const,
  noLocal: false,
  retainAsPublished: false,
  retainHandling: 0 as const,
};

function identity(userName?: string, number = 0): Identity {
  return {
    clientId: "c",
    userName,
    remoteAddress: "127.0.0.1:1",
    isCertified: false,
    version: 5,
    listener: { ...defaultListener, number },
  };
}

function accessOf(...securities: Security[]): PolicyAccess {
  faults.length = 0;
  return new PolicyAccess(securities, (_error, doing) => void faults.push(doing));
}

function policy(parts: Partial<Policy>): Policy {
  return { name: "test", publishIsRemembered: true, ...parts };
}

const never = () => assert.fail("answered at once");

Deno.test("without a policy only allow_anonymous decides who comes in", () => {
  for (const allowAnonymous of [true, false]) {
    const access = accessOf({ allowAnonymous, policies: [] });
    const expected = allowAnonymous ? Reason.Success : Reason.NotAuthorized;
    assert.equal(access.authenticate(identity(), undefined, never), expected);
    assert.equal(access.authenticate(identity("u"), undefined, never), expected);
    assert.equal(access.mayReceive(identity(), "t"), true);
    assert.equal(access.maySubscribe(identity(), request, never), 1);
    assert.deepEqual([access.checksPublish, access.checksReceive], [false, false]);
  }
});

Deno.test("where all policies defer, the nameless are anonymous and the named refused", () => {
  const policies = [policy({
    authenticate: () => DEFER,
    mayPublish: () => DEFER,
    mayReceive: () => DEFER,
    maySubscribe: () => DEFER,
    mayUnsubscribe: () => DEFER,
  })];
  const access = accessOf({ allowAnonymous: true, policies });
  assert.equal(access.authenticate(identity(), undefined, never), Reason.Success);
  assert.equal(access.authenticate(identity("u"), undefined, never), Reason.NotAuthorized);
  assert.equal(access.mayPublish(identity(), "t", Publish.of({ payload: raw("") }), never), false);
  assert.equal(access.mayReceive(identity(), "t"), false);
  assert.equal(access.maySubscribe(identity(), request, never), Reason.NotAuthorized);
  assert.equal(access.mayUnsubscribe(identity(), "t"), Reason.NotAuthorized);
});

Deno.test("the first policy that does not defer decides, also when it does so later", async () => {
  const asked: string[] = [];
  const policies = [
    policy({ authenticate: () => Promise.resolve(asked.push("first") && DEFER) }),
    policy({ authenticate: () => asked.push("second") && DEFER }),
    policy({ authenticate: () => asked.push("third") && Reason.Banned }),
    policy({ authenticate: () => asked.push("fourth") && Reason.Success }),
  ];
  const access = accessOf({ allowAnonymous: true, policies });
  const decided = await new Promise((resolve) =>
    assert.equal(access.authenticate(identity("u"), undefined, resolve), undefined)
  );
  assert.equal(decided, Reason.Banned);
  assert.deepEqual(asked, ["first", "second", "third"]);
});

Deno.test("a policy that throws or rejects refuses, and is reported", async () => {
  const policies = [policy({
    authenticate: () => Promise.reject(new Error("down")),
    mayReceive: () => {
      throw new Error("broken");
    },
  })];
  const access = accessOf({ allowAnonymous: true, policies });
  const decided = await new Promise((resolve) =>
    access.authenticate(identity(), undefined, resolve)
  );
  assert.equal(decided, Reason.ServerUnavailable);
  assert.equal(access.mayReceive(identity(), "t"), false);
  assert.deepEqual(faults, ["in authenticate of test", "in authorizeReceive of test"]);
});

Deno.test("each listener has its own policies", () => {
  const access = accessOf(
    { allowAnonymous: false, policies: [] },
    { allowAnonymous: false, policies: [policy({ authenticate: () => Reason.Success })] },
  );
  assert.equal(access.authenticate(identity("u", 0), undefined, never), Reason.NotAuthorized);
  assert.equal(access.authenticate(identity("u", 1), undefined, never), Reason.Success);
});

/** A world in which these topics may be received, and how often that was asked. */
function readers(allowed: Set<string>) {
  let asked = 0;
  const access = accessOf({
    allowAnonymous: true,
    policies: [policy({
      mayReceive: ({ clientId }, topic) => {
        asked++;
        return clientId === "publisher" || allowed.has(topic);
      },
    })],
  });
  return { access, world: new World({ access }), asked: () => asked };
}

const topics = (client: FakeClient) => client.receiveOf("publish").map(({ topic }) => topic);

Deno.test("what a client may not receive is not delivered: live, retained, queued, shared", () => {
  const allowed = new Set(["open"]);
  const { world, access } = readers(allowed);
  const publisher = world.connect(5, { clientId: "publisher" });
  const lasting = { clientId: "reader", clean: false };
  let reader = world.connect(4, lasting);
  reader.subscribe("#", 1);
  const both = () => {
    publisher.publish({ topic: "secret", qos: 1, packetId: 1, retain: true, payload: "m" });
    publisher.publish({ topic: "open", qos: 1, packetId: 2, retain: true, payload: "m" });
    // Denied is not unmatched: the publisher learns nothing of it.
    assert.deepEqual(publisher.receiveOf("puback").map(({ reason }) => reason), [0, 0]);
  };
  both();
  assert.deepEqual(topics(reader), ["open"], "live");
  reader.send(ack("puback", 1));
  reader.send(subscribe(4, { filters: [["+", 0]] }));
  assert.deepEqual(topics(reader), ["open"], "retained");

  allowed.add("secret");
  access.changed();
  reader.vanish();
  both();
  allowed.delete("secret");
  access.changed();
  reader = world.open(4).send(connect(4, lasting));
  assert.deepEqual(topics(reader), ["open"], "queued");
  assert.equal(world.broker.sessions.get("reader")!.outbound.queued, 0);
});

Deno.test("a message in flight that may no longer be received is not sent again", () => {
  const allowed = new Set(["t"]);
  const { world, access } = readers(allowed);
  const lasting = { clientId: "reader", clean: false };
  let reader = world.connect(4, lasting);
  reader.subscribe("t", 2);
  world.connect(5, { clientId: "publisher" }).publish({ topic: "t", qos: 1, packetId: 1 });
  assert.deepEqual(topics(reader), ["t"]);
  reader.vanish();
  allowed.clear();
  access.changed();
  reader = world.open(4).send(connect(4, lasting));
  assert.deepEqual(topics(reader), []);
  assert.equal(world.broker.sessions.get("reader")!.outbound.inFlight, 0);
});

Deno.test("a shared message goes to a member who may receive it", () => {
  const access = accessOf({
    allowAnonymous: true,
    policies: [policy({ mayReceive: ({ clientId }) => clientId === "b" })],
  });
  const world = new World({ access });
  const members = ["a", "b", "c"].map((clientId) => world.connect(5, { clientId }));
  for (const member of members) member.subscribe("$share/g/t");
  const publisher = world.connect(5, { clientId: "publisher" });
  for (let count = 0; count < 3; count++) publisher.publish({ topic: "t" });
  assert.deepEqual(members.map((member) => topics(member).length), [0, 3, 0]);
});

Deno.test("rights are asked for once per topic, until they change", () => {
  const { world, access, asked } = readers(new Set(["t"]));
  const reader = world.connect(5, { clientId: "reader" });
  reader.subscribe("#");
  const publisher = world.connect(5, { clientId: "publisher" });
  for (let count = 0; count < 5; count++) publisher.publish({ topic: "t" });
  assert.equal(topics(reader).length, 5);
  assert.equal(asked(), 1);
  access.changed();
  publisher.publish({ topic: "t" });
  assert.equal(asked(), 2);
});

Deno.test("a remembered right to publish is asked for again after a change", () => {
  let allowed = true, asked = 0;
  const access = accessOf({
    allowAnonymous: true,
    policies: [policy({ mayPublish: () => ++asked > 0 && allowed })],
  });
  const world = new World({ access });
  const client = world.connect(5);
  const reasons = () => client.receiveOf("puback").map(({ reason }) => reason);
  client.publish({ topic: "t", qos: 1, packetId: 1 }).publish({ topic: "t", qos: 1, packetId: 2 });
  assert.deepEqual(reasons(), [0x10, 0x10]);
  assert.equal(asked, 1);
  allowed = false;
  client.publish({ topic: "t", qos: 1, packetId: 3 });
  assert.deepEqual(reasons(), [0x10]);
  access.changed();
  client.publish({ topic: "t", qos: 1, packetId: 4 });
  assert.deepEqual(reasons(), [0x87]);
});

Deno.test("an UNSUBSCRIBE may be refused", () => {
  const access = accessOf({
    allowAnonymous: true,
    policies: [
      policy({
        mayUnsubscribe: (_identity, filter) =>
          filter === "kept" ? Reason.NotAuthorized : Reason.Success,
      }),
    ],
  });
  const world = new World({ access });
  const client = world.connect(5);
  client.subscribe("kept");
  client.send(unsubscribe(5, { packetId: 2, filters: ["kept", "other"] }));
  assert.deepEqual(client.expect("unsuback").reasons, [0x87, 0x11]);
  client.publish({ topic: "kept" });
  assert.deepEqual(topics(client), ["kept"]);
});

Deno.test("check_retain_source withholds what its publisher may no longer publish", () => {
  for (const checkRetainSource of [true, false]) {
    let allowed = true;
    const access = accessOf({
      allowAnonymous: true,
      policies: [policy({ mayPublish: ({ userName }) => userName !== "writer" || allowed })],
    });
    const world = new World({ access, settings: { checkRetainSource } });
    const writer = world.connect(5, { clientId: "w", userName: "writer" });
    writer.publish({ topic: "t", retain: true, payload: "m" });
    writer.vanish();
    world.broker.publishMessage({ topic: "own", payload: raw("m"), retain: true });
    allowed = false;
    access.changed();
    const reader = world.connect(5, { clientId: "r" });
    reader.send(subscribe(5, { filters: [["#", 0]] }));
    assert.deepEqual(topics(reader).sort(), checkRetainSource ? ["own"] : ["own", "t"]);
  }
});

Deno.test("use_username_as_clientid and clientid_prefixes decide about the identifier", () => {
  const named = new World({ listener: { useUsernameAsClientid: true } });
  named.connect(5, { clientId: "sent", userName: "user" });
  assert.equal(named.broker.sessions.get("sent"), undefined);
  assert.notEqual(named.broker.sessions.get("user"), undefined);
  const nameless = named.open(5).send(connect(5, {}));
  assert.equal(nameless.expect("connack").reason, 0x87);

  const prefixed = new World({ settings: { clientidPrefix: "ok-" } });
  prefixed.connect(5, { clientId: "ok-1" });
  const other = prefixed.open(4).send(connect(4, { clientId: "no-1" }));
  assert.equal(other.expect("connack").reason, 5);
  const assigned = prefixed.open(5).send(connect(5, { clientId: "" }));
  assert.equal(assigned.expect("connack").reason, 0x87, "an assigned one is judged as well");
});

Deno.test("a user name of no characters is as good as none", () => {
  const knows = policy({
    authenticate: ({ userName }) => userName === undefined ? DEFER : Reason.NotAuthorized,
  });
  const access = accessOf({ allowAnonymous: true, policies: [knows] });
  const world = new World({ access });
  world.connect(5, { userName: "", password: "p" }).expectOpen();
  const named = world.open(5).send(connect(5, { userName: "u", password: "p" }));
  assert.equal(named.expect("connack").reason, Reason.NotAuthorized);
});

Deno.test("a policy that only refuses leaves the rest as if it were not there", () => {
  const veto = policy({
    onlyRefuses: true,
    authenticate: () => DEFER,
    mayPublish: (_identity, topic) => topic === "no" ? false : DEFER,
    mayReceive: () => DEFER,
    maySubscribe: () => DEFER,
    mayUnsubscribe: () => DEFER,
  });
  const alone = accessOf({ allowAnonymous: true, policies: [veto] });
  const publish = Publish.of({ payload: new Uint8Array() });
  assert.equal(alone.authenticate(identity("u"), undefined, never), Reason.Success);
  assert.equal(alone.mayPublish(identity(), "no", publish, never), false);
  assert.equal(alone.mayPublish(identity(), "yes", publish, never), true);
  assert.equal(alone.mayReceive(identity(), "t"), true);
  assert.equal(alone.maySubscribe(identity(), request, never), 1);
  assert.equal(alone.mayUnsubscribe(identity(), "t"), Reason.Success);
  const other = policy({ mayPublish: () => DEFER });
  const both = accessOf({ allowAnonymous: true, policies: [veto, other] });
  assert.equal(both.mayPublish(identity(), "yes", publish, never), false);
});

Deno.test("what a policy throws goes to the policy, if it takes it", () => {
  const failures: string[] = [];
  const throws = policy({
    mayPublish: () => {
      throw new Error("wrong");
    },
    failed: (error, doing) => void failures.push(`${doing}: ${(error as Error).message}`),
  });
  const access = accessOf({ allowAnonymous: true, policies: [throws] });
  const publish = Publish.of({ payload: new Uint8Array() });
  assert.equal(access.mayPublish(identity(), "t", publish, never), false);
  assert.deepEqual([failures, faults], [["authorizePublish: wrong"], []]);
});
