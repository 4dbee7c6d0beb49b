import { connectBefore, type PacketCase } from "./packet_cases.ts";
import { decodePackets } from "./packet_decoder.ts";
import { concat, pingreq } from "./packets.ts";

/**
 * Plays a packet case on a TCP connection of its own; at the same time as others only under a Client
 * Identifier of its own, and not in the phase "first", where the case names it. `closed` tells whether the broker ended it
 * before `patienceMs` were over; it is true too for a connection that was reset.
 */
export async function runOverTcp(
  { version, phase, bytes, expect }: PacketCase,
  address: { hostname: string; port: number },
  { patienceMs = 2000, clientId = "case" } = {},
): Promise<{ received: Uint8Array; closed: boolean }> {
  using connection = await Deno.connect({ ...address, transport: "tcp" });
  const impatience = AbortSignal.timeout(patienceMs);
  let outOfPatience = false;
  impatience.onabort = () => {
    outOfPatience = true;
    connection.close();
  };
  try {
    if (phase === "connected") {
      await writeAll(connection, connectBefore(version, clientId));
      const { received } = await readUntil(
        connection,
        (all) => decodePackets(all, version).packets.length > 0,
      );
      if (received.length === 0) throw new Error("the broker refused a good CONNECT");
    }
    const lives = !("close" in expect);
    const sent = writeAll(connection, lives ? concat(bytes, pingreq()) : bytes).catch(() => {});
    const outcome = await readUntil(
      connection,
      (all) => decodePackets(all, version).packets.at(-1)?.type === "pingresp",
    );
    await sent;
    return { ...outcome, closed: outcome.closed && !outOfPatience };
  } finally {
    impatience.onabort = null;
  }
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}

/** Reads until what has come is enough or the connection has ended. */
async function readUntil(
  connection: Deno.Conn,
  enough: (all: Uint8Array) => boolean,
): Promise<{ received: Uint8Array; closed: boolean }> {
  const buffer = new Uint8Array(65_536);
  let received: Uint8Array = new Uint8Array();
  while (!enough(received)) {
    const count = await connection.read(buffer).catch(() => null);
    if (count === null) return { received, closed: true };
    received = concat(received, buffer.subarray(0, count));
  }
  return { received, closed: false };
}
