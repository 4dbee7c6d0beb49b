import { concat, Property, property, subscribe, unsubscribe } from "../support/packets.ts";
import { OPEN, pub, type Scenario, sub } from "./scenario.ts";
import { close, connectAs, leave, pause, restart, send, type Step } from "./script.ts";

const { sessionExpiryInterval, messageExpiryInterval, userProperty } = Property;

const LASTING = { clean: false };
const expiry = (seconds: number) => property(sessionExpiryInterval, seconds);
const LASTING_5 = { clean: false, properties: expiry(3600) };

/** What a session keeps, with something in between. */
function kept(between: readonly Step[]): Step[] {
  return [
    connectAs("four", 4, LASTING),
    send("four", subscribe(4, { filters: [["a/#", 1], ["b", 2], ["c", 0], ["gone", 1]] })),
    send("four", unsubscribe(4, { filters: ["gone"] })),
    connectAs("five", 5, LASTING_5),
    send("five", subscribe(5, { filters: [["a/#", 2 | 8]], properties: property(0x0b, 5) })),
    send("five", subscribe(5, { filters: [["own", 1 | 4]] })),
    connectAs("share", 5, LASTING_5),
    send("share", sub(5, "$share/g/a/#", 1)),
    connectAs("p", 5),
    leave("four"),
    leave("five"),
    leave("share"),
    send("p", pub(5, "a/1", "one", { qos: 1, properties: property(userProperty, ["k", "v"]) })),
    send("p", pub(5, "a/2", "two", { qos: 2, packetId: 2, retain: true })),
    send(
      "p",
      pub(5, "a/0", "zero", { retain: true, properties: property(messageExpiryInterval, 500) }),
    ),
    send("p", pub(5, "b", "b", { qos: 1, packetId: 4 })),
    send("p", pub(5, "gone", "b", { qos: 1, packetId: 5 })),
    ...between,
    connectAs("four", 4, LASTING),
    connectAs("five", 5, LASTING_5),
    connectAs("share", 5, LASTING_5),
    connectAs("new", 4),
    send("new", sub(4, "#", 2)),
    send("five", pub(5, "own", "mine", { qos: 1 })),
    send("five", pub(5, "a/x", "x", { qos: 1, retain: true, packetId: 2 })),
    leave("four"),
    connectAs("four", 4, LASTING),
  ];
}

const persistence = ["persistence true", "persistence_location {directory}/"];

export const sessionScenarios: readonly Scenario[] = [
  {
    about: "sessions",
    setting: { configuration: OPEN },
    scripts: {
      "session present": [
        ...([3, 4, 5] as const).flatMap((version) => [
          connectAs("c", version, LASTING),
          leave("c"),
          connectAs("c", version, LASTING),
          leave("c"),
          connectAs("c", version),
          leave("c"),
          connectAs("c", version, LASTING),
        ]),
        connectAs("c", 5, LASTING_5),
        connectAs("c", 4, LASTING),
        leave("c"),
        connectAs("c", 5, LASTING_5),
        close("c"),
        connectAs("c", 5, { clean: false }),
        close("c"),
        connectAs("c", 5, LASTING_5),
        connectAs("c", 5, { clean: true, properties: expiry(3600) }),
        close("c"),
        connectAs("c", 5, LASTING_5),
      ],
      "what is kept": kept([]),
      "expiry": [
        connectAs("one", 5, { clean: false, properties: expiry(1) }),
        connectAs("long", 5, { clean: false, properties: expiry(0xfffffffe) }),
        connectAs("ever", 5, { clean: false, properties: expiry(0xffffffff) }),
        leave("one"),
        leave("long"),
        leave("ever"),
        pause(3000),
        connectAs("one", 5, LASTING_5),
        connectAs("long", 5, LASTING_5),
        connectAs("ever", 5, LASTING_5),
      ],
      "expiry of messages": [
        connectAs("s", 5, LASTING_5),
        send("s", sub(5, "#", 1)),
        leave("s"),
        connectAs("p", 5),
        ...[1, 100].map((seconds) =>
          send(
            "p",
            pub(5, `t/${seconds}`, "x", {
              qos: 1,
              retain: true,
              properties: property(messageExpiryInterval, seconds),
            }),
          )
        ),
        pause(2200),
        connectAs("s", 5, LASTING_5),
        connectAs("late", 4),
        send("late", sub(4, "#")),
      ],
      "versions change": [
        connectAs("s", 4, LASTING),
        send("s", sub(4, "t", 2)),
        leave("s"),
        connectAs("p", 5),
        send(
          "p",
          pub(5, "t", "1", {
            qos: 2,
            properties: concat(
              property(userProperty, ["a", "b"]),
              property(Property.contentType, "x"),
            ),
          }),
        ),
        connectAs("s", 5, LASTING_5),
        send("s", subscribe(5, { filters: [["t", 1]], properties: property(0x0b, 9) })),
        close("s"),
        send("p", pub(5, "t", "2", { qos: 2, packetId: 2 })),
        connectAs("s", 3, LASTING),
      ],
    },
  },
  {
    about: "a restart with persistence",
    // So that our acknowledgements do not wait for the disk, which would bring them in a later step.
    setting: { configuration: [...OPEN, ...persistence], ours: ["durability async"] },
    scripts: {
      "what is kept": kept([restart()]),
      "unfinished flows": [
        connectAs("s", 4, { ...LASTING, answers: false }),
        send("s", sub(4, "t", 2)),
        connectAs("p", 4, LASTING),
        send("p", pub(4, "t", "1", { qos: 1 })),
        send("p", pub(4, "t", "2", { qos: 2, packetId: 2 })),
        restart(),
        connectAs("s", 4, LASTING),
        connectAs("p", 4, LASTING),
        send("p", pub(4, "t", "3", { qos: 1, packetId: 3 })),
      ],
    },
  },
  {
    about: "a restart without persistence",
    setting: { configuration: OPEN },
    scripts: { "nothing is kept": kept([restart()]) },
  },
  {
    about: "persistent_client_expiration 1d",
    setting: { configuration: [...OPEN, "persistent_client_expiration 1d"] },
    scripts: { "sessions that are not that old": kept([]) },
  },
];
