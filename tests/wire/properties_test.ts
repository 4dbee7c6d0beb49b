import assert from "node:assert/strict";
import fc from "fast-check";
import { Place, Properties, Property } from "../../src/wire/properties.ts";
import { ProtocolError } from "../../src/wire/protocol_error.ts";
import { concat, property, propertyKinds, type PropertyValue, varint } from "../support/packets.ts";

/** Section 2.2.2.2, as far as a client may send it: property, valid value, places. */
const table: [keyof typeof Property, PropertyValue, (keyof typeof Place)[]][] = [
  ["PayloadFormatIndicator", 1, ["Publish", "Will"]],
  ["MessageExpiryInterval", 7, ["Publish", "Will"]],
  ["ContentType", "text", ["Publish", "Will"]],
  ["ResponseTopic", "a/b", ["Publish", "Will"]],
  ["CorrelationData", Uint8Array.of(0, 255), ["Publish", "Will"]],
  ["SubscriptionIdentifier", 268_435_455, ["Subscribe"]],
  ["SessionExpiryInterval", 0xffff_ffff, ["Connect", "Disconnect"]],
  ["AssignedClientIdentifier", "x", []],
  ["ServerKeepAlive", 1, []],
  ["AuthenticationMethod", "plain", ["Connect", "Auth"]],
  ["AuthenticationData", Uint8Array.of(1), ["Connect", "Auth"]],
  ["RequestProblemInformation", 1, ["Connect"]],
  ["WillDelayInterval", 3, ["Will"]],
  ["RequestResponseInformation", 1, ["Connect"]],
  ["ResponseInformation", "x", []],
  ["ServerReference", "x", []],
  ["ReasonString", "why", ["Acknowledgement", "Disconnect", "Auth"]],
  ["ReceiveMaximum", 1, ["Connect"]],
  ["TopicAliasMaximum", 1, ["Connect"]],
  ["TopicAlias", 1, ["Publish"]],
  ["MaximumQos", 1, []],
  ["RetainAvailable", 1, []],
  ["UserProperty", ["a", "b"], Object.keys(Place) as (keyof typeof Place)[]],
  ["MaximumPacketSize", 1, ["Connect"]],
  ["WildcardSubscriptionAvailable", 1, []],
  ["SubscriptionIdentifierAvailable", 1, []],
  ["SharedSubscriptionAvailable", 1, []],
];

const properties = new Properties();

/** The reason for which the list is refused, 0 when it is taken. */
function reasonOf(content: Uint8Array, place: number): number {
  const bytes = concat(varint(content.length), content);
  try {
    properties.read(bytes, 0, bytes.length, place);
    assert.equal(properties.end, bytes.length);
    return 0;
  } catch (error) {
    assert.ok(error instanceof ProtocolError, String(error));
    return error.reason;
  }
}

Deno.test("the table names every property of the specification", () => {
  assert.deepEqual(
    table.map(([name]) => Property[name]).sort((a, b) => a - b),
    [...propertyKinds.keys()].sort((a, b) => a - b),
  );
});

for (const place of Object.keys(Place) as (keyof typeof Place)[]) {
  Deno.test(`${place} takes the properties that belong there and no others`, () => {
    for (const [name, value, places] of table) {
      const bytes = property(Property[name], value);
      // Authentication Data means nothing without its method.
      const before = place === "Connect" && name === "AuthenticationData"
        ? property(Property.AuthenticationMethod, "m")
        : [];
      const reason = reasonOf(concat(before, bytes), Place[place]);
      const refused = place === "Subscribe" || place === "Unsubscribe" ? 0x81 : 0x82;
      assert.equal(reason, places.includes(place) ? 0 : refused, `${name} in ${place}`);
    }
  });

  Deno.test(`${place} refuses a property twice, but for User Property`, () => {
    for (const [name, value, places] of table) {
      if (!places.includes(place)) continue;
      const bytes = property(Property[name], value);
      const twice = reasonOf(concat(bytes, bytes), Place[place]);
      assert.equal(twice, name === "UserProperty" ? 0 : 0x82, `${name} twice in ${place}`);
    }
  });

  Deno.test(`${place} refuses a property that is cut off, wherever it is cut`, () => {
    for (const [name, value, places] of table) {
      if (!places.includes(place)) continue;
      const bytes = property(Property[name], value);
      for (let length = 1; length < bytes.length; length++) {
        assert.equal(reasonOf(bytes.slice(0, length), Place[place]), 0x81, `${name}, ${length}`);
      }
    }
  });
}

Deno.test("values that the specification forbids are protocol errors", () => {
  const forbidden: [number, PropertyValue, number][] = [
    [Property.PayloadFormatIndicator, 2, Place.Publish],
    [Property.ResponseTopic, "", Place.Publish],
    [Property.ResponseTopic, "a/+", Place.Will],
    [Property.ResponseTopic, "#", Place.Publish],
    [Property.SubscriptionIdentifier, 0, Place.Subscribe],
    [Property.RequestProblemInformation, 2, Place.Connect],
    [Property.RequestResponseInformation, 255, Place.Connect],
    [Property.ReceiveMaximum, 0, Place.Connect],
    [Property.MaximumPacketSize, 0, Place.Connect],
    [Property.AuthenticationData, Uint8Array.of(1), Place.Connect],
  ];
  for (const [id, value, place] of forbidden) {
    assert.equal(reasonOf(property(id, value), place), 0x82, `${id} ${value}`);
  }
});

Deno.test("identifiers that are in no table are malformed, in every place", () => {
  for (let id = 0; id < 256; id++) {
    if (propertyKinds.has(id)) continue;
    for (const place of Object.values(Place)) {
      assert.equal(reasonOf(concat(id, 0, 0, 0, 0), place), 0x81, `0x${id.toString(16)}`);
    }
  }
});

Deno.test("the values of a PUBLISH's properties are found whatever their order", () => {
  const shuffled = fc.shuffledSubarray([
    property(Property.PayloadFormatIndicator, 1),
    property(Property.MessageExpiryInterval, 0xffff_fffe),
    property(Property.TopicAlias, 513),
    property(Property.ContentType, "é"),
    property(Property.UserProperty, ["a", "1"]),
    property(Property.UserProperty, ["a", "2"]),
  ]);
  fc.assert(fc.property(shuffled, (list) => {
    assert.equal(reasonOf(concat(...list), Place.Publish), 0);
    const has = (id: number) => list.some((bytes) => bytes[0] === id);
    const value = (id: number, present: number) => has(id) ? present : -1;
    assert.equal(properties.payloadFormatIndicator, value(0x01, 1));
    assert.equal(properties.messageExpirySeconds, value(0x02, 0xffff_fffe));
    assert.equal(properties.topicAlias, value(0x23, 513));
  }));
});

Deno.test("any bytes are a property list or a protocol error, and never more than they are", () => {
  const id = fc.constantFrom(...propertyKinds.keys());
  const content = fc.oneof(
    fc.uint8Array({ maxLength: 20 }),
    fc.tuple(id, fc.uint8Array({ maxLength: 12 })).map(([id, rest]) => concat(id, rest)),
  );
  fc.assert(
    fc.property(content, fc.constantFrom(...Object.values(Place)), (bytes, place) => {
      assert.ok([0, 0x81, 0x82].includes(reasonOf(bytes, place)));
    }),
    { numRuns: 3000 },
  );
});
