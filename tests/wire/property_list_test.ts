import assert from "node:assert/strict";
import fc from "fast-check";
import { Place, Properties } from "../../src/wire/properties.ts";
import {
  decodeProperties,
  encodeProperties,
  type MessageProperties,
} from "../../src/wire/property_list.ts";
import { concat, Property, property, varint } from "../support/packets.ts";

/** Text that the broker takes: no control characters, no noncharacters [MQTT-1.5.4-1]. */
const text = fc.string({ unit: "binary", maxLength: 40 })
  .filter((value) => !/[\p{Cc}\p{Noncharacter_Code_Point}]/u.test(value));

const properties: fc.Arbitrary<MessageProperties> = fc.record({
  payloadFormatIndicator: fc.constantFrom(0, 1),
  contentType: text,
  responseTopic: text.filter((value) => value !== "" && !/[+#]/.test(value)),
  correlationData: fc.uint8Array({ maxLength: 300 }),
  userProperties: fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 5 }),
}, { requiredKeys: [] });

Deno.test("properties that were encoded are decoded as they were", () => {
  fc.assert(fc.property(properties, (fields) => {
    assert.deepEqual(decodeProperties(encodeProperties(fields)), { ...fields });
  }));
});

Deno.test("they are encoded as the specification says, in a fixed order", () => {
  const bytes = encodeProperties({
    userProperties: [["b", "1"], ["a", ""], ["b", "2"]],
    correlationData: Uint8Array.of(0, 255),
    responseTopic: "answers/é",
    contentType: "",
    payloadFormatIndicator: 1,
  });
  const expected = concat(
    property(Property.payloadFormatIndicator, 1),
    property(Property.contentType, ""),
    property(Property.responseTopic, "answers/é"),
    property(Property.correlationData, Uint8Array.of(0, 255)),
    property(Property.userProperty, ["b", "1"]),
    property(Property.userProperty, ["a", ""]),
    property(Property.userProperty, ["b", "2"]),
  );
  assert.deepEqual(bytes, expected);
});

Deno.test("what was encoded is what a client may send in a PUBLISH", () => {
  const reader = new Properties();
  fc.assert(fc.property(properties, (fields) => {
    const content = encodeProperties(fields);
    const bytes = concat(varint(content.length), content);
    reader.read(bytes, 0, bytes.length, Place.Publish);
    assert.equal(reader.end, bytes.length);
    assert.equal(reader.payloadFormatIndicator, fields.payloadFormatIndicator ?? -1);
  }));
});

Deno.test("they are decoded in whatever order they come, and none that is missing appears", () => {
  const bytes = concat(
    property(Property.userProperty, ["b", "1"]),
    property(Property.responseTopic, "r"),
    property(Property.userProperty, ["a", "2"]),
    property(Property.payloadFormatIndicator, 0),
  );
  assert.deepEqual(decodeProperties(bytes), {
    payloadFormatIndicator: 0,
    responseTopic: "r",
    userProperties: [["b", "1"], ["a", "2"]],
  });
  assert.deepEqual(decodeProperties(new Uint8Array()), {});
  assert.deepEqual(encodeProperties({}), new Uint8Array());
  assert.deepEqual(encodeProperties({ userProperties: [] }), new Uint8Array());
});

Deno.test("a byte order mark is part of the text [MQTT-1.5.4-3]", () => {
  const fields = { contentType: "\ufeffx" };
  assert.deepEqual(decodeProperties(encodeProperties(fields)), fields);
});

Deno.test("Correlation Data is the caller's to keep", () => {
  const bytes = encodeProperties({ correlationData: Uint8Array.of(1, 2) });
  const { correlationData } = decodeProperties(bytes);
  bytes.fill(0);
  assert.deepEqual(correlationData, Uint8Array.of(1, 2));
});

Deno.test("a field holds 65,535 bytes and not one more", () => {
  const full = "x".repeat(65_535);
  const rows: ((value: string) => MessageProperties)[] = [
    (contentType) => ({ contentType }),
    (responseTopic) => ({ responseTopic }),
    (value) => ({ correlationData: new TextEncoder().encode(value) }),
    (name) => ({ userProperties: [[name, "v"]] }),
    (value) => ({ userProperties: [["n", value]] }),
  ];
  for (const fieldsWith of rows) {
    const fields = fieldsWith(full);
    assert.deepEqual(decodeProperties(encodeProperties(fields)), fields);
    assert.throws(() => encodeProperties(fieldsWith(full + "x")), RangeError);
  }
  assert.throws(
    () => encodeProperties({ contentType: "é".repeat(32_768) }),
    RangeError,
    "bytes count, not letters",
  );
});
