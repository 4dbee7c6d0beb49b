import assert from "node:assert/strict";
import fc from "fast-check";
import { FrameDecoder } from "../../src/transport/web_socket_frames.ts";
import { concat } from "../support/packets.ts";
import { frame, type FrameFields } from "./web_socket_client.ts";

const bytes = (...values: number[]) => Uint8Array.from(values);
const text = (value: string) => new TextEncoder().encode(value);
const PING = 9, PONG = 10, CLOSE = 8, TEXT = 1, CONTINUATION = 0;

/** What a decoder makes of bytes that come in chunks of these lengths; the last length repeats. */
function decode(input: Uint8Array, cuts: readonly number[] = [input.length || 1]) {
  const decoder = new FrameDecoder();
  const payload: Uint8Array[] = [];
  const pings: string[] = [];
  for (let at = 0, index = 0; at < input.length; index++) {
    const length = cuts[Math.min(index, cuts.length - 1)];
    // In the middle of a larger buffer: nothing around it may be touched or taken for part of it.
    const buffer = new Uint8Array(length + 8).fill(0xee);
    const chunk = input.subarray(at, at + length);
    const view = buffer.subarray(3, 3 + length);
    view.set(chunk);
    payload.push(view.slice(0, decoder.decode(view, chunk.length)));
    assert.ok([...buffer.subarray(0, 3), ...buffer.subarray(3 + length)].every((b) => b === 0xee));
    if (decoder.ping !== null) {
      pings.push(new TextDecoder().decode(decoder.ping));
      decoder.ping = null;
    }
    at += length;
  }
  return { payload: concat(...payload), pings, ending: decoder.ending };
}

/** The same however it is cut. */
function check(input: Uint8Array, expected: Partial<ReturnType<typeof decode>>) {
  for (const cuts of [[input.length || 1], [1], [2], [3, 1], [7], [13, 2]]) {
    const { payload, pings, ending } = decode(input, cuts);
    assert.deepEqual(
      { payload, pings, ending },
      { payload: bytes(), pings: [], ending: null, ...expected },
      `cut at ${cuts}`,
    );
  }
}

const refusal = (code: number, what: string) => ({
  code,
  mistake: `WebSocket protocol error: ${what}`,
});

Deno.test("the masked example of RFC 6455, with a binary opcode", () => {
  // Section 5.7: 0x81 0x85 0x37 0xfa 0x21 0x3d 0x7f 0x9f 0x4d 0x51 0x58 contains "Hello".
  check(bytes(0x82, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58), {
    payload: text("Hello"),
  });
});

Deno.test("payload is one stream of bytes, whatever the frames", () => {
  const lengths = [0, 1, 2, 3, 4, 5, 63, 64, 65, 66, 67, 125, 126, 127, 255, 256, 1000];
  const parts = lengths.map((length) => new Uint8Array(length).map((_, at) => at * 7 + length));
  const masks = [[1, 2, 3, 4], [0, 0, 0, 0], [255, 255, 255, 255], [0x80, 0x7f, 0, 9]] as const;
  const frames = parts.map((part, index) => frame(part, { mask: masks[index % 4] }));
  check(concat(...frames), { payload: concat(...parts) });
});

Deno.test("lengths of 16 and 64 bits", () => {
  for (const length of [65_535, 65_536, 70_000]) {
    const payload = new Uint8Array(length).map((_, at) => at ^ at >> 8);
    const { payload: found } = decode(frame(payload), [4096]);
    assert.deepEqual(found, payload);
  }
  // Longer than it need be: nothing is gained by refusing it.
  check(frame(text("ab"), { lengthBytes: 3 }), { payload: text("ab") });
  check(frame(text("ab"), { lengthBytes: 9 }), { payload: text("ab") });
});

Deno.test("a frame of 9 PB is begun, for nothing of it is kept", () => {
  const { payload, ending } = decode(frame(text("abc"), { length: Number.MAX_SAFE_INTEGER }));
  assert.deepEqual([payload, ending], [text("abc"), null]);
});

Deno.test("fragments, with control frames between them", () => {
  check(
    concat(
      frame(text("a"), { fin: false }),
      frame(text("one"), { opcode: PING }),
      frame(text("b"), { opcode: CONTINUATION, fin: false }),
      frame(text(""), { opcode: CONTINUATION, fin: false }),
      frame(text("ignored"), { opcode: PONG }),
      frame(text("c"), { opcode: CONTINUATION }),
      frame(text("d")),
    ),
    { payload: text("abcd"), pings: ["one"] },
  );
});

Deno.test("an empty Ping is one, and so is one of 125 bytes", () => {
  check(frame(text(""), { opcode: PING }), { pings: [""] });
  const longest = "x".repeat(125);
  check(frame(text(longest), { opcode: PING }), { pings: [longest] });
});

Deno.test("of several Pings in one chunk the last waits for its answer", () => {
  const input = concat(frame(text("1"), { opcode: PING }), frame(text("2"), { opcode: PING }));
  assert.deepEqual(decode(input).pings, ["2"]);
});

const refused: [string, Uint8Array, FrameFields, number, string][] = [
  ["a text frame", text("a"), { opcode: TEXT }, 1003, "a text frame"],
  ["no mask", text("a"), { masked: false }, 1002, "a frame is not masked"],
  ["RSV1", text("a"), { reserved: 0x40 }, 1002, "reserved bits are set"],
  ["RSV2", text("a"), { reserved: 0x20 }, 1002, "reserved bits are set"],
  ["RSV3 on a Ping", text("a"), { reserved: 0x10, opcode: PING }, 1002, "reserved bits are set"],
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) =>
    [`opcode ${opcode}`, text(""), { opcode }, 1002, `opcode ${opcode} is reserved`] as [
      string,
      Uint8Array,
      FrameFields,
      number,
      string,
    ]
  ),
  [
    "a continuation of nothing",
    text("a"),
    { opcode: CONTINUATION },
    1002,
    "fragments of a message are out of order",
  ],
  [
    "a Ping in fragments",
    text("a"),
    { opcode: PING, fin: false },
    1002,
    "a control frame is fragmented",
  ],
  [
    "a Ping of 126 bytes",
    new Uint8Array(126),
    { opcode: PING },
    1002,
    "a control frame is too long",
  ],
  [
    "a length above 2^53",
    text(""),
    { length: 2 ** 54, lengthBytes: 9 },
    1009,
    "a frame is too large",
  ],
  ["a close code alone by half", bytes(3), { opcode: CLOSE }, 1002, "half a close code"],
  ...[0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535].map((code) =>
    [
      `close code ${code}`,
      bytes(code >> 8, code),
      { opcode: CLOSE },
      1002,
      `close code ${code}`,
    ] as [string, Uint8Array, FrameFields, number, string]
  ),
  [
    "a reason that is not UTF-8",
    bytes(3, 232, 0xc3, 0x28),
    { opcode: CLOSE },
    1007,
    "a close reason that is not UTF-8",
  ],
];

for (const [title, payload, fields, code, what] of refused) {
  Deno.test(`refused with ${code}: ${title}`, () => {
    // What came before it counts, what comes after it does not.
    const input = concat(frame(text("before")), frame(payload, fields), frame(text("after")));
    check(input, { payload: text("before"), ending: refusal(code, what) });
  });
}

Deno.test("refused with 1002: a length whose highest bit is set", () => {
  const header = bytes(0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4);
  check(header, { ending: refusal(1002, "a length has 64 bits") });
});

Deno.test("refused with 1002: a new message before the end of the last", () => {
  const input = concat(frame(text("a"), { fin: false }), frame(text("b")));
  check(input, {
    payload: text("a"),
    ending: refusal(1002, "fragments of a message are out of order"),
  });
});

Deno.test("the peer may close with these codes, and without", () => {
  for (const code of [1000, 1001, 1002, 1003, 1007, 1011, 1012, 1013, 1014, 3000, 4999]) {
    const payload = concat(bytes(code >> 8, code), text("grüß"));
    check(frame(payload, { opcode: CLOSE }), { ending: { code, mistake: null } });
  }
  check(frame(bytes(), { opcode: CLOSE }), { ending: { code: 1005, mistake: null } });
});

Deno.test("nothing after a Close frame is looked at", () => {
  const input = concat(frame(bytes(3, 232), { opcode: CLOSE }), frame(text("a"), { opcode: PING }));
  check(input, { ending: { code: 1000, mistake: null } });
});

Deno.test("any frames, cut anyhow, give their payload in order", () => {
  const part = fc.record({
    payload: fc.uint8Array({ maxLength: 300 }),
    mask: fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255)),
    ping: fc.boolean(),
  });
  const cuts = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 30 });
  fc.assert(fc.property(fc.array(part, { maxLength: 20 }), cuts, (parts, cuts) => {
    const input = concat(...parts.map(({ payload, mask, ping }) =>
      concat(
        ping ? frame(payload.subarray(0, 125), { opcode: PING }) : bytes(),
        frame(payload, { mask }),
      )
    ));
    const { payload, ending } = decode(input, cuts);
    assert.deepEqual([payload, ending], [concat(...parts.map(({ payload }) => payload)), null]);
  }));
});

Deno.test("any bytes are decoded without an exception, and no more comes out than went in", () => {
  const cuts = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 10 });
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), cuts, (input, cuts) => {
    assert.ok(decode(input, cuts).payload.length <= input.length);
  }));
});
