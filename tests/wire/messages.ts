import { Buffer } from "node:buffer";
import fc from "fast-check";
import mqttPacket, { type IPublishPacket } from "mqtt-packet";
import type { Qos } from "../../src/wire/publish.ts";
import { Property, property, varint, type Version } from "../support/packets.ts";

const encoder = new TextEncoder();

/** A message as its fields; what is undefined is left out. */
export interface MessageFields {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: Qos;
  readonly dup: boolean;
  readonly retain: boolean;
  /** 0 at QoS 0. */
  readonly packetId: number;
  readonly payloadFormatIndicator?: boolean;
  readonly messageExpirySeconds?: number;
  readonly contentType?: string;
  readonly responseTopic?: string;
  readonly correlationData?: Uint8Array;
  /** In their order; names may repeat. */
  readonly userProperties: readonly (readonly [string, string])[];
}

const text = fc.string({
  unit: fc.constantFrom("a", "b", "/", "é", "漢", "😀", " ", "\ufeff"),
  maxLength: 12,
});
const topic = text.filter((text) => text !== "");

/** Any message that a client may send. */
export const message: fc.Arbitrary<MessageFields> = fc.record({
  topic,
  payload: fc.uint8Array({ maxLength: 300 }),
  qos: fc.constantFrom<Qos>(0, 1, 2),
  dup: fc.boolean(),
  retain: fc.boolean(),
  packetId: fc.integer({ min: 1, max: 65_535 }),
  payloadFormatIndicator: fc.option(fc.boolean(), { nil: undefined }),
  messageExpirySeconds: fc.option(fc.integer({ min: 0, max: 0xffff_ffff }), { nil: undefined }),
  contentType: fc.option(text, { nil: undefined }),
  responseTopic: fc.option(topic, { nil: undefined }),
  correlationData: fc.option(fc.uint8Array({ maxLength: 20 }), { nil: undefined }),
  userProperties: fc.array(fc.tuple(text, text), { maxLength: 4 }),
}).map((fields) => ({
  ...fields,
  dup: fields.dup && fields.qos > 0,
  packetId: fields.qos === 0 ? 0 : fields.packetId,
}));

/** What mqtt-packet makes of it. It groups User Properties by name, so their order is lost there. */
export function generate(fields: MessageFields, version: Version): Uint8Array {
  const userProperties: Record<string, string[]> = Object.create(null);
  for (const [name, value] of fields.userProperties) (userProperties[name] ??= []).push(value);
  const packet: IPublishPacket = {
    cmd: "publish",
    topic: fields.topic,
    payload: Buffer.from(fields.payload),
    qos: fields.qos,
    dup: fields.dup,
    retain: fields.retain,
    messageId: fields.packetId,
  };
  if (version === 5) {
    packet.properties = defined({
      payloadFormatIndicator: fields.payloadFormatIndicator,
      messageExpiryInterval: fields.messageExpirySeconds,
      contentType: fields.contentType,
      responseTopic: fields.responseTopic,
      correlationData: fields.correlationData && Buffer.from(fields.correlationData),
      userProperties: fields.userProperties.length === 0 ? undefined : userProperties,
    });
  }
  return Uint8Array.from(mqttPacket.generate(packet, { protocolVersion: version }));
}

/** What mqtt-packet reads in a packet. */
export function parse(bytes: Uint8Array, version: Version): IPublishPacket {
  const found: IPublishPacket[] = [];
  const parser = mqttPacket.parser({ protocolVersion: version });
  parser.on("packet", (packet) => {
    if (packet.cmd === "publish") found.push(packet);
  });
  parser.on("error", (error) => {
    throw error;
  });
  parser.parse(Buffer.from(bytes));
  if (found.length !== 1) throw new Error(`${found.length} packets in ${bytes.length} bytes`);
  return found[0];
}

/** The forwarded properties as bytes, in the order of these fields. */
export function forwardedProperties(fields: MessageFields): Uint8Array {
  const parts: Uint8Array[] = [];
  const add = (id: number, value: Parameters<typeof property>[1] | undefined) => {
    if (value !== undefined) parts.push(property(id, value));
  };
  const { payloadFormatIndicator } = fields;
  add(
    Property.payloadFormatIndicator,
    payloadFormatIndicator === undefined ? undefined : Number(payloadFormatIndicator),
  );
  add(Property.contentType, fields.contentType);
  add(Property.responseTopic, fields.responseTopic);
  add(Property.correlationData, fields.correlationData);
  for (const pair of fields.userProperties) add(Property.userProperty, pair);
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** Where the body of a packet starts. */
export function bodyStartOf(bytes: Uint8Array): number {
  return bytes.findIndex((byte, index) => index > 0 && byte < 0x80) + 1;
}

/** How long a PUBLISH to a receiver of that version is, with these properties. */
export function publishLength(
  version: Version,
  parts: { topic: string; qos: number; properties: number; payload: number },
): number {
  const remaining = 2 + encoder.encode(parts.topic).length + (parts.qos > 0 ? 2 : 0) +
    (version === 5 ? varint(parts.properties).length + parts.properties : 0) + parts.payload;
  return 1 + varint(remaining).length + remaining;
}

function defined<T extends object>(fields: T): T {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as T;
}
