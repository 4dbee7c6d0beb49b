/**
 * What conformance tests share: packets from the broker in a few words each, so that a whole exchange
 * fits into one assertion, and clients whose sessions last.
 * @module
 */
import type { ServerPacket } from "./packet_decoder.ts";
import * as packets from "./packets.ts";
import type { FakeClient, World } from "./world.ts";

const decoder = new TextDecoder();

/**
 * A packet in words: `PUBLISH a/b text q1 #7 dup retain`, `PUBACK #7`, `PUBACK #7 0x10`,
 * `SUBACK #1 00 8f`, `DISCONNECT 0x82`, `CONNACK 0x00 present`. Properties are not told.
 */
function inWords(packet: ServerPacket): string {
  const words = [packet.type.toUpperCase()];
  if (packet.type === "publish") {
    words.push(packet.topic!, decoder.decode(packet.payload), `q${packet.qos}`);
  }
  if (packet.packetId !== undefined) words.push(`#${packet.packetId}`);
  for (const reason of packet.reasons ?? []) words.push(twoDigits(reason));
  const isTold = packet.type === "connack" || packet.type === "disconnect";
  if (packet.reason !== undefined && (isTold || packet.reason !== 0)) {
    words.push(`0x${twoDigits(packet.reason)}`);
  }
  if (packet.sessionPresent) words.push("present");
  if (packet.dup) words.push("dup");
  if (packet.retain) words.push("retain");
  return words.join(" ");
}

function twoDigits(value: number): string {
  return value.toString(16).padStart(2, "0");
}

/** What the client got since the last call. */
export function heard(client: FakeClient): string[] {
  return client.receive().map(inWords);
}

/** The payloads of the PUBLISHes that the client got since the last call, as text. */
export function payloads(client: FakeClient): string[] {
  return client.receiveOf("publish").map(({ payload }) => decoder.decode(payload));
}

/** CONNECT of a client whose session outlives its connection, by an hour in MQTT 5. */
function lastingFields(
  version: packets.Version,
  clientId: string,
  properties: packets.Part = [],
): packets.ConnectFields {
  if (version !== 5) return { clientId, clean: false };
  const expiry = packets.property(packets.Property.sessionExpiryInterval, 3600);
  return { clientId, clean: false, properties: packets.concat(expiry, properties) };
}

/** A connected client with a lasting session. */
export function connectLasting(
  world: World,
  version: packets.Version,
  clientId: string,
  properties: packets.Part = [],
): FakeClient {
  return world.connect(version, lastingFields(version, clientId, properties));
}

/** Connects and keeps all that comes behind the CONNACK; the CONNACK is the first to be heard. */
export function reconnect(
  world: World,
  version: packets.Version,
  clientId: string,
  fields: Partial<packets.ConnectFields> = {},
): FakeClient {
  const client = world.open(version);
  client.send(packets.connect(version, { ...lastingFields(version, clientId), ...fields }));
  return client;
}
