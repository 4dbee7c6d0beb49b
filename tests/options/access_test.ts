import assert from "node:assert/strict";
import { BrokerProcess, freePort, withDirectory } from "../support/broker_process.ts";
import { publish, subscribe } from "../support/packets.ts";
import { TcpClient } from "../support/tcp_client.ts";
import { answer, messages, withAndWithout } from "./with_and_without.ts";

/** joe, whose password is `correct horse`. */
const PASSWORDS =
  "joe:$6$9wtbvVxrVkbRnSwU$I9ibRd4lEJEtChK0rYHsGdM3FXauihWkHyd6hBoVJwzBt+tQ0UTJKwFgZohtveUfNkA6YWbQA2F7jv8FLnLc5w==\n";
const JOE = { userName: "joe", password: "correct horse" };

function write(directory: string, name: string, text: string): string {
  const path = `${directory}/${name}`;
  Deno.writeTextFileSync(path, text, { mode: 0o600 });
  return path;
}

Deno.test("options of access", (t) => {
  const own = freePort();
  return withAndWithout((directory) => [
    `password_file ${write(directory, "passwords", PASSWORDS)}`,
    `acl_file ${write(directory, "acl", "topic read open/#\nuser joe\ntopic open/#\n")}`,
    "acl_refuse_hopeless_subscriptions true",
    ...[`listener ${own} 127.0.0.1`, "listener_allow_anonymous false"],
  ], async ({ set, plain }) => {
    await t.step("password_file: a name needs its password", async () => {
      assert.equal((await answer(set.port, 4, JOE))?.reason, 0);
      assert.equal((await answer(set.port, 4, { ...JOE, password: "wrong" }))?.reason, 5);
      assert.equal((await answer(plain.port, 4, { ...JOE, password: "wrong" }))?.reason, 0);
    });
    await t.step("listener_allow_anonymous: false holds for this listener alone", async () => {
      assert.equal((await answer(own, 4))?.reason, 5);
      assert.equal((await answer(own, 4, JOE))?.reason, 0);
      assert.equal((await answer(set.port, 4))?.reason, 0);
    });
    await t.step("acl_file: what it does not grant does not pass", async () => {
      const passes = async (port: number) => {
        await using client = await TcpClient.connect(port, 4);
        void client.send(subscribe(4, { filters: [["#", 0]] }));
        await client.next("suback");
        void client.send(publish(4, { topic: "open/a", payload: "x" }));
        return (await messages(client)).length;
      };
      assert.deepEqual([await passes(set.port), await passes(plain.port)], [0, 1]);
    });
    await t.step("acl_refuse_hopeless_subscriptions: told in the SUBACK", async () => {
      const reasons = async (port: number) => {
        await using client = await TcpClient.connect(port, 5);
        void client.send(subscribe(5, { filters: [["open/a", 0], ["closed/a", 0]] }));
        return (await client.next("suback")).reasons;
      };
      assert.deepEqual(await reasons(set.port), [0, 0x87]);
      assert.deepEqual(await reasons(plain.port), [0, 0]);
    });
  });
});

Deno.test("per_listener_settings: each listener has the access options below it", () =>
  withDirectory(async (directory) => {
    const [first, second] = [freePort(), freePort()];
    const lines = [
      ...[`listener ${first} 127.0.0.1`, "allow_anonymous true"],
      ...[`listener ${second} 127.0.0.1`, `acl_file ${write(directory, "acl", "topic read #\n")}`],
    ];
    /** Who comes in without a name, at the first and the second listener. */
    const anonymous = async (further: readonly string[]) => {
      const file = write(directory, "a.conf", [...further, ...lines].join("\n"));
      await using broker = BrokerProcess.spawn({ port: first, args: ["-c", file] });
      await broker.line(/ running$/);
      return [(await answer(first, 4))?.reason, (await answer(second, 4))?.reason];
    };
    assert.deepEqual(await anonymous(["per_listener_settings true"]), [0, 5]);
    assert.deepEqual(await anonymous([]), [0, 0]);
  }));

Deno.test("check_retain_source: what its publisher may no longer publish is withheld", () =>
  withDirectory(async (directory) => {
    const acl = write(directory, "acl", "user joe\ntopic t\n");
    const passwords = write(directory, "passwords", PASSWORDS);
    /** Whether a message that joe retained still comes when the rules take that right away. */
    const comes = async (further: readonly string[]) => {
      write(directory, "acl", "topic read t\nuser joe\ntopic t\n");
      await using broker = await BrokerProcess.start(directory, {
        configuration: [`acl_file ${acl}`, `password_file ${passwords}`, ...further],
      });
      {
        await using publisher = await TcpClient.connect(broker.port, 4, JOE);
        void publisher.send(publish(4, { topic: "t", payload: "x", qos: 1, retain: true }));
        await publisher.next("puback");
      }
      write(directory, "acl", "topic read t\nuser joe\ntopic read t\n");
      const before = broker.lines.length;
      broker.signal("SIGHUP");
      await broker.line(/[Rr]eload/, before);
      await using reader = await TcpClient.connect(broker.port, 4, { clientId: "reader" });
      void reader.send(subscribe(4, { filters: [["t", 0]] }));
      return (await messages(reader)).length;
    };
    assert.deepEqual([await comes(["check_retain_source true"]), await comes([])], [0, 1]);
  }));
