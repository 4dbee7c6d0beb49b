/** What the tables of packet cases share: ill-formed strings, wrong property lists, expectations. */
import type { Expectation, PacketCaseRow } from "./packet_cases.ts";
import {
  concat,
  field,
  hex,
  type Properties,
  Property,
  property,
  propertyKinds,
  type Version,
} from "./packets.ts";

/** Strings that no field may hold: ill-formed, or with characters that are refused everywhere. */
export const badStrings: readonly (readonly [what: string, bytes: Uint8Array])[] = [
  ["a lone continuation byte", hex("61 80")],
  ["an over-long U+0000", hex("c0 80")],
  ["an over-long slash", hex("e0 80 af")],
  ["a surrogate", hex("ed a0 80")],
  ["a code point above U+10FFFF", hex("f4 90 80 80")],
  ["a sequence cut short", hex("61 e2 82")],
  ["the byte FF", hex("ff 61")],
  ["U+0000", hex("61 00")],
  ["U+0001", hex("01")],
  ["U+001F", hex("61 1f 61")],
  ["U+007F", hex("7f")],
  ["U+009F", hex("61 c2 9f")],
];

/** Property lists that are malformed wherever they stand. */
export const malformedProperties: readonly (readonly [what: string, properties: Properties])[] = [
  ["property 00", hex("00 00")],
  ["property 04", hex("04 00")],
  ["property 2B", hex("2b 00")],
  ["property 7F", hex("7f 00")],
  ["a property with a two byte identifier", hex("80 01 00")],
  ["a user property without its value", hex("26 0001 61")],
  ["a user property that ends in its name", hex("26 0005 61")],
  ["a user property name of FF", concat(0x26, field(hex("ff")), field(""))],
  ["a property identifier alone", hex("26")],
  ["a property length past the end", { length: 100, bytes: hex("26 0001 61 0001 62") }],
  ["a property length that cuts a property", { length: 3, bytes: hex("26 0001 61 0001 62") }],
  ["a property length of five bytes", { length: [0x80, 0x80, 0x80, 0x80, 0x01], bytes: [] }],
];

/** A good value for each property, with the identifier. */
function anyProperty(id: number): Uint8Array {
  switch (propertyKinds.get(id)) {
    case "string":
      return property(id, "a");
    case "binary":
      return property(id, hex("00"));
    case "pair":
      return property(id, ["a", "b"]);
    default:
      return property(id, 1);
  }
}

const nameById = new Map(Object.entries(Property).map(([name, id]) => [id as number, name]));

/** All properties but those with the identifiers given: name and one good value. */
export function otherProperties(...allowed: number[]): [name: string, bytes: Uint8Array][] {
  return [...propertyKinds.keys()].filter((id) => !allowed.includes(id)).sort((a, b) => a - b)
    .map((id) => [nameById.get(id)!, anyProperty(id)]);
}

/** Each property given, twice in a row. */
export function repeatedProperties(...ids: number[]): [name: string, bytes: Uint8Array][] {
  return ids.map((id) => [nameById.get(id)!, concat(anyProperty(id), anyProperty(id))]);
}

/** It closes and says nothing. */
export const silently: Expectation = { close: true };

/** It closes; MQTT 5 is told why. */
export function closesWith(reason: number | readonly number[]): (version: Version) => Expectation {
  return (version) => version === 5 ? { close: true, disconnect: reason } : silently;
}

/** A packet that cannot be read. */
export const malformed = closesWith(0x81);

/** A packet that says what is not allowed. */
export const protocolError = closesWith(0x82);

/** CONNECT is refused; MQTT 5 is told why, others are not. */
export function refusedWith(reason: number): (version: Version) => Expectation {
  return (version) => version === 5 ? { close: true, connack: reason } : silently;
}

/** A row whose bytes follow a good CONNECT; without versions it concerns all. */
export function connectedRow(
  name: string,
  bytes: PacketCaseRow["bytes"],
  expect: PacketCaseRow["expect"],
  ...versions: Version[]
): PacketCaseRow {
  return {
    name,
    phase: "connected",
    bytes,
    expect,
    versions: versions.length > 0 ? versions : undefined,
  };
}
