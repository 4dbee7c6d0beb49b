import assert from "node:assert/strict";
import { BrokerProcess, freePort, withDirectory } from "../support/broker_process.ts";
import { concat, publish, subscribe } from "../support/packets.ts";
import { TcpClient } from "../support/tcp_client.ts";
import { answer, withAndWithout } from "./with_and_without.ts";

const COUNT = 24, RATE = 10;
/** What goes beyond a second's worth cannot come sooner, however fast the machine is. */
const SOONEST_MS = (COUNT - RATE - 1) / RATE * 1000 - 50;

/** Publishes messages of 100 bytes at QoS 1; returns when all are acknowledged how long it took, in ms. */
async function publishing(port: number, userName?: string): Promise<number> {
  const fields = { clientId: crypto.randomUUID(), ...(userName !== undefined && { userName }) };
  await using client = await TcpClient.connect(port, 4, fields);
  const payload = "m".repeat(100);
  const message = (packetId: number) => publish(4, { topic: "t", qos: 1, packetId, payload });
  const startedAtMs = performance.now();
  void client.send(concat(...Array.from({ length: COUNT }, (_, index) => message(index + 1))));
  for (let index = 0; index < COUNT; index++) await client.next("puback");
  return performance.now() - startedAtMs;
}

const TITLES = [
  "client_message_rate: what is beyond it is read later, and nothing is lost",
  "client_byte_rate: what is beyond it is read later, and nothing is lost",
  "user_message_rate: what is beyond it is read later, and nothing is lost",
  "user_byte_rate: what is beyond it is read later, and nothing is lost",
  "listener_message_rate: what is beyond it is read later, and nothing is lost",
  "listener_byte_rate: what is beyond it is read later, and nothing is lost",
];
for (const title of TITLES) {
  const [option] = title.split(":");
  const line = `${option} ${option.endsWith("byte_rate") ? RATE * 100 : RATE}`;
  Deno.test(title, () =>
    withDirectory(async (directory) => {
      // The limited listener stands last: an option of a listener is that of the one above it.
      const port = freePort();
      const listener = [`listener ${port} 127.0.0.1`, "listener_allow_anonymous true"];
      await using _broker = await BrokerProcess.start(directory, {
        configuration: [...listener, line],
      });
      assert.ok(await publishing(port, "u") >= SOONEST_MS);
    }));
}

Deno.test("login_failures_per_minute: after so many, an attempt waits beyond its time", () =>
  withAndWithout(
    (directory) => {
      Deno.writeTextFileSync(`${directory}/passwords`, "", { mode: 0o600 });
      return [
        `password_file ${directory}/passwords`,
        "login_failures_per_minute 1",
        "connect_timeout 1",
      ];
    },
    async ({ set }) => {
      const attempt = (userName: string) =>
        answer(set.port, 5, { clientId: "c", userName, password: "wrong" });
      const answers: (number | undefined)[] = [];
      for (let count = 0; count < 3; count++) answers.push((await attempt("ann"))?.reason);
      assert.deepEqual(answers, [0x87, 0x87, undefined]);
      assert.equal((await attempt("bob"))?.reason, 0x87, "another name does not wait");
    },
  ));

Deno.test("memory_limit: a message beyond it ends its sender's connection", () =>
  withAndWithout(() => ["memory_limit 2500000"], async ({ set, plain }) => {
    const ending = async (port: number) => {
      {
        await using sleeper = await TcpClient.connect(port, 4, { clientId: "away", clean: false });
        void sleeper.send(subscribe(4, { filters: [["t", 1]] }));
        await sleeper.next("suback");
      }
      await using client = await TcpClient.connect(port, 5, { clientId: "publisher" });
      for (let packetId = 1; packetId <= 5; packetId++) {
        const payload = "m".repeat(1_000_000);
        void client.send(publish(5, { topic: "t", qos: 1, packetId, payload }));
        const { type, reason } = await client.next();
        if (type === "disconnect") return reason;
      }
      return 0;
    };
    assert.deepEqual([await ending(set.port), await ending(plain.port)], [0x97, 0]);
  }));
