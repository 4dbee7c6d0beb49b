import { decodeUtf8, encodeUtf8, readUint16 } from "./bytes.ts";
import { Property } from "./properties.ts";

/** The properties of a message that travel from its publisher to the receivers [MQTT-3.3.2-18]. */
export interface MessageProperties {
  /** 1: the payload is UTF-8; 0: it is bytes. */
  payloadFormatIndicator?: number;
  /** What the payload is, such as a MIME type. */
  contentType?: string;
  /** The Topic Name for an answer. */
  responseTopic?: string;
  /** Whatever tells whoever asked which question is answered. */
  correlationData?: Uint8Array;
  /** In the publisher's order; a name may occur more than once. */
  userProperties?: readonly (readonly [name: string, value: string])[];
}

/** The properties as a PUBLISH carries them, without their length. @throws {RangeError} a field over 65,535 bytes */
export function encodeProperties(properties: MessageProperties): Uint8Array {
  const parts: Uint8Array[] = [];
  const add = (identifier: number, ...fields: Uint8Array[]) => {
    parts.push(Uint8Array.of(identifier));
    for (const field of fields) {
      if (field.length > 0xffff) throw new RangeError("a property holds at most 65,535 bytes");
      parts.push(Uint8Array.of(field.length >> 8, field.length & 0xff), field);
    }
  };
  const { payloadFormatIndicator, contentType, responseTopic, correlationData } = properties;
  if (payloadFormatIndicator !== undefined) {
    parts.push(Uint8Array.of(Property.PayloadFormatIndicator, payloadFormatIndicator));
  }
  if (contentType !== undefined) add(Property.ContentType, encodeUtf8(contentType));
  if (responseTopic !== undefined) add(Property.ResponseTopic, encodeUtf8(responseTopic));
  if (correlationData !== undefined) add(Property.CorrelationData, correlationData);
  for (const [name, value] of properties.userProperties ?? []) {
    add(Property.UserProperty, encodeUtf8(name), encodeUtf8(value));
  }
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Reads forwarded properties, which were checked when they came in. */
export function decodeProperties(bytes: Uint8Array): MessageProperties {
  const found: MessageProperties = {};
  const users: [string, string][] = [];
  let at = 0;
  const field = () => {
    const start = at + 2;
    at = start + readUint16(bytes, at);
    return start;
  };
  const text = () => decodeUtf8(bytes, field(), at);
  while (at < bytes.length) {
    switch (bytes[at++]) {
      case Property.PayloadFormatIndicator:
        found.payloadFormatIndicator = bytes[at++];
        break;
      case Property.ContentType:
        found.contentType = text();
        break;
      case Property.ResponseTopic:
        found.responseTopic = text();
        break;
      case Property.CorrelationData:
        found.correlationData = bytes.slice(field(), at);
        break;
      default: {
        const name = text();
        users.push([name, text()]);
      }
    }
  }
  if (users.length > 0) found.userProperties = users;
  return found;
}
