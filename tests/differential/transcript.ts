import type { ServerPacket } from "../support/packet_decoder.ts";
import { Property, type PropertyValue } from "../support/packets.ts";

/** What came of a step: client → what it got, and how its connection ended. */
export interface Outcome {
  readonly step: string;
  readonly heard: Readonly<Record<string, readonly string[]>>;
}

const decoder = new TextDecoder();
const propertyNames = new Map<number, string>(
  Object.entries(Property).map(([name, id]) => [id, name]),
);

/**
 * A packet in words, whole but for what depends on chance and the clock: a generated identifier, the
 * rest of a Message Expiry Interval, texts for people.
 */
export function packetInWords(packet: ServerPacket): string {
  const words = [packet.type.toUpperCase()];
  if (packet.sessionPresent) words.push("present");
  if (packet.topic !== undefined) words.push(`'${packet.topic}'`);
  if (packet.payload !== undefined) words.push(payloadInWords(packet.payload));
  if (packet.qos !== undefined) words.push(`q${packet.qos}`);
  if (packet.packetId !== undefined) words.push(`#${packet.packetId}`);
  for (const reason of packet.reasons ?? []) words.push(twoDigits(reason));
  if (packet.reason !== undefined) words.push(`0x${twoDigits(packet.reason)}`);
  if (packet.dup) words.push("dup");
  if (packet.retain) words.push("retain");
  for (const [id, value] of packet.properties) {
    if (id === Property.reasonString) continue;
    words.push(`${propertyNames.get(id)}=${propertyInWords(id, value)}`);
  }
  return words.join(" ");
}

/** The lines in which a client's transcripts differ: `-` is what Mosquitto does, `+` is what we do. */
export function differences(
  client: string,
  theirs: readonly string[],
  ours: readonly string[],
): string[] {
  let start = 0, end = 0;
  const shorter = Math.min(theirs.length, ours.length);
  while (start < shorter && theirs[start] === ours[start]) start++;
  while (end < shorter - start && theirs.at(-1 - end) === ours.at(-1 - end)) end++;
  return [
    ...theirs.slice(start, theirs.length - end).map((line) => `- ${client}: ${line}`),
    ...ours.slice(start, ours.length - end).map((line) => `+ ${client}: ${line}`),
  ];
}

function payloadInWords(payload: Uint8Array): string {
  return payload.length > 40 ? `(${payload.length} bytes)` : `"${decoder.decode(payload)}"`;
}

function propertyInWords(id: number, value: PropertyValue): string {
  if (id === Property.messageExpiryInterval) return "…";
  if (id === Property.assignedClientIdentifier) {
    return String(value).replace(/[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}/i, "<uuid>");
  }
  return value instanceof Uint8Array ? value.toHex() : String(value);
}

function twoDigits(value: number): string {
  return value.toString(16).padStart(2, "0");
}
