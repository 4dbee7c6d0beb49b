/**
 * Packets that are malformed, forbidden or on the edge, and what the broker answers: bytes ↔ meaning.
 *
 * A runner gives each case a connection of its own: for the phase "connected" it sends
 * `connectBefore(version)` and takes the CONNACK off first. It sends the case's bytes, follows those
 * that survive with PINGREQ, collects what comes back until the broker closes or answers that, and
 * hands it to `assertOutcome`. The limits are the defaults: Topic Alias Maximum 10, Maximum Packet
 * Size 2,000,000, QoS 2, retain, anonymous clients.
 * @module
 */
import assert from "node:assert/strict";
import { connectCases } from "./connect_cases.ts";
import { connectedCases } from "./connected_cases.ts";
import { decodePackets, type ServerPacketType } from "./packet_decoder.ts";
import { connect, hex, type Version } from "./packets.ts";

/** What the broker does. */
export type Expectation =
  /** It closes, after exactly the packets named, or without a word. */
  | {
    readonly close: true;
    /** The return or reason code of a refusing CONNACK. */
    readonly connack?: number;
    /** The reason of a DISCONNECT; several if the specification leaves the choice. */
    readonly disconnect?: number | readonly number[];
    /** That CONNACK or DISCONNECT may as well be left out. */
    readonly optional?: true;
    /** What comes before that because of good packets in the same bytes. */
    readonly answers?: readonly ServerPacketType[];
    /** The answer byte for byte, as hexadecimal digits. */
    readonly raw?: string;
  }
  /** It goes on serving the connection. */
  | {
    readonly survives: true;
    /** The answers, without the PINGRESP that shows the survival. */
    readonly answers?: readonly ServerPacketType[];
    /** The reason of the last of them. */
    readonly reason?: number;
    /** The answers byte for byte, as hexadecimal digits. */
    readonly raw?: string;
  }
  /** It refuses the subscription by SUBACK or closes with DISCONNECT; both are right. */
  | { readonly refused: true };

/** A row of the table; `bytes` and `expect` may depend on the version. */
export interface PacketCaseRow {
  readonly name: string;
  /** Default: all. */
  readonly versions?: readonly Version[];
  readonly phase: "first" | "connected";
  readonly bytes: Uint8Array | ((version: Version) => Uint8Array);
  readonly expect: Expectation | ((version: Version) => Expectation);
}

/** A row for one version. */
export interface PacketCase {
  readonly name: string;
  readonly version: Version;
  readonly phase: "first" | "connected";
  readonly bytes: Uint8Array;
  readonly expect: Expectation;
}

/** The whole table. */
const packetCases: readonly PacketCaseRow[] = [...connectCases, ...connectedCases];

/** The rows of the table that concern a version. */
export function casesFor(version: Version): PacketCase[] {
  return packetCases.filter((row) => row.versions?.includes(version) ?? true).map((row) => ({
    name: row.name,
    version,
    phase: row.phase,
    bytes: typeof row.bytes === "function" ? row.bytes(version) : row.bytes,
    expect: typeof row.expect === "function" ? row.expect(version) : row.expect,
  }));
}

/** The CONNECT that goes before the cases of the phase "connected". */
export function connectBefore(version: Version, clientId = "case"): Uint8Array {
  return connect(version, { clientId });
}

/** Checks what came back for a case: all bytes after the CONNACK of `connectBefore`, and the close. */
export function assertOutcome(
  { name, version, expect }: PacketCase,
  received: Uint8Array,
  closed: boolean,
): void {
  const { packets, rest } = decodePackets(received, version);
  assert.equal(rest.length, 0, `${name}: an incomplete packet came back`);
  const types = packets.map((packet) => packet.type);
  const last = packets.at(-1);
  if ("refused" in expect) {
    if (closed) return assert.deepEqual(types, version === 5 ? ["disconnect"] : [], name);
    assert.deepEqual(types, ["suback", "pingresp"], name);
    assert.ok(packets[0].reasons!.every((reason) => reason >= 0x80), name);
  } else if ("survives" in expect) {
    assert.ok(!closed, `${name}: closed after ${types}, reason ${last?.reason}`);
    assert.equal(types.pop(), "pingresp", name);
    assert.deepEqual(types, expect.answers ?? [], name);
    const answer = packets.at(-2);
    if (expect.reason !== undefined) assert.equal(answer?.reason, expect.reason, name);
    if (expect.raw !== undefined) {
      assert.deepEqual(received.subarray(0, -last!.raw.length), hex(expect.raw), name);
    }
  } else {
    assert.ok(closed, `${name}: not closed after ${types}`);
    if (expect.raw !== undefined) return assert.deepEqual(received, hex(expect.raw), name);
    const { connack, disconnect, optional, answers = [] } = expect;
    if (optional && types.length === answers.length) return assert.deepEqual(types, answers, name);
    const ending = connack !== undefined
      ? ["connack"]
      : disconnect !== undefined
      ? ["disconnect"]
      : [];
    assert.deepEqual(types, [...answers, ...ending], `${name}: reason ${last?.reason}`);
    const codes = connack ?? disconnect;
    if (codes === undefined) return;
    assert.ok(
      [codes].flat().includes(last!.reason!),
      `${name}: reason ${last!.reason}, not ${codes}`,
    );
  }
}
