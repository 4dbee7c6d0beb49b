import assert from "node:assert/strict";
import { TcpWrappers } from "../../src/transport/tcp_wrappers.ts";
import { assertTurnedAway, Scene } from "./listener_scene.ts";

/** Debian has it in `libwrap0`. */
const hasLibrary = (() => {
  try {
    TcpWrappers.load().close();
    return true;
  } catch {
    return false;
  }
})();

Deno.test({
  name: "libwrap is asked about an address, and its answer is an answer",
  ignore: !hasLibrary,
  fn: () => {
    const wrappers = TcpWrappers.load();
    try {
      // What the machine's own files say of an address of no network.
      const first = wrappers.allows("192.0.2.5", 0);
      assert.equal(typeof first, "boolean");
      assert.equal(wrappers.allows("192.0.2.5", 999), first);
      assert.equal(wrappers.allows("192.0.2.5", 1000), first);
    } finally {
      wrappers.close();
    }
  },
});

Deno.test("who is not allowed is closed, and a line says so", async () => {
  const asked: string[] = [];
  const wrappers = {
    allows: (address: string) => {
      asked.push(address);
      return asked.length > 1;
    },
  } as unknown as TcpWrappers;
  await using scene = await Scene.start({ wrappers });
  await assertTurnedAway(await scene.dial());
  assert.deepEqual(scene.notices, [
    "notice: Client connection from 127.0.0.1 denied access by tcpd.",
  ]);
  await scene.enter();
  assert.deepEqual(asked, ["127.0.0.1", "127.0.0.1"]);
});
