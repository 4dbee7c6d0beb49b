/** Short words for what clients get and for the sessions they ask for. */
import assert from "node:assert/strict";
import type { ServerPacket } from "./packet_decoder.ts";
import {
  concat,
  type ConnectFields,
  type Part,
  Property,
  property,
  type PropertyValue,
} from "./packets.ts";
import type { FakeClient, World } from "./world.ts";

const decoder = new TextDecoder();

/** The payload as text. */
export function text(packet: ServerPacket): string {
  return decoder.decode(packet.payload);
}

/** The payloads of the PUBLISH packets that came since the last call of any receiving method. */
export function payloads(client: FakeClient): string[] {
  return client.receiveOf("publish").map(text);
}

/** The values of one property, in their order. */
export function valuesOf(packet: ServerPacket, id: number): PropertyValue[] {
  return packet.properties.filter(([found]) => found === id).map(([, value]) => value);
}

/** The value of a property that stands there once at most. */
export function valueOf(packet: ServerPacket, id: number): PropertyValue | undefined {
  const values = valuesOf(packet, id);
  assert.ok(values.length <= 1, `property ${id} stands there ${values.length} times`);
  return values[0];
}

/** An MQTT 5 session that outlives its connection, resumed where it is there. */
export function lasting(seconds: number, ...more: Part[]): ConnectFields {
  return {
    clean: false,
    properties: concat(property(Property.sessionExpiryInterval, seconds), more),
  };
}

/** The connection ends with this DISCONNECT, and before it nothing else came. */
export function expectDisconnected(client: FakeClient, reason: number): void {
  assert.deepEqual([...client.receiveBytes()], [0xe0, 1, reason]);
  client.expectClosed();
}

/** The connection ends without a word. */
export function expectClosedSilently(client: FakeClient): void {
  assert.deepEqual([...client.receiveBytes()], []);
  client.expectClosed();
}

/** CONNECT is refused: a CONNACK without session and properties in MQTT 5, then the close. */
export function expectRefused(client: FakeClient, reason: number): void {
  const expected = client.version === 5 ? [0x20, 3, 0, reason, 0] : [0x20, 2, 0, reason];
  assert.deepEqual([...client.receiveBytes()], expected);
  client.expectClosed();
}

/** What the accepting CONNACK said of an older session. */
export function sessionPresent(client: FakeClient): boolean {
  return client.connack!.sessionPresent!;
}

/** Lets the store come to rest: what nobody waits for is written a moment later. */
export async function allWritten(world: World): Promise<void> {
  await world.settle();
  world.advanceMs(200);
  await world.settle();
}
