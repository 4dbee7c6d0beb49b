import { decodeUtf8, encodeUtf8, readUint16 } from "./bytes.ts";
import { Property } from "./properties.ts";

/** Properties of a message that a program makes itself. */
export interface MessageProperties {
  payloadFormatIndicator?: 0 | 1;
  contentType?: string;
  responseTopic?: string;
  correlationData?: Uint8Array;
  userProperties?: readonly (readonly [name: string, value: string])[];
}

/** The properties as bytes, as a PUBLISH forwards them. @throws {RangeError} for one over 65,535 bytes */
export function encodeProperties(properties: MessageProperties): Uint8Array {
  const list: number[] = [];
  const binary = (bytes: Uint8Array) => {
    if (bytes.length > 0xffff) throw new RangeError("a property holds at most 65,535 bytes");
    list.push(bytes.length >> 8, bytes.length & 0xff);
    for (const byte of bytes) list.push(byte);
  };
  const { payloadFormatIndicator, contentType, responseTopic, correlationData } = properties;
  if (payloadFormatIndicator !== undefined) {
    list.push(Property.PayloadFormatIndicator, payloadFormatIndicator);
  }
  if (contentType !== undefined) {
    list.push(Property.ContentType);
    binary(encodeUtf8(contentType));
  }
  if (responseTopic !== undefined) {
    list.push(Property.ResponseTopic);
    binary(encodeUtf8(responseTopic));
  }
  if (correlationData !== undefined) {
    list.push(Property.CorrelationData);
    binary(correlationData);
  }
  for (const [name, value] of properties.userProperties ?? []) {
    list.push(Property.UserProperty);
    binary(encodeUtf8(name));
    binary(encodeUtf8(value));
  }
  return Uint8Array.from(list);
}

/** The User Properties of forwarded bytes, in their order. The bytes were checked when they came in. */
export function decodeUserProperties(bytes: Uint8Array): [name: string, value: string][] {
  const found: [string, string][] = [];
  for (let at = 0; at < bytes.length;) {
    const identifier = bytes[at++];
    if (identifier === Property.PayloadFormatIndicator) at += 1;
    else if (identifier === Property.UserProperty) {
      const nameEnd = at + 2 + readUint16(bytes, at);
      const valueEnd = nameEnd + 2 + readUint16(bytes, nameEnd);
      found.push([
        decodeUtf8(bytes, at + 2, nameEnd),
        decodeUtf8(bytes, nameEnd + 2, valueEnd),
      ]);
      at = valueEnd;
    } else at += 2 + readUint16(bytes, at);
  }
  return found;
}
