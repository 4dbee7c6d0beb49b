/**
 * Two brokers as their users run them: one with options set and one without, so that a test can show
 * the difference over the socket, in the log or on disk.
 * @module
 */
import { BrokerProcess, withDirectory } from "../support/broker_process.ts";
import type { ServerPacket } from "../support/packet_decoder.ts";
import { connect, type ConnectFields, pingreq, type Version } from "../support/packets.ts";
import { TcpClient } from "../support/tcp_client.ts";

/** The two brokers and where they keep their files. */
export interface Pair {
  /** With the options. */
  readonly set: BrokerProcess;
  /** With the same listener and none of the options. */
  readonly plain: BrokerProcess;
  /** Of the broker with the options. */
  readonly directory: string;
}

/** Starts both brokers; `lines` are the options, below `listener PORT` and `allow_anonymous true`. */
export async function withAndWithout(
  lines: (directory: string) => readonly string[],
  run: (pair: Pair) => Promise<void>,
): Promise<void> {
  await withDirectory(async (directory) => {
    await using set = await BrokerProcess.start(directory, { configuration: lines(directory) });
    await withDirectory(async (other) => {
      await using plain = await BrokerProcess.start(other);
      await run({ set, plain, directory });
      for (const broker of [set, plain]) broker.assertNoDefect();
    });
  });
}

/** The answer to a CONNECT; null if the connection ends without one. */
export async function answer(
  port: number,
  version: Version,
  fields: ConnectFields = {},
): Promise<ServerPacket | null> {
  await using client = await TcpClient.open(port, version);
  void client.send(connect(version, fields));
  try {
    return await client.next("connack");
  } catch (error) {
    if (client.isEnded) return null;
    throw error;
  }
}

/** The value of a property, or undefined. */
export function property(packet: ServerPacket | null, id: number): unknown {
  return packet?.properties.find(([one]) => one === id)?.[1];
}

/** What has come by the time a PINGREQ is answered: all that was on its way before. */
export async function arrived(client: TcpClient): Promise<ServerPacket[]> {
  void client.send(pingreq());
  const packets: ServerPacket[] = [];
  for (;;) {
    const packet = await client.next();
    if (packet.type === "pingresp") return packets;
    packets.push(packet);
  }
}

/** The messages that have come by the time a PINGREQ is answered. */
export async function messages(client: TcpClient): Promise<ServerPacket[]> {
  return (await arrived(client)).filter(({ type }) => type === "publish");
}
