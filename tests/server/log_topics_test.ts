import assert from "node:assert/strict";
import { LogTopics } from "../../src/server/log_topics.ts";
import type { LogType } from "../../src/log.ts";

interface Published {
  topic: string;
  payload: Uint8Array;
  qos?: number;
  retain?: boolean;
  messageExpirySeconds?: number;
}

/** A broker that only publishes; `during` runs in the middle of it. */
function broker(during: () => void = () => {}) {
  const published: Published[] = [];
  return {
    published,
    publishMessage: (message: Published) => {
      published.push(message);
      during();
      return false;
    },
    texts: () =>
      published.map(({ topic, payload }) => `${topic} ${new TextDecoder().decode(payload)}`),
  };
}

/** What is to be done at the end of this turn is done. */
const turn = () => Promise.resolve();

Deno.test("lines are published by their type, QoS 2, not retained, for 20 seconds", async () => {
  const topics = new LogTopics();
  const one = broker();
  topics.attach(one);
  const types: LogType[] = [
    "error",
    "warning",
    "notice",
    "information",
    "subscribe",
    "unsubscribe",
    "debug",
    "internal",
    "websockets",
  ];
  for (const type of types) topics.write(type, `a ${type} line`);
  assert.deepEqual(one.published, [], "not in the middle of what the broker does");
  await turn();
  assert.deepEqual(one.texts(), [
    "$SYS/broker/log/E a error line",
    "$SYS/broker/log/W a warning line",
    "$SYS/broker/log/N a notice line",
    "$SYS/broker/log/I a information line",
    "$SYS/broker/log/M/subscribe a subscribe line",
    "$SYS/broker/log/M/unsubscribe a unsubscribe line",
  ]);
  for (const { qos, retain, messageExpirySeconds } of one.published) {
    assert.deepEqual([qos, retain ?? false, messageExpirySeconds], [2, false, 20]);
  }
});

Deno.test("what publishing a line logs is not published in turn", async () => {
  const topics = new LogTopics();
  const one = broker(() => topics.write("notice", "dropped"));
  topics.attach(one);
  topics.write("notice", "first");
  await turn();
  await turn();
  topics.write("notice", "second");
  await turn();
  assert.deepEqual(one.texts(), ["$SYS/broker/log/N first", "$SYS/broker/log/N second"]);
});

Deno.test("lines from before the broker is there are published when it is, up to a bound", async () => {
  const topics = new LogTopics();
  for (let line = 0; line < 1500; line++) topics.write("notice", String(line));
  const one = broker();
  topics.attach(one);
  await turn();
  assert.equal(one.published.length, 1000);
  assert.equal(one.texts()[0], "$SYS/broker/log/N 0");
});

Deno.test("nothing is published to a broker that stops", async () => {
  const topics = new LogTopics();
  const one = broker();
  topics.attach(one);
  topics.write("notice", "x");
  topics.detach();
  topics.write("notice", "y");
  await turn();
  assert.deepEqual(one.published, []);
});
