import assert from "node:assert/strict";
import fc from "fast-check";
import {
  isTopicFilter,
  isTopicName,
  isUtf8String,
  TOPIC_LEVELS_MAXIMUM,
} from "../../src/wire/utf8.ts";

const encoder = new TextEncoder();

/** Well-formed by the platform's own decoder, and nothing in it that is refused. */
function expected(bytes: Uint8Array): boolean {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return false;
  }
  for (const character of text) {
    const point = character.codePointAt(0)!;
    if (point < 0x20 || point >= 0x7f && point < 0xa0) return false;
    if (point >= 0xfdd0 && point <= 0xfdef || (point & 0xfffe) === 0xfffe) return false;
  }
  return true;
}

/** Bytes in which sequences begin, go on and end in the wrong place. */
const awkwardByte = fc.constantFrom(
  ...[0x00, 0x1f, 0x20, 0x7e, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2],
  ...[0xdf, 0xe0, 0xed, 0xef, 0xb7, 0xbf, 0xbe, 0xf0, 0xf4, 0xf5, 0xf8, 0xff],
);

Deno.test("any bytes are a UTF-8 string exactly when the platform says so", () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 12 }),
    fc.array(awkwardByte, { maxLength: 8 }).map((list) => Uint8Array.from(list)),
  );
  fc.assert(
    fc.property(bytes, (bytes) => {
      assert.equal(isUtf8String(bytes, 0, bytes.length), expected(bytes));
    }),
    { numRuns: 5000 },
  );
});

Deno.test("every code point is judged right, alone and between others", () => {
  for (let point = 0; point <= 0x10ffff; point += point < 0x3000 ? 1 : 13) {
    if (point >= 0xd800 && point <= 0xdfff) continue;
    const alone = encoder.encode(String.fromCodePoint(point));
    const verdict = isUtf8String(alone, 0, alone.length);
    assert.equal(verdict, expected(alone), `U+${point.toString(16)}`);
    const inside = encoder.encode(`é${String.fromCodePoint(point)}z`);
    assert.equal(isUtf8String(inside, 0, inside.length), verdict);
    // Cut off it is none, though the bytes go on behind the end.
    if (alone.length > 1) assert.ok(!isUtf8String(alone, 0, alone.length - 1));
  }
});

Deno.test("a byte order mark is a character like others", () => {
  const bytes = encoder.encode("\ufeffa");
  assert.ok(isUtf8String(bytes, 0, bytes.length));
  assert.ok(isTopicName(bytes, 0, bytes.length));
});

const character = fc.constantFrom("/", "/", "+", "#", "a", "$", "é", " ");
const text = fc.array(character, { maxLength: 8 }).map((list) => list.join(""));

Deno.test("a Topic Filter is what section 4.7 says, level by level", () => {
  fc.assert(
    fc.property(text, (filter) => {
      const levels = filter.split("/");
      const valid = filter !== "" &&
        levels.every((level, index) =>
          !/[+#]/.test(level) || level === "+" || level === "#" && index === levels.length - 1
        );
      assert.equal(isTopicFilter(filter), valid);
    }),
    { numRuns: 3000 },
  );
});

Deno.test("a Topic Name is any string with a character and without a wildcard", () => {
  fc.assert(
    fc.property(text, (name) => {
      const bytes = encoder.encode(name);
      assert.equal(isTopicName(bytes, 0, bytes.length), name !== "" && !/[+#]/.test(name));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("names and filters end at 201 levels", () => {
  const slashes = (count: number) => "/".repeat(count);
  const atLimit = encoder.encode(slashes(TOPIC_LEVELS_MAXIMUM - 1));
  const beyond = encoder.encode(slashes(TOPIC_LEVELS_MAXIMUM));
  assert.ok(isTopicName(atLimit, 0, atLimit.length));
  assert.ok(!isTopicName(beyond, 0, beyond.length));
  assert.ok(isTopicFilter(slashes(TOPIC_LEVELS_MAXIMUM - 1)));
  assert.ok(!isTopicFilter(slashes(TOPIC_LEVELS_MAXIMUM)));
  assert.ok(!isTopicFilter(slashes(65_535)));
});
