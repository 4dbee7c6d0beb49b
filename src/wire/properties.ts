import { readUint16, readUint32 } from "./bytes.ts";
import { malformed, ProtocolError } from "./protocol_error.ts";
import { Reason } from "./reason.ts";
import { isUtf8String } from "./utf8.ts";

/** Property identifiers of MQTT 5.0, section 2.2.2.2. */
export const Property = {
  PayloadFormatIndicator: 0x01,
  MessageExpiryInterval: 0x02,
  ContentType: 0x03,
  ResponseTopic: 0x08,
  CorrelationData: 0x09,
  SubscriptionIdentifier: 0x0b,
  SessionExpiryInterval: 0x11,
  AssignedClientIdentifier: 0x12,
  ServerKeepAlive: 0x13,
  AuthenticationMethod: 0x15,
  AuthenticationData: 0x16,
  RequestProblemInformation: 0x17,
  WillDelayInterval: 0x18,
  RequestResponseInformation: 0x19,
  ResponseInformation: 0x1a,
  ServerReference: 0x1c,
  ReasonString: 0x1f,
  ReceiveMaximum: 0x21,
  TopicAliasMaximum: 0x22,
  TopicAlias: 0x23,
  MaximumQos: 0x24,
  RetainAvailable: 0x25,
  UserProperty: 0x26,
  MaximumPacketSize: 0x27,
  WildcardSubscriptionAvailable: 0x28,
  SubscriptionIdentifierAvailable: 0x29,
  SharedSubscriptionAvailable: 0x2a,
} as const;

/** Where a property list stands. The values are bits of `PLACES`. */
export const Place = {
  Connect: 1,
  Will: 2,
  Publish: 4,
  /** PUBACK, PUBREC, PUBREL, PUBCOMP */
  Acknowledgement: 8,
  Subscribe: 16,
  Unsubscribe: 32,
  Disconnect: 64,
  Auth: 128,
} as const;

const enum Type {
  Byte = 1,
  TwoByteInteger,
  FourByteInteger,
  VariableByteInteger,
  Utf8String,
  BinaryData,
  Utf8StringPair,
}

const IDENTIFIERS = 0x2b;
const TYPES = new Uint8Array(IDENTIFIERS);
const PLACES = new Uint8Array(IDENTIFIERS);

function declare(type: Type, identifier: number, places: number) {
  TYPES[identifier] = type;
  PLACES[identifier] = places;
}
const MESSAGE = Place.Publish | Place.Will;
declare(Type.Byte, Property.PayloadFormatIndicator, MESSAGE);
declare(Type.FourByteInteger, Property.MessageExpiryInterval, MESSAGE);
declare(Type.Utf8String, Property.ContentType, MESSAGE);
declare(Type.Utf8String, Property.ResponseTopic, MESSAGE);
declare(Type.BinaryData, Property.CorrelationData, MESSAGE);
// A server sends it in a PUBLISH; from a client it stands only in a SUBSCRIBE [MQTT-3.3.4-6].
declare(Type.VariableByteInteger, Property.SubscriptionIdentifier, Place.Subscribe);
declare(Type.FourByteInteger, Property.SessionExpiryInterval, Place.Connect | Place.Disconnect);
declare(Type.Utf8String, Property.AssignedClientIdentifier, 0);
declare(Type.TwoByteInteger, Property.ServerKeepAlive, 0);
declare(Type.Utf8String, Property.AuthenticationMethod, Place.Connect | Place.Auth);
declare(Type.BinaryData, Property.AuthenticationData, Place.Connect | Place.Auth);
declare(Type.Byte, Property.RequestProblemInformation, Place.Connect);
declare(Type.FourByteInteger, Property.WillDelayInterval, Place.Will);
declare(Type.Byte, Property.RequestResponseInformation, Place.Connect);
declare(Type.Utf8String, Property.ResponseInformation, 0);
declare(Type.Utf8String, Property.ServerReference, 0);
declare(
  Type.Utf8String,
  Property.ReasonString,
  Place.Acknowledgement | Place.Disconnect | Place.Auth,
);
declare(Type.TwoByteInteger, Property.ReceiveMaximum, Place.Connect);
declare(Type.TwoByteInteger, Property.TopicAliasMaximum, Place.Connect);
declare(Type.TwoByteInteger, Property.TopicAlias, Place.Publish);
declare(Type.Byte, Property.MaximumQos, 0);
declare(Type.Byte, Property.RetainAvailable, 0);
declare(Type.Utf8StringPair, Property.UserProperty, 0xff);
declare(Type.FourByteInteger, Property.MaximumPacketSize, Place.Connect);
declare(Type.Byte, Property.WildcardSubscriptionAvailable, 0);
declare(Type.Byte, Property.SubscriptionIdentifierAvailable, 0);
declare(Type.Byte, Property.SharedSubscriptionAvailable, 0);

/**
 * The values of one property list. Numbers are −1 when absent, strings and binary data are offsets
 * into the bytes that were read. One object is used again and again: `read` starts afresh.
 */
export class Properties {
  payloadFormatIndicator = -1;
  messageExpirySeconds = -1;
  subscriptionIdentifier = -1;
  sessionExpirySeconds = -1;
  requestProblemInformation = -1;
  requestResponseInformation = -1;
  willDelaySeconds = -1;
  receiveMaximum = -1;
  topicAliasMaximum = -1;
  topicAlias = -1;
  maximumPacketSize = -1;
  authenticationMethodStart = -1;
  authenticationMethodEnd = -1;
  authenticationDataStart = -1;
  authenticationDataEnd = -1;
  /** Where Message Expiry Interval, Topic Alias and Will Delay Interval stand: not forwarded. */
  expiryAt = -1;
  aliasAt = -1;
  willDelayAt = -1;
  /** First byte behind the Property Length, and first byte behind the list. */
  start = 0;
  end = 0;

  #seenLow = 0;
  #seenHigh = 0;

  /**
   * Reads the list whose Property Length stands at `at`; the packet ends at `packetEnd`.
   *
   * @throws {ProtocolError} 0x81 when it cannot be parsed or an identifier is unknown, 0x82 when a
   * property does not belong here (0x81 in SUBSCRIBE and UNSUBSCRIBE), occurs twice
   * [MQTT-2.2.2-2] or has a forbidden value
   */
  read(bytes: Uint8Array, at: number, packetEnd: number, place: number): void {
    this.clear();
    const length = this.#readLength(bytes, at, packetEnd);
    at += LENGTH.size;
    if (at + length > packetEnd) throw malformed("Property Length passes the end of the packet");
    this.start = at;
    const end = this.end = at + length;
    while (at < end) at = this.#readOne(bytes, at, end, place);
    if (
      this.authenticationDataStart >= 0 && this.authenticationMethodStart < 0 &&
      place === Place.Connect
    ) {
      throw new ProtocolError(Reason.ProtocolError, "Authentication Data without a Method");
    }
  }

  clear(): void {
    this.payloadFormatIndicator = this.messageExpirySeconds = this.subscriptionIdentifier = -1;
    this.sessionExpirySeconds = this.requestProblemInformation = -1;
    this.requestResponseInformation = this.willDelaySeconds = this.receiveMaximum = -1;
    this.topicAliasMaximum = this.topicAlias = this.maximumPacketSize = -1;
    this.authenticationMethodStart = this.authenticationMethodEnd = -1;
    this.authenticationDataStart = this.authenticationDataEnd = -1;
    this.expiryAt = this.aliasAt = this.willDelayAt = -1;
    this.start =
      this.end =
      this.#seenLow =
      this.#seenHigh =
        0;
  }

  #readLength(bytes: Uint8Array, at: number, end: number): number {
    const value = readVariableByteInteger(bytes, at, end);
    if (value < 0) throw malformed("Property Length is cut off or too long [MQTT-1.5.5-1]");
    return value;
  }

  #readOne(bytes: Uint8Array, at: number, end: number, place: number): number {
    const identifierAt = at;
    const identifier = bytes[at++];
    const type = identifier < IDENTIFIERS ? TYPES[identifier] : 0;
    if (type === 0) throw malformed(`unknown property 0x${identifier.toString(16)}`);
    let value = 0;
    let contentStart = at;
    switch (type) {
      case Type.Byte:
        value = bytes[at];
        at += 1;
        break;
      case Type.TwoByteInteger:
        value = readUint16(bytes, at);
        at += 2;
        break;
      case Type.FourByteInteger:
        value = readUint32(bytes, at);
        at += 4;
        break;
      case Type.VariableByteInteger:
        value = readVariableByteInteger(bytes, at, end);
        if (value < 0) throw malformed("Variable Byte Integer is cut off or too long");
        at += LENGTH.size;
        break;
      default:
        contentStart = at + 2;
        at = skipLengthPrefixed(bytes, at, end, type !== Type.BinaryData);
        if (type === Type.Utf8StringPair) at = skipLengthPrefixed(bytes, at, end, true);
    }
    if (at > end) throw malformed(`property 0x${identifier.toString(16)} is cut off`);
    if ((PLACES[identifier] & place) === 0) {
      const inSubscription = (place & (Place.Subscribe | Place.Unsubscribe)) !== 0;
      throw new ProtocolError(
        inSubscription ? Reason.MalformedPacket : Reason.ProtocolError,
        `property 0x${identifier.toString(16)} does not belong into this packet`,
      );
    }
    if (type !== Type.Utf8StringPair) {
      this.#once(identifier);
      this.#take(bytes, identifier, value, identifierAt, contentStart, at);
    }
    return at;
  }

  #once(identifier: number) {
    const bit = 1 << (identifier & 31);
    const seen = identifier < 32 ? this.#seenLow : this.#seenHigh;
    if ((seen & bit) !== 0) {
      throw new ProtocolError(
        Reason.ProtocolError,
        `property 0x${identifier.toString(16)} occurs twice`,
      );
    }
    if (identifier < 32) this.#seenLow |= bit;
    else this.#seenHigh |= bit;
  }

  #take(
    bytes: Uint8Array,
    identifier: number,
    value: number,
    at: number,
    contentStart: number,
    end: number,
  ) {
    switch (identifier) {
      case Property.PayloadFormatIndicator:
        this.payloadFormatIndicator = flag(value, "Payload Format Indicator");
        break;
      case Property.MessageExpiryInterval:
        this.messageExpirySeconds = value;
        this.expiryAt = at;
        break;
      case Property.ResponseTopic:
        // [MQTT-3.3.2-14] and, with no character at all, [MQTT-4.7.3-1]
        if (contentStart === end) throw refused("Response Topic is empty");
        for (let i = contentStart; i < end; i++) {
          if (bytes[i] === 0x2b || bytes[i] === 0x23) {
            throw refused("[MQTT-3.3.2-14] Response Topic with a wildcard");
          }
        }
        break;
      case Property.SubscriptionIdentifier:
        if (value === 0) throw refused("[MQTT-3.8.3] Subscription Identifier 0");
        this.subscriptionIdentifier = value;
        break;
      case Property.SessionExpiryInterval:
        this.sessionExpirySeconds = value;
        break;
      case Property.AuthenticationMethod:
        this.authenticationMethodStart = contentStart;
        this.authenticationMethodEnd = end;
        break;
      case Property.AuthenticationData:
        this.authenticationDataStart = contentStart;
        this.authenticationDataEnd = end;
        break;
      case Property.RequestProblemInformation:
        this.requestProblemInformation = flag(value, "Request Problem Information");
        break;
      case Property.RequestResponseInformation:
        this.requestResponseInformation = flag(value, "Request Response Information");
        break;
      case Property.WillDelayInterval:
        this.willDelaySeconds = value;
        this.willDelayAt = at;
        break;
      case Property.ReceiveMaximum:
        if (value === 0) throw refused("Receive Maximum 0");
        this.receiveMaximum = value;
        break;
      case Property.TopicAliasMaximum:
        this.topicAliasMaximum = value;
        break;
      case Property.TopicAlias:
        this.topicAlias = value;
        this.aliasAt = at;
        break;
      case Property.MaximumPacketSize:
        if (value === 0) throw refused("Maximum Packet Size 0");
        this.maximumPacketSize = value;
        break;
    }
  }
}

/** How many bytes the last Variable Byte Integer took. A field, since the hot path returns one number. */
const LENGTH = { size: 0 };

/** The value, or −1 when it is cut off, longer than four bytes or not minimal [MQTT-1.5.5-1]. */
function readVariableByteInteger(bytes: Uint8Array, at: number, end: number): number {
  let value = 0;
  for (let index = 0; index < 4; index++) {
    if (at + index >= end) return -1;
    const byte = bytes[at + index];
    value |= (byte & 0x7f) << 7 * index;
    if (byte < 0x80) {
      if (byte === 0 && index > 0) return -1;
      LENGTH.size = index + 1;
      return value;
    }
  }
  return -1;
}

function skipLengthPrefixed(bytes: Uint8Array, at: number, end: number, text: boolean): number {
  if (at + 2 > end) throw malformed("property is cut off");
  const contentEnd = at + 2 + readUint16(bytes, at);
  if (contentEnd > end) throw malformed("property is cut off");
  if (text && !isUtf8String(bytes, at + 2, contentEnd)) {
    throw malformed("[MQTT-1.5.4-1] ill-formed UTF-8 in a property");
  }
  return contentEnd;
}

function refused(message: string): ProtocolError {
  return new ProtocolError(Reason.ProtocolError, message);
}

function flag(value: number, name: string): number {
  if (value > 1) throw refused(`${name} ${value} is neither 0 nor 1`);
  return value;
}
