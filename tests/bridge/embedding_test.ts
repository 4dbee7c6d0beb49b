import assert from "node:assert/strict";
import { createBroker, type Message } from "../../mod.ts";

Deno.test("a program joins two brokers by a bridge", async () => {
  await using remote = await createBroker({ listeners: [{ port: 0, address: "127.0.0.1" }] });
  const log: string[] = [];
  await using local = await createBroker({
    log: (line) => log.push(line),
    bridges: [{
      name: "there",
      address: [{ address: "127.0.0.1", port: remote.address().port }],
      topic: [{ pattern: "a/#", direction: "both", qos: 1, remotePrefix: "far/" }],
      bridgeProtocolVersion: "mqttv50",
      restartTimeout: { baseSeconds: 1, capSeconds: 1, stableSeconds: 0 },
      remoteClientid: "one",
    }],
  });
  const up = Promise.withResolvers<void>();
  using _state = remote.subscribe("$SYS/broker/connection/one/state", (message) => {
    if (message.text() === "1") up.resolve();
  });
  await up.promise;
  const next = (broker: typeof local, filter: string) =>
    new Promise<Message>((resolve) => {
      const subscription = broker.subscribe(filter, (message) => {
        subscription.unsubscribe();
        resolve(message);
      });
    });
  const there = next(remote, "far/a/1");
  local.publish("a/1", "out", { qos: 1, userProperties: [["k", "v"]] });
  const message = await there;
  assert.equal(message.text(), "out");
  assert.deepEqual(message.properties.userProperties, [["k", "v"]]);
  const here = next(local, "a/2");
  remote.publish("far/a/2", "in", { qos: 1 });
  assert.equal((await here).text(), "in");
  assert.ok(log.some((line) => line.includes("Bridge there is connected")));
});

Deno.test("a mapping that would feed itself is refused with every other mistake", async () => {
  const address = [{ address: "127.0.0.1", port: 1 }];
  await assert.rejects(
    () =>
      createBroker({
        bridges: [
          { name: "a", address, topic: [{ pattern: "#", direction: "out" }] },
          { name: "b", address, topic: [{ pattern: "#", direction: "in" }] },
        ],
      }),
    /Bridges a and b would feed each other through 127\.0\.0\.1:1: # goes out as # and comes in as #/,
  );
});
