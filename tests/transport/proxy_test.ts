import assert from "node:assert/strict";
import type { ProxyOptions } from "../../src/transport/proxy_handshake.ts";
import { concat } from "../support/packets.ts";
import { assertTurnedAway, Scene } from "./listener_scene.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const CORRUPT = "notice: Connection rejected, corrupt PROXY header.";

function behindProxy(proxy: Partial<ProxyOptions>): Promise<Scene> {
  const options = { version: 1, requireTls: false, requireCertificate: false, ...proxy } as const;
  return Scene.start({ proxy: options });
}

/** Sends a header and the first bytes of MQTT after it, as a whole and byte by byte. */
async function assertTaken(
  proxy: Partial<ProxyOptions>,
  header: Uint8Array,
  address: string | ((proxyAddress: string) => string),
  extra?: (scene: Scene, peer: unknown) => void,
) {
  for (const cut of [false, true]) {
    await using scene = await behindProxy(proxy);
    const client = await scene.dial();
    client.setNoDelay(true);
    const all = concat(header, encode("mqtt"));
    if (cut) { for (const byte of all) await client.write(Uint8Array.of(byte)); }
    else await client.write(all);
    const core = await scene.broker.connection(0);
    await core.untilReceived(4);
    assert.equal(new TextDecoder().decode(core.received), "mqtt");
    const own = `127.0.0.1:${client.localAddr.port}`;
    assert.equal(core.link.remoteAddress, typeof address === "string" ? address : address(own));
    extra?.(scene, core.link.peer);
  }
}

async function assertRefused(
  proxy: Partial<ProxyOptions>,
  header: Uint8Array,
  lines: readonly string[],
) {
  await using scene = await behindProxy(proxy);
  await assertTurnedAway(await scene.send(header));
  assert.deepEqual(scene.broker.lines, lines);
  assert.equal(scene.broker.accepted.length, 0);
}

// Version 1

Deno.test("v1: the client's address takes the place of the proxy's", async () => {
  await assertTaken({}, encode("PROXY TCP4 192.0.2.5 127.0.0.1 6275 1234\r\n"), "192.0.2.5:6275");
  const long = "PROXY TCP6 2001:db8::1 2001:0db8:0000:0000:0000:0000:0000:0002 1 65535\r\n";
  await assertTaken({}, encode(long), "2001:db8::1:1");
});

Deno.test("v1: UNKNOWN keeps the proxy's address, whatever follows it", async () => {
  await assertTaken({}, encode("PROXY UNKNOWN\r\n"), (own) => own);
  await assertTaken({}, encode("PROXY UNKNOWN ff:: ff:: 1 2\r\n"), (own) => own);
  const longest = `PROXY UNKNOWN ${"f".repeat(107 - 16)}\r\n`;
  assert.equal(longest.length, 107);
  await assertTaken({}, encode(longest), (own) => own);
});

for (
  const [title, line] of [
    ["another protocol", "PROXY TCP3 192.0.2.5 127.0.0.1 6275 1234\r\n"],
    ["another word", "PROXI TCP4 192.0.2.5 127.0.0.1 6275 1234\r\n"],
    ["MQTT", "\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x00"],
    ["108 bytes", `PROXY TCP4 192.0.2.5 127.0.0.1 6275 1234${" ".repeat(66)}\r\n`],
    ["no end in 107 bytes", `PROXY TCP4 ${"1".repeat(200)}`],
    ["no destination port", "PROXY TCP4 192.0.2.5 127.0.0.1 6275\r\n"],
    ["no ports", "PROXY TCP4 192.0.2.5 127.0.0.1\r\n"],
    ["no destination", "PROXY TCP4 192.0.2.5\r\n"],
    ["no address at all", "PROXY TCP4 \r\n"],
    ["too many fields", "PROXY TCP4 192.0.2.5 127.0.0.1 6275 1234 1\r\n"],
    ["destination port 0", "PROXY TCP4 192.0.2.5 127.0.0.1 6275 0\r\n"],
    ["destination port 65536", "PROXY TCP4 192.0.2.5 127.0.0.1 6275 65536\r\n"],
    ["source port 0", "PROXY TCP4 192.0.2.5 127.0.0.1 0 1234\r\n"],
    ["source port 65536", "PROXY TCP4 192.0.2.5 127.0.0.1 65536 1234\r\n"],
    ["a port that is no number", "PROXY TCP4 192.0.2.5 127.0.0.1 a 1234\r\n"],
    ["a source that is no address", "PROXY TCP4 192.0.2.256 127.0.0.1 6275 1234\r\n"],
    ["a destination that is no address", "PROXY TCP4 192.0.2.5 127.0.0 6275 1234\r\n"],
    ["IPv6 as IPv4", "PROXY TCP4 ::1 ::1 6275 1234\r\n"],
    ["IPv4 as IPv6", "PROXY TCP6 192.0.2.5 127.0.0.1 6275 1234\r\n"],
    ["small letters", "proxy tcp4 192.0.2.5 127.0.0.1 6275 1234\r\n"],
  ]
) {
  Deno.test(`v1: refused: ${title}`, async () => {
    await assertRefused({}, encode(line), [CORRUPT]);
  });
}

Deno.test("a client that goes away in the middle of a header is nothing to speak of", async () => {
  await using scene = await behindProxy({});
  const client = await scene.send("PROXY TC");
  await client.closeWrite();
  await assertTurnedAway(client);
  assert.deepEqual(scene.broker.lines, []);
});

// Version 2

const SIGNATURE = [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10];
const IPV4 = [192, 0, 2, 5, 127, 0, 0, 1, 6275 >> 8, 6275 & 255, 4, 210];

interface V2Fields {
  command?: number;
  family?: number;
  address?: readonly number[];
  tlvs?: readonly number[];
  length?: number;
}

function v2(fields: V2Fields = {}): Uint8Array {
  const { command = 0x21, family = 0x11, address = IPV4, tlvs = [] } = fields;
  const length = fields.length ?? address.length + tlvs.length;
  const header = [...SIGNATURE, command, family, length >> 8, length & 255];
  return Uint8Array.from([...header, ...address, ...tlvs]);
}

const tlv = (type: number, value: readonly number[]) => [
  type,
  value.length >> 8,
  value.length & 255,
  ...value,
];
const textTlv = (type: number, value: string) => tlv(type, [...encode(value)]);

/** What a proxy says of the client's TLS; `client` as in its specification. */
function tls(client: number, verify = 0, ...inner: (readonly number[])[]): number[] {
  return tlv(0x20, [client, 0, 0, 0, verify, ...inner.flat()]);
}

const V13 = textTlv(0x21, "TLSv1.3"), CIPHER = textTlv(0x23, "TLS_AES_256_GCM_SHA384");
const NAME = textTlv(0x22, "sensor 7");
const version = 2;

Deno.test("v2: the client's address, of each family", async () => {
  await assertTaken({ version }, v2(), "192.0.2.5:6275");
  const ipv6 = [0x20, 1, 0x0d, 0xb8, ...Array(11).fill(0), 9, ...Array(16).fill(0), 1, 2, 3, 4];
  await assertTaken({ version }, v2({ family: 0x21, address: ipv6 }), "2001:db8::9:258");
  const mapped = [...Array(10).fill(0), 255, 255, 192, 0, 2, 7, ...Array(16).fill(0), 0, 9, 3, 4];
  await assertTaken({ version }, v2({ family: 0x21, address: mapped }), "192.0.2.7:9");
  const unix = [...encode("/run/client"), ...Array(216 - 11).fill(0)];
  await assertTaken({ version }, v2({ family: 0x31, address: unix }), "/run/client:0");
});

Deno.test("v2: what is not known is skipped", async () => {
  const tlvs = [
    ...tlv(4, Array(50).fill(0)),
    ...textTlv(2, "broker.example.org"),
    ...tlv(0xee, []),
  ];
  await assertTaken({ version }, v2({ tlvs }), "192.0.2.5:6275");
});

Deno.test("v2: 500 bytes are taken, 501 are not", async () => {
  await assertTaken({ version }, v2({ tlvs: tlv(4, Array(500 - 15).fill(0)) }), "192.0.2.5:6275");
  await assertRefused({ version }, v2({ tlvs: tlv(4, Array(501 - 15).fill(0)) }), [CORRUPT]);
});

Deno.test("v2: version and cipher of the client's TLS", async () => {
  await assertTaken(
    { version, requireTls: true },
    v2({ tlvs: tls(1, 0, V13, CIPHER) }),
    "192.0.2.5:6275",
    (scene, peer) => {
      assert.deepEqual(peer, {});
      assert.deepEqual(scene.broker.lines, [
        "notice: Connection from 192.0.2.5:6275 negotiated TLSv1.3 cipher TLS_AES_256_GCM_SHA384",
      ]);
    },
  );
});

Deno.test("v2: the name in a certificate, if the proxy found it good", async () => {
  const names = (client: number, verify: number) => v2({ tlvs: tls(client, verify, NAME) });
  const seen: unknown[] = [];
  for (const header of [names(7, 0), names(7, 1), names(1, 0)]) {
    await assertTaken({ version }, header, "192.0.2.5:6275", (_, peer) => seen.push(peer));
  }
  // A byte order mark is part of it: "\ufeffadmin" is not "admin".
  const marked = v2({ tlvs: tls(7, 0, textTlv(0x22, "\ufeffadmin")) });
  await assertTaken({ version }, marked, "192.0.2.5:6275", (_, peer) => {
    assert.deepEqual(peer, { certificateName: "\ufeffadmin" });
  });
  const named = { certificateName: "sensor 7" };
  assert.deepEqual(seen, [named, named, {}, {}, {}, {}]);
});

Deno.test("v2: TLS is asked for by proxy_protocol_v2_require_tls", async () => {
  const line = "notice: Connection from 192.0.2.5:6275 rejected, client did not connect using TLS.";
  await assertRefused({ version, requireTls: true }, v2(), [line]);
  await assertRefused({ version, requireTls: true }, v2({ tlvs: tls(0) }), [line]);
});

Deno.test("v2: a good certificate is asked for by require_certificate", async () => {
  const line =
    "notice: Connection from 192.0.2.5:6275 rejected, client did not provide a certificate.";
  const options = { version, requireCertificate: true } as const;
  for (const tlvs of [[], tls(1), tls(7, 1, NAME)]) {
    await assertRefused(options, v2({ tlvs }), [line]);
  }
  await assertTaken(options, v2({ tlvs: tls(5) }), "192.0.2.5:6275");
});

Deno.test("v2: LOCAL is closed without a word", async () => {
  await assertRefused({ version }, v2({ command: 0x20, family: 0, address: [] }), []);
  await assertRefused({ version }, v2({ command: 0x20 }), []);
});

for (
  const [title, header] of [
    ["another signature", Uint8Array.of(13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 11)],
    ["version 1", encode("PROXY TCP4 192.0.2.5 127.0.0.1 6275 1234\r\n")],
    ["version 3", v2({ command: 0x31 })],
    ["another command", v2({ command: 0x22 })],
    ["UDP", v2({ family: 0x12 })],
    ["no family", v2({ family: 0, address: [] })],
    ["an address that is cut", v2({ address: IPV4.slice(0, 11) })],
    ["nothing in it", v2({ address: [] })],
  ] as const
) {
  Deno.test(`v2: refused: ${title}`, () => assertRefused({ version }, header, [CORRUPT]));
}

for (
  const [title, tlvs] of [
    ["a value that is cut", [4, 0, 9, 1]],
    ["a type alone", [4]],
    ["TLS without its five bytes", tlv(0x20, [1, 0, 0, 0])],
    ["a value in TLS that is cut", tlv(0x20, [1, 0, 0, 0, 0, 0x21, 0, 9, 1])],
    ["a name that is not UTF-8", tls(7, 0, tlv(0x22, [0xc3, 0x28]))],
  ] as const
) {
  Deno.test(`v2: refused, with the address: ${title}`, () =>
    assertRefused({ version }, v2({ tlvs }), [
      "notice: Connection from 192.0.2.5:6275 rejected, corrupt PROXY header.",
    ]));
}
