import {
  ack,
  concat,
  disconnect,
  Property,
  property,
  subscribe,
  unsubscribe,
  type Version,
} from "../support/packets.ts";
import { OPEN, pub, type Scenario, sub } from "./scenario.ts";
import { close, connectAs, leave, pause, send, type Step } from "./script.ts";

const NO_LOCAL = 4, AS_PUBLISHED = 8;
const RETAIN_IF_NEW = 0x10, RETAIN_NEVER = 0x20;
const { sessionExpiryInterval, willDelayInterval, messageExpiryInterval, userProperty } = Property;

function eachVersion(steps: (version: Version) => Step[]): Step[] {
  return ([3, 4, 5] as const).flatMap(steps);
}

const kept = (version: Version, ...topics: string[]) =>
  topics.map((topic) => send("p", pub(version, topic, `kept ${topic}`, { retain: true, qos: 1 })));

const ALL_PROPERTIES = concat(
  property(userProperty, ["k", "1"]),
  property(Property.contentType, "text"),
  property(Property.payloadFormatIndicator, 1),
  property(Property.correlationData, new Uint8Array([1, 2])),
  property(userProperty, ["k", "0"]),
  property(Property.responseTopic, "answers/here"),
  property(messageExpiryInterval, 1000),
);

const retained: Scenario["scripts"] = {
  "order over wildcards": eachVersion((version) => [
    connectAs("p", version),
    ...kept(version, "a/b/c", "a", "a/b", "b", "a/c", "/", "//", "a/", "$x/y", "c/d"),
    ...["#", "a/+", "+", "+/+", "a/b/c", "$x/#", "/#", "nothing"].flatMap((filter, at) => [
      connectAs(`s${at}`, version),
      send(`s${at}`, sub(version, filter, 1)),
    ]),
  ]),
  "parents before children": [
    connectAs("p", 4),
    ...kept(4, "a/b/c", "a", "a/b"),
    connectAs("s", 4),
    send("s", sub(4, "a/#")),
    send("s", sub(4, "+/b/#")),
  ],
  "the same filter twice in a packet": [
    connectAs("p", 4),
    ...kept(4, "a"),
    connectAs("s", 4),
    send("s", sub(4, ["a", "a"])),
  ],
  "replacing and clearing": eachVersion((version) => [
    connectAs("s", version),
    send("s", sub(version, "#", 2)),
    connectAs("p", version),
    ...kept(version, "a", "b", "a"),
    send("p", pub(version, "a", "", { retain: true })),
    send("p", pub(version, "a", "", { retain: true, qos: 1 })),
    connectAs("late", version),
    send("late", sub(version, "#", 2)),
    send("late", sub(version, "#", 1)),
  ]),
  "retain as published, no local, retain handling": [
    connectAs("p", 5),
    ...kept(5, "a", "b"),
    send("p", sub(5, ["a", "b"], 1 | AS_PUBLISHED)),
    send("p", sub(5, "c", 1 | RETAIN_NEVER | AS_PUBLISHED)),
    ...kept(5, "a", "b", "c"),
    ...[0, RETAIN_IF_NEW, RETAIN_NEVER].flatMap((handling) => [
      send("p", unsubscribe(5, { filters: ["+"] })),
      send("p", sub(5, "+", 1 | handling)),
      send("p", sub(5, "+", 1 | handling)),
    ]),
  ],
  "no local": [
    connectAs("p", 5),
    send("p", sub(5, "own", 1 | NO_LOCAL | RETAIN_IF_NEW)),
    send("p", pub(5, "own", "nobody gets it", { qos: 1 })),
  ],
  "no local, added to a subscription": [
    connectAs("p", 5),
    send("p", sub(5, "a", 1)),
    send("p", sub(5, "a", 1 | NO_LOCAL)),
    send("p", pub(5, "a", "own", { qos: 1 })),
  ],
  "properties": [
    connectAs("p", 5),
    send("p", pub(5, "a", "1", { retain: true, properties: ALL_PROPERTIES })),
    connectAs("five", 5),
    send("five", subscribe(5, { filters: [["a", 1]], properties: property(0x0b, 77) })),
    connectAs("four", 4),
    send("four", sub(4, "a", 1)),
    send("p", pub(5, "a", "1", { qos: 2, properties: ALL_PROPERTIES })),
  ],
};

const subscriptions: Scenario["scripts"] = {
  "overlapping with identifiers": [
    connectAs("s", 5),
    send("s", subscribe(5, { filters: [["a/#", 2]], properties: property(0x0b, 1) })),
    send("s", subscribe(5, { filters: [["a/+", 1]], properties: property(0x0b, 2) })),
    send("s", subscribe(5, { filters: [["a/b", 0]] })),
    connectAs("p", 5),
    ...[0, 1, 2].map((qos) => send("p", pub(5, "a/b", "x", { qos }))),
    send("s", subscribe(5, { filters: [["a/#", 0]], properties: property(0x0b, 268_435_455) })),
    send("s", subscribe(5, { filters: [["a/+", 1]] })),
    send("p", pub(5, "a/b", "x", { qos: 2, packetId: 2 })),
  ],
  "no subscription, to a name with $": [
    connectAs("s", 5),
    send("s", unsubscribe(5, { filters: ["$never/+"] })),
  ],
  "answers": eachVersion((version) => [
    connectAs("s", version),
    send("s", subscribe(version, { filters: [["a", 0], ["b/+/c", 1], ["#", 2], ["a", 2]] })),
    send("s", unsubscribe(version, { filters: ["a", "nothing", "#", "#"], packetId: 7 })),
    send("s", pub(version, "b/x/c", "self", { qos: 1 })),
    send("s", pub(version, "b/x/c", "self", { qos: 2 })),
    send("s", pub(version, "nobody", "", { qos: 1 })),
    send("s", pub(version, "nobody", "", { qos: 2, packetId: 3 })),
    send("s", sub(version, "", 0)),
  ]),
  ...Object.fromEntries(
    ["a/#/b", "a#", "a/b+", "+a", "$share/g+/a", "$share/g/a"].map(
      (filter) => [
        `the filter ${filter}`,
        eachVersion((version) => [
          connectAs("s", version),
          send("s", sub(version, filter, 1)),
          send("s", unsubscribe(version, { filters: [filter] })),
        ]),
      ],
    ),
  ),
  "shared ones that lack a part": [
    connectAs("four", 4),
    send("four", sub(4, ["$share/g", "$share//a", "$share/g/"])),
    connectAs("five", 5),
    send("five", sub(5, ["$share/g", "$share//a", "$share/g/"])),
  ],
  "levels": eachVersion((version) => [
    connectAs("s", version),
    send("s", sub(version, ["a/+/c", "/", "+/+", "+", "$a/#", "ü/#"], 0)),
    ...["a//c", "/", "a/b", "a", "$a", "$a/b", "ü/€", "a/b/c/d", "/a"].map((topic) =>
      send("s", pub(version, topic, "x"))
    ),
  ]),
  "shared ones take turns": [
    ...["a", "b", "c"].flatMap((client, at) => [
      connectAs(client, at === 1 ? 4 : 5),
      send(client, sub(at === 1 ? 4 : 5, "$share/g/t/#", 1)),
    ]),
    send("c", sub(5, "$share/h/t/+", 2)),
    send("a", sub(5, "t/1", 0)),
    connectAs("p", 5),
    ...Array.from(
      { length: 7 },
      (_, at) =>
        send(
          "p",
          pub(5, `t/${at % 2}`, String(at), { qos: at % 3, packetId: at % 3 ? 1 + at : undefined }),
        ),
    ),
    leave("b"),
    ...Array.from({ length: 4 }, (_, at) => send("p", pub(5, "t/1", String(at)))),
    send("a", unsubscribe(5, { filters: ["$share/g/t/#"] })),
    ...Array.from({ length: 3 }, (_, at) => send("p", pub(5, "t/1", String(at)))),
  ],
  "shared ones with a member that is away": [
    connectAs("away", 4, { clean: false }),
    send("away", sub(4, "$share/g/t", 1)),
    leave("away"),
    connectAs("here", 4),
    send("here", sub(4, "$share/g/t", 1)),
    send("here", pub(4, "t", "1", { qos: 1 })),
    connectAs("away", 4, { clean: false }),
  ],
  "shared ones and retained messages": [
    connectAs("p", 5),
    ...kept(5, "t"),
    connectAs("a", 5),
    send("a", sub(5, "$share/g/t", 1)),
  ],
  "shared ones and No Local": [connectAs("a", 5), send("a", sub(5, "$share/g/t", 1 | NO_LOCAL))],
};

const flows: Scenario["scripts"] = {
  "QoS 2 with repeats": eachVersion((version) => [
    connectAs("s", version),
    send("s", sub(version, "#", 2)),
    connectAs("p", version),
    send("p", pub(version, "a", "1", { qos: 2, packetId: 9 })),
    send("p", pub(version, "a", "1", { qos: 2, packetId: 9, dup: true })),
    send("p", ack("pubrel", 9)),
    send("p", ack("pubrel", 9)),
    send("p", pub(version, "a", "1", { qos: 2, packetId: 9, dup: true })),
    send("p", ack("pubrel", 9)),
    send(
      "p",
      pub(version, "a", "2", { qos: 2, packetId: 9 }),
      pub(version, "a", "3", { qos: 1, packetId: 9 }),
    ),
    send("p", pub(version, "a", "other", { qos: 2, packetId: 9 })),
    send("p", ack("pubrel", 9)),
  ]),
  "acknowledgements nobody waits for": eachVersion((version) =>
    (["puback", "pubrec", "pubrel", "pubcomp"] as const).flatMap((type) => [
      connectAs("a", version),
      send("a", ack(type, 5)),
      send("a", pub(version, "t", "still there", { qos: 1 })),
    ])
  ),
  ...Object.fromEntries(([3, 4, 5] as const).map((version) => [
    `the wrong acknowledgement, MQTT ${version}`,
    ([[1, "pubrec"], [1, "pubcomp"], [2, "puback"], [2, "pubcomp"]] as const).flatMap((
      [qos, type],
    ) => [
      connectAs("s", version, { answers: false }),
      send("s", sub(version, "t", 2)),
      connectAs("p", version),
      send("p", pub(version, "t", "x", { qos })),
      send("s", ack(type, 1)),
      close("p"),
    ]),
  ])),
  "PUBREC twice, and with an error": [
    connectAs("s", 5, { answers: false, properties: property(Property.receiveMaximum, 1) }),
    send("s", sub(5, "t", 2)),
    connectAs("p", 5),
    ...[1, 2, 3].map((packetId) => send("p", pub(5, "t", String(packetId), { qos: 2, packetId }))),
    send("s", ack("pubrec", 1)),
    send("s", ack("pubrec", 1)),
    send("s", ack("pubcomp", 1)),
    send("s", ack("pubrec", 2, { reason: 0x80 })),
    send("s", ack("pubrec", 3, { reason: 0x10 })),
    send("s", ack("pubcomp", 3)),
  ],
  "what is unfinished comes again": ([4, 5] as const).flatMap((version) => {
    const properties = version === 5 ? property(sessionExpiryInterval, 600) : undefined;
    const fields = { clean: false, properties };
    return [
      connectAs("s", version, { ...fields, answers: false }),
      send("s", sub(version, "t", 2)),
      connectAs("p", version),
      ...[0, 1, 2, 1, 2].map((qos, at) =>
        send("p", pub(version, "t", `${at}`, { qos, packetId: qos ? at + 1 : undefined }))
      ),
      send("s", ack("puback", 1), ack("pubrec", 2)),
      close("s"),
      send("p", pub(version, "t", "while away", { qos: 1, packetId: 20 })),
      connectAs("s", version, { ...fields, answers: false }),
      send("s", ack("pubcomp", 2)),
      close("s"),
      connectAs("s", version, fields),
      leave("s"),
      connectAs("s", version, fields),
    ];
  }),
  "a publisher comes back in the middle of QoS 2": ([4, 5] as const).flatMap((version) => {
    const fields = {
      clean: false,
      properties: version === 5 ? property(sessionExpiryInterval, 600) : undefined,
    };
    return [
      connectAs("s", version),
      send("s", sub(version, "#", 2)),
      connectAs("p", version, fields),
      send("p", pub(version, "a", "1", { qos: 2, packetId: 3 })),
      close("p"),
      connectAs("p", version, fields),
      send("p", pub(version, "a", "1", { qos: 2, packetId: 3, dup: true })),
      send("p", ack("pubrel", 3)),
    ];
  }),
};

const wills: Scenario["scripts"] = {
  "how a connection ends": eachVersion((version) => {
    const will = { topic: "w", payload: "gone", qos: 1 };
    return [
      connectAs("watch", version),
      send("watch", sub(version, "#", 2)),
      ...[
        [close("a")],
        [leave("a")],
        [connectAs("b", version, { clientId: "a", will })],
        [connectAs("b", version, { clientId: "a", clean: false, will })],
        [send("a", pub(version, "t", "1", { qos: 3 }))],
      ].flatMap((ending) => [
        ...[true, false].flatMap((
          clean,
        ) => [connectAs("a", version, { clean, will }), ...ending, close("b")]),
      ]),
    ];
  }),
  "a wildcard in a PUBLISH": eachVersion((version) => [
    connectAs("a", version),
    send("a", pub(version, "#")),
  ]),
  "of one who is replaced, to itself": [
    connectAs("a", 4, { will: { topic: "w", payload: "mine" } }),
    send("a", sub(4, "w")),
    connectAs("b", 4, { clientId: "a", clean: false }),
  ],
  "DISCONNECT of MQTT 5": [
    connectAs("watch", 5),
    send("watch", sub(5, "#", 2)),
    ...[0x00, 0x04].flatMap((reason) => [
      connectAs("a", 5, { will: { topic: "w", payload: String(reason), retain: true } }),
      leave("a", reason),
    ]),
    connectAs("a", 5, { will: { topic: "w", payload: "raised" } }),
    send("a", disconnect({ reason: 0, properties: property(sessionExpiryInterval, 10) })),
    connectAs("a", 5, {
      properties: property(sessionExpiryInterval, 10),
      will: { topic: "w", payload: "lowered" },
    }),
    send("a", disconnect({ reason: 4, properties: property(sessionExpiryInterval, 0) })),
    connectAs("a", 5, { clean: false }),
  ],
  "DISCONNECT with an error": [
    connectAs("watch", 5),
    send("watch", sub(5, "#", 2)),
    connectAs("a", 5, { will: { topic: "w", payload: "error" } }),
    leave("a", 0x80),
  ],
  "a delay without a session": [
    connectAs("watch", 5),
    send("watch", sub(5, "#", 2)),
    connectAs("a", 5, {
      will: { topic: "w", payload: "w", properties: property(willDelayInterval, 600) },
    }),
    close("a"),
  ],
  "a delay": [
    connectAs("watch", 5),
    send("watch", sub(5, "#", 2)),
    ...[["short", 1, 60], ["never", 600, 60], ["back", 3, 60]].map(([client, delay, expiry]) =>
      connectAs(String(client), 5, {
        properties: property(sessionExpiryInterval, expiry),
        will: {
          topic: `w/${client}`,
          payload: "w",
          properties: concat(
            property(willDelayInterval, delay as number),
            property(userProperty, ["a", "b"]),
          ),
        },
      })
    ),
    close("never"),
    close("back"),
    connectAs("back", 5, { clean: false, properties: property(sessionExpiryInterval, 60) }),
    close("short"),
    pause(4500),
  ],
  ...Object.fromEntries(([3, 4, 5] as const).map((version) => [
    `invalid ones, MQTT ${version}`,
    [
      connectAs("a", version, { will: { topic: "w/#", payload: "1" } }),
      connectAs("a", version, { will: { topic: "", payload: "1" } }),
      connectAs("a", version, { will: { topic: "w", payload: "1", qos: 3 } }),
      connectAs("a", version, { flags: 0x06, will: undefined }),
    ],
  ])),
};

export const deliveryScenarios: readonly Scenario[] = [
  { about: "retained messages", setting: { configuration: OPEN }, scripts: retained },
  { about: "subscriptions", setting: { configuration: OPEN }, scripts: subscriptions },
  { about: "flows", setting: { configuration: OPEN }, scripts: flows },
  { about: "wills", setting: { configuration: OPEN }, scripts: wills },
];
