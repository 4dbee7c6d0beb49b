/**
 * The properties of a message [MQTT 5.0, 3.3.2.3] that travel from the publisher to the receivers, as
 * JSON shows them. The core keeps them as bytes, in the publisher's order.
 */
export interface MessageProperties {
  payloadFormatIndicator?: number;
  contentType?: string;
  responseTopic?: string;
  correlationDataBase64?: string;
  userProperties?: readonly (readonly [name: string, value: string])[];
}

/** What one property holds. */
const enum Content {
  Byte,
  Text,
  Binary,
  TextPair,
}

const PROPERTIES: readonly [identifier: number, name: keyof MessageProperties, Content][] = [
  [0x01, "payloadFormatIndicator", Content.Byte],
  [0x03, "contentType", Content.Text],
  [0x08, "responseTopic", Content.Text],
  [0x09, "correlationDataBase64", Content.Binary],
  [0x26, "userProperties", Content.TextPair],
];

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** As a PUBLISH carries them, without their length. The caller has checked them. */
export function encodeMessageProperties(properties: MessageProperties): Uint8Array {
  const parts: Uint8Array[] = [];
  const add = (identifier: number, ...fields: Uint8Array[]) => {
    parts.push(Uint8Array.of(identifier));
    for (const field of fields) {
      parts.push(Uint8Array.of(field.length >> 8, field.length & 0xff), field);
    }
  };
  for (const [identifier, name, content] of PROPERTIES) {
    const value = properties[name];
    if (value === undefined) continue;
    if (content === Content.Byte) parts.push(Uint8Array.of(identifier, value as number));
    else if (content === Content.Text) add(identifier, encoder.encode(value as string));
    else if (content === Content.Binary) add(identifier, Uint8Array.fromBase64(value as string));
    else {
      for (const [key, text] of properties.userProperties!) {
        add(identifier, encoder.encode(key), encoder.encode(text));
      }
    }
  }
  return joined(parts);
}

/** Reads what {@linkcode encodeMessageProperties} or a client wrote. The core has checked the bytes. */
export function decodeMessageProperties(bytes: Uint8Array): MessageProperties {
  const found = new Map<string, unknown>();
  const pairs: [string, string][] = [];
  let at = 0;
  const field = () => {
    const start = at + 2;
    at = start + (bytes[at] << 8 | bytes[at + 1]);
    return bytes.subarray(start, at);
  };
  while (at < bytes.length) {
    const identifier = bytes[at++];
    const [, name, content] = PROPERTIES.find(([known]) => known === identifier)!;
    if (content === Content.Byte) found.set(name, bytes[at++]);
    else if (content === Content.Text) found.set(name, decoder.decode(field()));
    else if (content === Content.Binary) found.set(name, field().toBase64());
    else pairs.push([decoder.decode(field()), decoder.decode(field())]);
  }
  if (pairs.length > 0) found.set("userProperties", pairs);
  return Object.fromEntries(found);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
