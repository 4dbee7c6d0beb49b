import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { argon2id } from "../../src/access/argon2id.ts";
import { blake2b } from "../../src/access/blake2b.ts";

const text = (value: string) => new TextEncoder().encode(value);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const filled = (length: number, byte: number) => new Uint8Array(length).fill(byte);

Deno.test("argon2id gives the tag of RFC 9106, section 5.3", () => {
  const tag = argon2id(filled(32, 1), {
    version: 0x13,
    memoryKiB: 32,
    passes: 3,
    lanes: 4,
    salt: filled(16, 2),
    bytes: 32,
    secret: filled(8, 3),
    associatedData: filled(12, 4),
  });
  assert.equal(hex(tag), "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659");
});

/** Made by the reference implementation's command `argon2 SALT -id`. */
const known: [
  name: string,
  parameters: { version: 0x10 | 0x13; memoryKiB: number; passes: number; lanes: number },
  result: string,
][] = [
  [
    "several passes and lanes",
    { version: 0x13, memoryKiB: 256, passes: 2, lanes: 2 },
    "6d093c501fd5999645e0ea3bf620d7b8be7fd2db59c20d9fff9539da2bf57037",
  ],
  [
    "memory that is no multiple of the lanes' quarters",
    { version: 0x13, memoryKiB: 1103, passes: 1, lanes: 3 },
    "fd7ca625b6ceebf8a3879842b14662c722d4fe9a0105a0bc820f926de05f24070595eebbffccfd6fd8d3d740dba3f80dca3a679c470882116193c28c96946cff",
  ],
  [
    "the older version, which overwrites",
    { version: 0x10, memoryKiB: 64, passes: 3, lanes: 1 },
    "15f90fa69e9b99b7bf6e80b577b618dcd2c0ef8f356eb2c5",
  ],
  [
    "a result longer than one hash",
    { version: 0x13, memoryKiB: 2048, passes: 1, lanes: 1 },
    "53f23bbef97808017ad227c1c00828b670aec5cb5c8604eba1ddf38d51fd9c84cef01e889409ac1d06572c3e3325e275d4947f4a1fcc280211e50e45ca0b4e9195bfbdcb3601f85352292d5dd5dab1408df76ebbf4679b4f17960d30da5c5849be185f72ce11f20cbe85c38170e04147",
  ],
];
for (const [name, parameters, result] of known) {
  Deno.test(`argon2id agrees with the reference implementation: ${name}`, () => {
    const bytes = result.length / 2;
    const computed = argon2id(text("password"), { ...parameters, salt: text("somesalt"), bytes });
    assert.equal(hex(computed), result);
  });
}

Deno.test("what an earlier, larger call left in the memory makes no difference", () => {
  const derive = (memoryKiB: number) =>
    hex(argon2id(text("password"), {
      ...{ version: 0x13, memoryKiB, passes: 2, lanes: 2, salt: text("somesalt"), bytes: 32 },
    }));
  const before = derive(256);
  derive(4096);
  assert.equal(derive(256), before);
});

Deno.test("BLAKE2b of less than 64 bytes is that of RFC 7693", () => {
  assert.equal(
    hex(blake2b(text(""), 32)),
    "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8",
  );
  // Across a block's border, and exactly at it.
  assert.equal(hex(blake2b(filled(129, 0x61), 20)), "eeff408d65ecf3235b2586586d331fea9014b8d8");
  assert.equal(
    hex(blake2b(filled(128, 0x61), 63)),
    "87244ab6dec44abdb8ab9b5ca4310c49251d9f3e835d13454b917efd964acf45ab9f5cf3ed38fdd6adae7925435d1f3026c9f6cf4b27993c95c59882559143",
  );
});
