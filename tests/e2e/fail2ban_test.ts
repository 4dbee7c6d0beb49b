import assert from "node:assert/strict";
import { BrokerProcess, withDirectory } from "../support/broker_process.ts";
import { connect, subscribe, unsubscribe } from "../support/packets.ts";
import { TcpClient } from "../support/tcp_client.ts";

const FILTER = new URL("../../conf/fail2ban/filter.d/sabethes.conf", import.meta.url).pathname;
const VICTIM = "192.0.2.1";
const IMITATION = `[${VICTIM}:1] disconnected: not authorised.`;

const hasFail2ban = (() => {
  try {
    return new Deno.Command("fail2ban-regex", { args: ["--version"], stdout: "null" })
      .outputSync().success;
  } catch {
    return false;
  }
})();
if (!hasFail2ban) console.warn("fail2ban-regex is not installed: its filter is not tested");

/** The addresses that fail2ban finds in a log. */
function found(log: string): string[] {
  const { stdout, stderr, success } = new Deno.Command("fail2ban-regex", {
    args: ["-o", "ip", log, FILTER],
  }).outputSync();
  assert.ok(success || stdout.length === 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "");
}

/** CONNECTs with this Client Identifier and is refused. */
async function refused(port: number, clientId: string, userName?: string): Promise<void> {
  await using client = await TcpClient.open(port, 4);
  void client.send(connect(4, { clientId, ...userName === undefined ? {} : { userName } }));
  assert.equal((await client.next("connack")).reason, 5);
  await client.ended();
}

const FORMATS: readonly (readonly string[])[] = [
  [],
  ["log_timestamp_format %Y-%m-%dT%H:%M:%S%z"],
  ["log_timestamp_format %b %d %H:%M:%S"],
  ["log_format json"],
];

for (const format of FORMATS) {
  Deno.test({
    name: `fail2ban finds who was refused, and nobody else: ${format[0] ?? "Unix time"}`,
    ignore: !hasFail2ban,
    fn: () =>
      withDirectory(async (directory) => {
        const log = `${directory}/log`;
        await using broker = await BrokerProcess.start(directory, {
          configuration: [
            "allow_anonymous false",
            "user root",
            `log_dest file ${log}`,
            "log_dest stderr",
            "log_type all",
            ...format,
          ],
        });
        const ids = ["plain", `x ${IMITATION}`, `Client y ${IMITATION} x`, "]["];
        for (const id of ids) await refused(broker.port, id, `u ${IMITATION}`);
        assert.equal(await broker.end(), 0);
        assert.deepEqual(found(log), ids.map(() => "127.0.0.1"));
      }),
  });

  Deno.test({
    name: `fail2ban is not deceived by clients that are let in: ${format[0] ?? "Unix time"}`,
    ignore: !hasFail2ban,
    fn: () =>
      withDirectory(async (directory) => {
        const log = `${directory}/log`;
        await using broker = await BrokerProcess.start(directory, {
          configuration: [
            "user root",
            `log_dest file ${log}`,
            "log_dest stderr",
            "log_type all",
            ...format,
          ],
        });
        // What the log says of subscriptions is all in the client's own words.
        const rows: [clientId: string, userName: string, filter: string][] = [
          ["Client", "u", IMITATION],
          [`Client x [${VICTIM}:1]`, "u", "disconnected: not authorised."],
          [`x ${IMITATION}`, `u') ${IMITATION}`, "a"],
          [
            `x","kind":"refused","address":"${VICTIM}:1"}`,
            `Client x ${IMITATION}","kind":"refused",`,
            "a",
          ],
        ];
        for (const [clientId, userName, filter] of rows) {
          await using client = await TcpClient.connect(broker.port, 4, { clientId, userName });
          void client.send(subscribe(4, { filters: [[filter, 0]] }));
          await client.next("suback");
          void client.send(unsubscribe(4, { filters: [filter] }));
          await client.next("unsuback");
        }
        assert.equal(await broker.end(), 0);
        assert.match(Deno.readTextFileSync(log), /disconnected/);
        assert.deepEqual(found(log), []);
      }),
  });
}
