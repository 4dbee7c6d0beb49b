import assert from "node:assert/strict";
import type { Rate } from "../../src/session/rate_limit.ts";
import type { Settings } from "../../src/session/ports.ts";
import { hookAccess } from "../support/access.ts";
import { concat, connect, pingreq, publish } from "../support/packets.ts";
import { defaultListener, defaultSettings, type FakeClient, World } from "../support/world.ts";

const none: Rate = { messages: 0, bytes: 0 };

/** A world with these rates, and someone who sees what is published. */
function scene(settings: Partial<Settings>, listener: Rate = none) {
  const world = new World({ settings });
  const watcher = world.connect(5, { clientId: "watcher" }, { ...defaultListener, number: 9 });
  watcher.subscribe("#", 0);
  const limited = { ...defaultListener, number: 1, rate: listener };
  const client = (clientId: string, userName?: string) =>
    world.connect(4, userName === undefined ? { clientId } : { clientId, userName }, limited);
  return { world, client, seen: () => watcher.receiveOf("publish").length };
}

const messages = (count: number, qos = 0, size = 1) =>
  concat(
    ...Array.from({ length: count }, (_, index) =>
      publish(4, {
        topic: "t",
        payload: "m".repeat(size),
        ...(qos > 0 && { qos, packetId: index + 1 }),
      })),
  );

Deno.test("a client publishes no more than its rate, and loses nothing", () => {
  for (const qos of [0, 1] as const) {
    const { world, client, seen } = scene({ clientRate: { messages: 10, bytes: 0 } });
    const publisher = client("p");
    publisher.send(messages(30, qos));
    assert.equal(seen(), 11, "a second's worth at once, and the one that overdraws");
    world.advanceMs(1000);
    assert.equal(seen(), 10);
    world.advanceMs(1000);
    assert.equal(seen(), 9);
    world.advanceMs(1000);
    publisher.expectOpen();
    if (qos === 1) assert.equal(publisher.receiveOf("puback").length, 30);
  }
});

Deno.test("payload bytes are held to a rate of their own", () => {
  const { world, client, seen } = scene({ clientRate: { messages: 0, bytes: 1000 } });
  client("p").send(messages(10, 0, 500));
  assert.equal(seen(), 3);
  world.advanceMs(1000);
  assert.equal(seen(), 2);
});

Deno.test("each client has its own rate, those of a user share one", () => {
  const rate = { messages: 10, bytes: 0 };
  const each = scene({ clientRate: rate });
  for (const name of ["a", "b"]) each.client(name, "u").send(messages(20));
  assert.equal(each.seen(), 22);
  const shared = scene({ userRate: rate });
  for (const name of ["a", "b"]) shared.client(name, "u").send(messages(20));
  shared.client("c", "other").send(messages(5));
  shared.client("d").send(messages(7));
  assert.equal(shared.seen(), 11 + 1 + 5 + 7);
});

Deno.test("the clients of a listener share its rate, others do not", () => {
  const { client, seen, world } = scene({}, { messages: 10, bytes: 0 });
  for (const name of ["a", "b"]) client(name).send(messages(20));
  world.connect(4, { clientId: "elsewhere" }).send(messages(20));
  assert.equal(seen(), 11 + 1 + 20);
});

Deno.test("a client that is held back is not taken for silent, and gets its PINGRESP", () => {
  const { world, client } = scene({ clientRate: { messages: 0, bytes: 1 } });
  const publisher = client("p");
  publisher.send(messages(1, 0, 1_000_000), pingreq());
  publisher.expectNothing();
  world.advanceSeconds(5);
  assert.deepEqual(publisher.receive().map(({ type }) => type), ["pingresp"]);
  publisher.send(messages(1));
  world.advanceSeconds(4);
  publisher.send(pingreq());
  publisher.expectNothing();
  world.advanceSeconds(1);
  publisher.expect("pingresp");
});

Deno.test("rates may be changed while clients are connected", () => {
  const { world, client, seen } = scene({});
  const publisher = client("p");
  publisher.send(messages(100));
  assert.equal(seen(), 100);
  world.broker.configure({ ...defaultSettings, clientRate: { messages: 10, bytes: 0 } });
  publisher.send(messages(100));
  assert.equal(seen(), 11);
  world.broker.configure(defaultSettings);
  world.advanceSeconds(1);
  assert.equal(seen(), 89);
});

/** A world in which "good" is the right password, and addresses may fail three times a minute. */
function guarded(loginFailuresPerMinute: number) {
  const access = hookAccess(
    { authenticate: (_client, password) => new TextDecoder().decode(password) === "good" },
    false,
    () => {},
  );
  const world = new World({ access, settings: { loginFailuresPerMinute } });
  const attempt = (password: string) =>
    world.open(4).send(connect(4, { clientId: "c", userName: "u", password }));
  const answers = (client: FakeClient) => client.receiveOf("connack").map(({ reason }) => reason);
  return { world, attempt, answers };
}

Deno.test("an address that fails too often is slowed down, and forgiven in time", () => {
  const { world, attempt, answers } = guarded(6);
  for (let count = 0; count < 6; count++) assert.deepEqual(answers(attempt("bad")), [5]);
  const [first, second, third] = [attempt("bad"), attempt("good"), attempt("bad")];
  assert.deepEqual(answers(first), [5], "the first is looked at, and counts");
  assert.deepEqual([second, third].map(answers), [[], []]);
  world.advanceSeconds(10);
  assert.deepEqual([second, third].map(answers), [[0], []]);
  world.advanceSeconds(10);
  assert.deepEqual(answers(third), [5]);
  world.advanceSeconds(60);
  assert.deepEqual(answers(attempt("good")), [0]);
});

Deno.test("without a limit, and where nothing fails, nobody waits", () => {
  const { attempt, answers } = guarded(0);
  for (let count = 0; count < 100; count++) assert.deepEqual(answers(attempt("bad")), [5]);
  const limited = guarded(3);
  for (let count = 0; count < 100; count++) {
    assert.deepEqual(limited.answers(limited.attempt("good")), [0]);
  }
});

Deno.test("nothing is kept of who is made to wait and vanishes, or is cut off meanwhile", () => {
  const { world, attempt } = guarded(1);
  attempt("bad");
  attempt("bad");
  const [vanishing, waiting] = [attempt("bad"), attempt("bad")];
  assert.ok(vanishing.connection.resumption !== null && waiting.connection.resumption !== null);
  vanishing.vanish();
  assert.equal(vanishing.connection.resumption, null);
  world.advanceSeconds(31);
  waiting.expectClosed();
  assert.equal(waiting.connection.resumption, null);
});
