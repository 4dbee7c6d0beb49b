import assert from "node:assert/strict";
import { BrokerProcess, pause, withDirectory } from "../support/broker_process.ts";
import { pingreq } from "../support/packets.ts";
import { TcpClient } from "../support/tcp_client.ts";

/** Half seconds that the process is stopped: beyond one and a half times Keep Alive. */
const TIMES = 8;

Deno.test({
  name: "a process that was stopped: who sent meanwhile stays connected, who was silent does not",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    withDirectory(async (directory) => {
      await using broker = await BrokerProcess.start(directory);
      await using stack = new AsyncDisposableStack();
      const connect = async (clientId: string, keepAliveSeconds: number) =>
        stack.use(await TcpClient.connect(broker.port, 5, { clientId, keepAliveSeconds }));
      const talking: TcpClient[] = [];
      for (let index = 0; index < 20; index++) talking.push(await connect(`talking${index}`, 2));
      const silent = await connect("silent", 2);
      broker.signal("SIGSTOP");
      for (let times = 0; times < TIMES; times++) {
        await pause(500);
        for (const client of talking) void client.send(pingreq());
      }
      broker.signal("SIGCONT");
      for (const client of talking) {
        for (let times = 0; times < TIMES; times++) await client.next("pingresp");
      }
      const [ending] = await silent.ended();
      assert.deepEqual([ending.type, ending.reason], ["disconnect", 0x8d]);
      assert.equal(await broker.end(), 0);
    }),
});
