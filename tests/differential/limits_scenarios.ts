import { ack, hex, Property, property, subscribe } from "../support/packets.ts";
import { OPEN, pub, type Scenario, sub } from "./scenario.ts";
import { answer, close, connectAs, leave, send, type Step } from "./script.ts";

const { receiveMaximum, maximumPacketSize, sessionExpiryInterval, topicAlias } = Property;
const LASTING = { clean: false };
const LASTING_5 = { clean: false, properties: property(sessionExpiryInterval, 3600) };

function scenario(line: string, scripts: Scenario["scripts"]): Scenario {
  return { about: line, setting: { configuration: [...OPEN, ...line.split("; ")] }, scripts };
}

/** Numbered messages with a QoS. */
function flood(version: 4 | 5, count: number, qos: number, size = 0): Uint8Array[] {
  return Array.from(
    { length: count },
    (_, at) =>
      pub(version, "t", String(at + 1).padEnd(size, "."), {
        qos,
        packetId: qos > 0 ? at + 1 : undefined,
      }),
  );
}

/** A receiver that does not acknowledge, one that is away, and one that takes everything. */
function crowd(count: number, qos: number, size = 0): Step[] {
  return [
    connectAs("slow", 4, { ...LASTING, answers: false }),
    send("slow", sub(4, "t", 2)),
    connectAs("slow5", 5, { ...LASTING_5, answers: false }),
    send("slow5", sub(5, "t", 2)),
    connectAs("away", 4, LASTING),
    send("away", sub(4, "t", 2)),
    leave("away"),
    connectAs("here", 5),
    send("here", sub(5, "t", 2)),
    connectAs("p", 4),
    ...flood(4, count, qos, size).map((packet) => send("p", packet)),
    ...[answer("slow"), answer("slow5"), connectAs("away", 4, LASTING)],
  ];
}

const mixed: Step[] = [
  connectAs("s", 4, { ...LASTING, answers: false }),
  send("s", sub(4, "t", 2)),
  connectAs("p", 5),
  ...[0, 1, 2, 0].flatMap((qos) => flood(5, 3, qos).map((packet) => send("p", packet))),
  answer("s"),
  leave("s"),
  send("p", ...flood(5, 3, 0)),
  send("p", ...flood(5, 3, 1)),
  connectAs("s", 4, LASTING),
];

const keepAlives = ([3, 4, 5] as const).flatMap((version) =>
  [1, 30, 31, 60].map((keepAliveSeconds) =>
    connectAs(`k${keepAliveSeconds}`, version, { keepAliveSeconds })
  )
);

const sizes: Step[] = ([4, 5] as const).flatMap((version) => [
  connectAs("s", version),
  send("s", sub(version, "#", 2)),
  ...[0, 1, 2].flatMap((qos) =>
    [85, 100, 102, 120].flatMap((size) => [
      connectAs("p", version),
      send("p", pub(version, "t", "x".repeat(size), { qos, retain: size === 102 })),
    ])
  ),
  connectAs("w", version, { will: { topic: "w", payload: "x".repeat(100) } }),
  close("w"),
  connectAs("w", version, { will: { topic: "w", payload: "x".repeat(102) } }),
  close("w"),
]);

export const limitsScenarios: readonly Scenario[] = [
  scenario("max_inflight_messages 2", {
    "QoS 1": crowd(5, 1),
    "QoS 2": [
      connectAs("s", 4, { answers: false }),
      send("s", sub(4, "t", 2)),
      connectAs("p", 4),
      ...flood(4, 4, 2).map((packet) => send("p", packet)),
      send("s", ack("pubrec", 1)),
      send("s", ack("pubrec", 2)),
      send("s", ack("pubcomp", 1)),
      send("s", ack("pubcomp", 2)),
      send("s", ack("pubrec", 3)),
    ],
    "the client's Receive Maximum": [
      connectAs("s", 5, { properties: property(receiveMaximum, 1), answers: false }),
      send("s", sub(5, "t", 1)),
      connectAs("big", 5, { properties: property(receiveMaximum, 9), answers: false }),
      send("big", sub(5, "t", 1)),
      connectAs("p", 5),
      send("p", ...flood(5, 4, 1)),
      answer("s"),
      answer("big"),
    ],
  }),
  scenario("max_inflight_messages 0", { "QoS 1": crowd(25, 1) }),
  scenario("max_inflight_bytes 10", {
    "QoS 1": [
      connectAs("s", 4, { answers: false }),
      send("s", sub(4, "t", 1)),
      connectAs("p", 4),
      ...flood(4, 4, 1, 4).map((packet) => send("p", packet)),
      send("s", ack("puback", 1)),
      send("s", ack("puback", 2)),
    ],
    "one that is larger": crowd(2, 1, 40),
  }),
  scenario("max_queued_messages 3; max_inflight_messages 2", {
    "QoS 1": crowd(9, 1),
    "QoS 2 for one who is away": crowd(9, 2).filter((step) =>
      !("client" in step && step.client.startsWith("slow"))
    ),
    "all of them mixed": mixed,
  }),
  scenario("max_queued_bytes 20; max_inflight_messages 2", { "QoS 1": crowd(9, 1, 8) }),
  scenario("queue_qos0_messages true", { "all QoS mixed": mixed }),
  scenario("queue_qos0_messages false", { "all QoS mixed": mixed }),
  scenario("upgrade_outgoing_qos true", {
    "live and retained": [
      connectAs("p", 4),
      send("p", pub(4, "t", "kept", { retain: true })),
      connectAs("s", 4),
      send("s", subscribe(4, { filters: [["t", 2], ["+", 1], ["#", 0]] })),
      send("p", pub(4, "t", "live")),
      send("p", pub(4, "t", "live", { qos: 1 })),
      send("p", pub(4, "t", "live", { qos: 2 })),
    ],
  }),
  scenario("allow_duplicate_messages true", { overlapping: overlapping() }),
  scenario("allow_duplicate_messages false", {
    "of the same QoS": [
      connectAs("s", 4),
      send("s", subscribe(4, { filters: [["a/#", 1], ["a/+", 1], ["a/b", 1]] })),
      connectAs("p", 5),
      ...[0, 1, 2].map((qos) => send("p", pub(5, "a/b", "x", { qos }))),
    ],
    "the highest QoS": [
      connectAs("s", 4),
      send("s", subscribe(4, { filters: [["a/#", 0], ["a/+", 2], ["a/b", 1]] })),
      send("s", pub(4, "a/b", "x", { qos: 2 })),
    ],
    "MQTT 5": [
      connectAs("s", 5),
      send("s", subscribe(5, { filters: [["a/#", 0], ["a/b", 0]] })),
      send("s", pub(5, "a/b", "x")),
    ],
  }),
  scenario("retain_available false", {
    "retained messages": ([3, 4, 5] as const).flatMap((version) => [
      connectAs("p", version),
      send("p", pub(version, "t", "kept", { retain: true, qos: 1 })),
      connectAs("w", version, { will: { topic: "w", payload: "x", retain: true } }),
      connectAs("s", version),
      send("s", sub(version, "#")),
    ]),
  }),
  scenario("max_keepalive 30", { "keep alive": keepAlives.filter(isFive) }),
  scenario("max_packet_size 120", { sizes }),
  scenario("message_size_limit 100", { sizes }),
  scenario("max_connections 2", {
    "the third": [
      connectAs("a", 4),
      connectAs("b", 5),
      connectAs("c", 4),
      close("a"),
      connectAs("d", 5),
      connectAs("e", 5),
      leave("b"),
      leave("d"),
    ],
  }),
  scenario("max_topic_alias 3", {
    aliases: [
      connectAs("s", 5),
      send("s", sub(5, "#")),
      ...[3, 4].flatMap((alias) => [
        connectAs("p", 5),
        send("p", pub(5, "a", "1", { properties: property(topicAlias, alias) })),
        send("p", pub(5, "", "2", { properties: property(topicAlias, alias) })),
        send("p", pub(5, "b", "3", { properties: property(topicAlias, alias) })),
        send("p", pub(5, "", "4", { properties: property(topicAlias, alias) })),
      ]),
      send("p", pub(5, "", "5", { properties: property(topicAlias, 2) })),
    ],
  }),
  scenario("max_qos 1", {
    QoS: ([4, 5] as const).flatMap((version) => [
      connectAs("s", version),
      send("s", subscribe(version, { filters: [["t", 2], ["u", 1], ["v", 0]] })),
      connectAs("p", version),
      send("p", pub(version, "t", "1", { qos: 1 })),
      send("p", pub(version, "t", "2", { qos: 2 })),
      connectAs("w", version, { will: { topic: "t", payload: "w", qos: 2 } }),
    ]),
  }),
  {
    about: "mount_point",
    setting: {
      configuration: [
        ...OPEN,
        "mount_point m/",
        "listener {port2} 127.0.0.1",
        "allow_anonymous true",
      ],
    },
    scripts: {
      "two listeners": [
        connectAs("in", 5, { will: { topic: "will", payload: "w" } }),
        connectAs("out", 4, { listener: 1 }),
        send("in", subscribe(5, { filters: [["#", 1], ["$SYS/x", 0], ["$share/g/t", 1]] })),
        send("out", sub(4, "#", 1)),
        send("in", pub(5, "t", "in", { qos: 1, retain: true })),
        send("out", pub(4, "t", "out", { qos: 1, retain: true })),
        send("out", pub(4, "m/t", "out", { qos: 1 })),
        send("out", pub(4, "m", "out", { qos: 1 })),
        connectAs("in2", 4),
        send("in2", sub(4, "+", 1)),
        connectAs("out2", 4, { listener: 1 }),
        send("out2", sub(4, ["+", "m/#"], 1)),
        close("in"),
      ],
    },
  },
  scenario("max_packet_size 300", {
    "one byte too many": [
      connectAs("p", 4),
      send("p", pub(4, "t", "x".repeat(295))),
      send("p", pub(4, "t", "x".repeat(294))),
    ],
    "the client's Maximum Packet Size": [
      connectAs("s", 5, { properties: property(maximumPacketSize, 60) }),
      send("s", sub(5, "#", 1)),
      connectAs("p", 5),
      ...[10, 51, 52, 54, 100].map((size) => send("p", pub(5, "t", "x".repeat(size), { qos: 1 }))),
      connectAs("tiny", 5, { properties: property(maximumPacketSize, 4) }),
    ],
    "one byte too many for the client": [
      connectAs("s", 5, { properties: property(maximumPacketSize, 60) }),
      send("s", sub(5, "#", 1)),
      send("s", pub(5, "t", "x".repeat(53), { qos: 1 })),
    ],
    "a PINGREQ with a body": [connectAs("a", 5), send("a", hex("c001 00"))],
  }),
];

function isFive(step: Step): boolean {
  return step.kind === "connect" && step.version === 5;
}

/** Somebody with three subscriptions of each version, and messages to all of them. */
function overlapping(): Step[] {
  return ([4, 5] as const).flatMap((version) => [
    connectAs("s", version),
    send("s", subscribe(version, { filters: [["a/#", 0], ["a/+", 2], ["a/b", 1]] })),
    connectAs("p", version),
    send("p", pub(version, "a/b", "0")),
    send("p", pub(version, "a/b", "1", { qos: 1 })),
    send("p", pub(version, "a/b", "2", { qos: 2 })),
    send("p", pub(version, "a/b", "kept", { qos: 2, retain: true, packetId: 2 })),
    connectAs("t", version),
    send("t", subscribe(version, { filters: [["a/#", 0], ["a/+", 2], ["a/b", 1]] })),
  ]);
}
