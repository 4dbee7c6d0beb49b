import assert from "node:assert/strict";
import mqtt from "mqtt";
import { Hono } from "hono";
import {
  type Broker,
  ConfigurationError,
  createBroker,
  ListenError,
  type Message,
  StoreError,
} from "../../mod.ts";
import handler from "../../mod.ts";

/** Options of a broker on a free port of this machine. */
const onLoopback = { listeners: [{ port: 0, address: "127.0.0.1" }] };

async function connect(broker: Broker, options: mqtt.IClientOptions = {}) {
  const { hostname, port } = broker.address();
  const client = mqtt.connect(`mqtt://${hostname}:${port}`, { reconnectPeriod: 0, ...options });
  const end = async () => {
    await client.endAsync();
    // The client's store closes itself in a timer.
    await new Promise((resolve) => setTimeout(resolve, 0));
  };
  try {
    await new Promise<void>((resolve, reject) => {
      client.once("connect", () => resolve());
      client.once("error", reject);
    });
  } catch (error) {
    await end();
    throw error;
  }
  return Object.assign(client, { [Symbol.asyncDispose]: end });
}

function nextMessage(client: mqtt.MqttClient): Promise<[topic: string, payload: string]> {
  return new Promise((resolve) =>
    client.once("message", (topic, payload) => resolve([topic, payload.toString()]))
  );
}

Deno.test("a client publishes to a callback and gets what the program publishes", async () => {
  await using broker = await createBroker(onLoopback);
  const received = Promise.withResolvers<Message>();
  broker.subscribe("in/#", received.resolve);
  await using client = await connect(broker, { protocolVersion: 5 });
  await client.subscribeAsync("out/#", { qos: 1 });
  await client.publishAsync("in/a", "21.5", {
    qos: 1,
    properties: { contentType: "text/plain", userProperties: { unit: "C" } },
  });
  const message = await received.promise;
  assert.equal(message.topic, "in/a");
  assert.equal(message.text(), "21.5");
  assert.equal(message.properties.contentType, "text/plain");
  assert.deepEqual(message.properties.userProperties, [["unit", "C"]]);
  const got = nextMessage(client);
  assert.ok(broker.publish("out/b", "hello", { qos: 1 }));
  assert.deepEqual(await got, ["out/b", "hello"]);
});

Deno.test("without a listener the program talks to itself, and retained messages come first", async () => {
  await using broker = await createBroker();
  assert.throws(() => broker.address(), /no listener/);
  assert.equal(broker.publish("nobody/listens", "x"), false);
  broker.publish("room/temperature", "20", { retain: true });
  const seen: string[] = [];
  const subscription = broker.subscribe("room/+");
  broker.publish("room/temperature", "21");
  for await (const message of subscription) {
    seen.push(`${message.text()}${message.retain ? " retained" : ""}`);
    if (seen.length === 2) break;
  }
  assert.deepEqual(seen, ["20 retained", "21"]);
  // The loop has ended the subscription.
  assert.equal(broker.publish("room/temperature", "22"), false);
});

Deno.test("a subscription ends with `using` and with the broker", async () => {
  const broker = await createBroker();
  {
    using _subscription = broker.subscribe("a", () => {});
    assert.ok(broker.publish("a", ""));
  }
  assert.equal(broker.publish("a", ""), false);
  const endless = (async () => {
    for await (const message of broker.subscribe("never")) assert.fail(message.topic);
  })();
  await broker.close();
  await endless;
});

Deno.test("names and filters that MQTT does not have are refused", async () => {
  await using broker = await createBroker();
  assert.throws(() => broker.publish("a/#", "x"), TypeError);
  assert.throws(() => broker.publish("", "x"), TypeError);
  assert.throws(() => broker.subscribe("a/#/b"), TypeError);
  assert.throws(() => broker.subscribe("$share/group"), TypeError);
});

Deno.test("options are checked, all mistakes at once", async () => {
  await assert.rejects(
    createBroker({ maxKeepalive: -5, maxQoS: 3 } as Parameters<typeof createBroker>[0]),
    (error: Error) => /maxQoS/.test(error.message) && /maxKeepalive/.test(error.message),
  );
});

Deno.test("several brokers live in one process, and ports that are taken are told", async () => {
  await using first = await createBroker(onLoopback);
  await using second = await createBroker(onLoopback);
  assert.notEqual(first.address().port, second.address().port);
  let heard = 0;
  second.subscribe("#", () => heard++);
  first.publish("a", "x");
  await assert.rejects(
    createBroker({ listeners: [{ port: first.address().port, address: "127.0.0.1" }] }),
    { name: "ListenError" },
  );
  assert.equal(heard, 0);
});

Deno.test("what a start fails of is told by the class of its error", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const aclFile = `${directory}/acl`;
    Deno.writeTextFileSync(aclFile, "topic sometimes a\ntopic never b\n", { mode: 0o600 });
    await assert.rejects(createBroker({ aclFile }), (error) => {
      assert(error instanceof ConfigurationError);
      assert.deepEqual(error.mistakes.map(({ file, line }) => [file, line]), [
        [aclFile, 1],
        [aclFile, 2],
      ]);
      assert.match(error.message, /acl:1: .*\n.*acl:2: /);
      return true;
    });
    const kept = { persistence: true, persistenceLocation: directory };
    await using first = await createBroker({ ...onLoopback, ...kept });
    await assert.rejects(createBroker(kept), StoreError);
    const { port } = first.address();
    await assert.rejects(
      createBroker({ listeners: [{ port, address: "127.0.0.1" }] }),
      ListenError,
    );
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("hooks decide, at once or later", async () => {
  const asked: string[] = [];
  await using broker = await createBroker({
    ...onLoopback,
    async authenticate(client, password) {
      await Promise.resolve();
      asked.push(`${client.clientId} ${client.userName}`);
      return new TextDecoder().decode(password) === "secret";
    },
    authorizePublish: (client, message) => message.topic.startsWith(`${client.userName}/`),
    async authorizeSubscribe(_client, { filter }) {
      await Promise.resolve();
      return filter === "secret/#" ? false : 1;
    },
  });
  const known = { clientId: "one", username: "ann", password: "secret" };
  await assert.rejects(connect(broker, { ...known, password: "wrong" }));
  await using client = await connect(broker, { ...known, protocolVersion: 5 });
  assert.deepEqual(asked, ["one ann", "one ann"]);

  const heard: string[] = [];
  broker.subscribe("#", (message) => heard.push(message.topic));
  const granted = await client.subscribeAsync({ "open/#": { qos: 2 }, "secret/#": { qos: 0 } })
    .catch((error) => error);
  assert.match(String(granted), /Not authorized|135|Unspecified/i);
  await assert.rejects(client.publishAsync("bob/x", "no", { qos: 1 }), /Not authorized/i);
  await client.publishAsync("ann/x", "yes", { qos: 1 });
  assert.deepEqual(heard, ["ann/x"]);
});

Deno.test("while a hook takes its time, what the client sends waits in order", async () => {
  const gate = Promise.withResolvers<boolean>();
  const order: string[] = [];
  await using broker = await createBroker({
    ...onLoopback,
    authorizePublish: (_client, { topic }) => {
      order.push(topic);
      return topic === "slow" ? gate.promise : true;
    },
  });
  const heard: string[] = [];
  broker.subscribe("#", (message) => heard.push(message.topic));
  await using client = await connect(broker);
  const published = ["slow", "fast", "last"].map((topic) =>
    client.publishAsync(topic, "x", { qos: 1 })
  );
  await using other = await connect(broker, { clientId: "other" });
  await other.publishAsync("elsewhere", "x", { qos: 1 });
  assert.deepEqual(order.filter((topic) => topic !== "elsewhere"), ["slow"]);
  gate.resolve(true);
  await Promise.all(published);
  assert.deepEqual(heard.filter((topic) => topic !== "elsewhere"), ["slow", "fast", "last"]);
});

Deno.test("a hook that fails refuses and is named in the log, and the broker lives on", async () => {
  const lines: string[] = [];
  await using broker = await createBroker({
    ...onLoopback,
    log: (line) => lines.push(line),
    authenticate: (client) => {
      if (client.clientId === "bad") throw new Error("the hook broke");
      return true;
    },
  });
  await assert.rejects(connect(broker, { clientId: "bad" }));
  await using _good = await connect(broker, { clientId: "good" });
  const errors = lines.filter((line) => line.includes("Error: "));
  assert.match(errors[0], /^\d+: Error: the program's hook authenticate: Error: the hook broke\n/);
  assert.ok(!errors.some((line) => line.includes("a defect in the broker")), errors.join(""));
});

Deno.test("events tell who comes, goes, subscribes and publishes", async () => {
  await using broker = await createBroker(onLoopback);
  const events: string[] = [];
  const gone = Promise.withResolvers<void>();
  broker.on("connect", ({ client }) => events.push(`connect ${client.clientId}`))
    .on("subscribe", ({ client, filter, qos }) => {
      events.push(`subscribe ${client.clientId} ${filter} ${qos}`);
    })
    .on("publish", ({ client, message }) => {
      if (client !== null) events.push(`publish ${client.clientId} ${message.text()}`);
    })
    .on("disconnect", ({ client, reason }) => {
      events.push(`disconnect ${client.clientId} ${reason}`);
      gone.resolve();
    });
  const client = await connect(broker, { clientId: "c" });
  await client.subscribeAsync("a", { qos: 1 });
  await client.publishAsync("a", "x", { qos: 1 });
  await client.endAsync();
  await gone.promise;
  assert.deepEqual(events, [
    "connect c",
    "subscribe c a 1",
    "publish c x",
    "disconnect c undefined",
  ]);
});

Deno.test("persistence keeps what was acknowledged for the next broker", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const options = { ...onLoopback, persistence: true, persistenceLocation: directory };
    {
      await using broker = await createBroker(options);
      const client = await connect(broker, { clientId: "away", clean: false });
      await client.subscribeAsync("q/#", { qos: 1 });
      await client.endAsync();
      broker.publish("q/1", "kept", { qos: 1 });
      await assert.rejects(createBroker(options), { name: "StoreError" });
    }
    await using broker = await createBroker(options);
    const { hostname, port } = broker.address();
    const client = mqtt.connect(`mqtt://${hostname}:${port}`, { clientId: "away", clean: false });
    assert.deepEqual(await nextMessage(client), ["q/1", "kept"]);
    await client.endAsync();
    await new Promise((resolve) => setTimeout(resolve, 0));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("the HTTP interface can be mounted in another app", async () => {
  await using broker = await createBroker();
  const app = new Hono().route("/mqtt", broker.app);
  const answer = await app.request("http://localhost/mqtt/readyz");
  assert.equal(answer.status, 200);
  assert.deepEqual(await answer.json(), { ready: true, reason: "" });
});

Deno.test("anonymous clients are let in on loopback alone, unless the options say so", async () => {
  await using open = await createBroker(onLoopback);
  await using _client = await connect(open);
  await using closed = await createBroker({ listeners: [{ port: 0 }] });
  await assert.rejects(connect(closed), /Not authorized/);
});

Deno.test({
  name: "`deno serve mod.ts` answers health",
  // The broker behind the default export lives as long as the process.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const answer = await handler.fetch(new Request("http://localhost/healthz"));
    assert.equal(answer.status, 200);
    await answer.body?.cancel();
  },
});
