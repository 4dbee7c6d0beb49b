import { subscribe } from "../support/packets.ts";
import { configurationFile } from "./broker_under_test.ts";
import { OPEN, passwordFile, pub, type Scenario, sub } from "./scenario.ts";
import { close, connectAs, leave, reload, send, type Step } from "./script.ts";

const VERSIONS = [3, 4, 5] as const;

/** The same with each version of MQTT. */
function eachVersion(steps: (version: 3 | 4 | 5) => Step[]): Step[] {
  return VERSIONS.flatMap(steps);
}

const PASSWORDS = passwordFile({ alice: "secret", bob: "hunter2", carol: "%u" });

const logins = eachVersion((version) => [
  connectAs("nobody", version),
  connectAs("right", version, { userName: "alice", password: "secret" }),
  connectAs("wrong", version, { userName: "alice", password: "Secret" }),
  connectAs("empty", version, { userName: "alice", password: "" }),
  connectAs("without", version, { userName: "alice" }),
  connectAs("unknown", version, { userName: "dave", password: "secret" }),
  connectAs("unnamed", version, { userName: "", password: "secret" }),
  ...["nobody", "right"].map((client) => leave(client)),
]);

const ACL = `# anonymous clients
topic read public/#
topic write inbox
topic deny public/not
user alice
topic readwrite a/#
topic deny a/secret
topic read $SYS/#
topic write w/#
user bob
topic deny b/+/x
topic b/#
topic $own/#
pattern read c/%c/#
pattern write u/%u/+
pattern deny u/%u/no
pattern read shared/topic
`;

const TOPICS = [
  ...["public/a", "public/not", "inbox", "a/b", "a/secret", "w/1", "b/1", "b/1/x", "$own/x", "x"],
  ...["c/alice1/x", "c/anon/x", "u/alice/1", "u/alice/no", "u/bob/1", "shared/topic", "c/bob1"],
];

/** Everybody publishes everything, and everybody is subscribed to it. */
function allTopics(version: 4 | 5): Step[] {
  const named = (userName: string, password: string) => ({ userName, password });
  const people = [
    ["anon", {}],
    ["alice1", named("alice", "secret")],
    ["bob1", named("bob", "hunter2")],
    ["c+x", named("carol", "%u")],
  ] as const;
  const filters = ["#", "$own/#", "a/secret", "$share/g/public/+"];
  return [
    ...people.flatMap(([client, fields]) => [
      connectAs(client, version, fields),
      send(client, sub(version, filters, 1)),
    ]),
    ...people.flatMap(([client]) =>
      TOPICS.map((topic, at) =>
        send(
          client,
          pub(version, topic, client, { qos: at % 3, packetId: at % 3 ? at + 1 : undefined }),
        )
      )
    ),
  ];
}

const ALICE = { userName: "alice", password: "secret" };
const files = { passwords: PASSWORDS, acl: ACL };
const withFiles = ["password_file {directory}/passwords", "acl_file {directory}/acl"];

export const accessScenarios: readonly Scenario[] = [
  {
    about: "nobody is let in without a name",
    setting: { configuration: ["listener {port} 127.0.0.1"] },
    scripts: { logins },
  },
  {
    about: "anonymous clients beside a password file",
    setting: { configuration: [...OPEN, "password_file {directory}/passwords"], files },
    scripts: { logins },
  },
  {
    about: "a password file",
    setting: {
      configuration: ["listener {port} 127.0.0.1", "password_file {directory}/passwords"],
      files,
    },
    scripts: {
      logins,
      "a refused CONNECT leaves the client of the name alone": [
        connectAs("watch", 5, ALICE),
        send("watch", sub(5, "#")),
        connectAs("one", 5, { ...ALICE, will: { topic: "will", payload: "gone" } }),
        connectAs("two", 5, { clientId: "one", userName: "alice", password: "no" }),
        connectAs("three", 4, { clientId: "one" }),
        send("one", pub(5, "still", "here")),
        close("one"),
      ],
    },
  },
  {
    about: "rules",
    setting: { configuration: [...OPEN, ...withFiles], files },
    scripts: {
      "MQTT 3.1.1": allTopics(4),
      "MQTT 5": allTopics(5),
      "wills and retained messages": [
        connectAs("reader", 5, ALICE),
        send("reader", sub(5, "#")),
        connectAs("good", 4, { ...ALICE, will: { topic: "a/will", payload: "1" } }),
        connectAs("bad", 5, { ...ALICE, will: { topic: "b/will", payload: "2" } }),
        connectAs("worse", 5, { ...ALICE, will: { topic: "$SYS/will", payload: "3" } }),
        close("good"),
        close("bad"),
        close("worse"),
        send("reader", pub(5, "a/kept", "k", { retain: true, qos: 1 })),
        send("reader", pub(5, "b/kept", "k", { retain: true, qos: 1 })),
        connectAs("late", 5, ALICE),
        send("late", sub(5, ["a/#", "b/#"], 1)),
        connectAs("anon", 4),
        send("anon", sub(4, ["a/#", "b/#"], 1)),
      ],
      "topics of the broker": eachVersion((version) => [
        connectAs("alice", version, ALICE),
        send("alice", sub(version, "$SYS/#", 1)),
        send("alice", pub(version, "$SYS/a", "1", { qos: 1 })),
        send("alice", pub(version, "$SYS/a", "1", { qos: 2, packetId: 2 })),
        send("alice", pub(version, "$share/g/a", "1", { qos: 1, packetId: 3 })),
        send("alice", pub(version, "$SYS/broker/connection/x/state", "1", { qos: 1, packetId: 4 })),
      ]),
    },
  },
  {
    about: "an empty rule file denies all",
    setting: { configuration: [...OPEN, "acl_file {directory}/acl"], files: { acl: "" } },
    scripts: {
      "publishing and subscribing": eachVersion((version) => [
        connectAs("a", version),
        send("a", sub(version, "#", 2)),
        send("a", pub(version, "x", "1")),
        send("a", pub(version, "x", "1", { qos: 1 })),
        send("a", pub(version, "x", "1", { qos: 2 })),
      ]),
    },
  },
  {
    about: "settings per listener",
    setting: {
      configuration: [
        "per_listener_settings true",
        ...["listener {port} 127.0.0.1", "allow_anonymous true", "acl_file {directory}/acl"],
        ...["listener {port2} 127.0.0.1", "password_file {directory}/passwords"],
        ...["allow_zero_length_clientid false", "auto_id_prefix second-"],
      ],
      files,
    },
    scripts: {
      logins: [
        ...logins,
        ...logins.map((step) => step.kind === "connect" ? { ...step, listener: 1 } : step),
      ],
      "empty identifiers": eachVersion((version) => [
        connectAs("first", version, { clientId: "" }),
        connectAs("second", version, { clientId: "", listener: 1, ...ALICE }),
      ]),
      "each listener's rules": [
        connectAs("one", 5),
        connectAs("two", 5, { listener: 1, ...ALICE }),
        send("one", sub(5, "#", 1)),
        send("two", sub(5, "#", 1)),
        ...["inbox", "public/a", "other"].flatMap((topic) => [
          send("one", pub(5, topic, "from one", { qos: 1 })),
          send("two", pub(5, topic, "from two", { qos: 1 })),
        ]),
      ],
    },
  },
  {
    about: "clientid_prefixes",
    setting: { configuration: [...OPEN, "clientid_prefixes sensor-"] },
    scripts: {
      prefixes: eachVersion((version) => [
        ...["sensor-1", "sensor-", "sensor", "Sensor-1", ""].map((clientId) =>
          connectAs(`of ${clientId}`, version, { clientId })
        ),
      ]),
    },
  },
  {
    about: "use_username_as_clientid",
    setting: {
      configuration: [
        ...OPEN,
        "password_file {directory}/passwords",
        "use_username_as_clientid true",
      ],
      files,
    },
    scripts: {
      "a user is one client": eachVersion((version) => [
        connectAs("one", version, { ...ALICE, clean: false }),
        connectAs("two", version, { ...ALICE, clean: false }),
        connectAs("three", version, { clientId: "", ...ALICE }),
        connectAs("bob", version, { userName: "bob", password: "hunter2" }),
        connectAs("nameless", version),
      ]),
    },
  },
  {
    about: "identifiers",
    setting: { configuration: OPEN },
    scripts: {
      "empty ones": eachVersion((version) => [
        connectAs("clean", version, { clientId: "" }),
        connectAs("lasting", version, { clientId: "", clean: false }),
      ]),
      "unusual ones": eachVersion((version) => [
        ...["x".repeat(100), "a/b", "a b", "ü", "$SYS", "a+#"].map((clientId) =>
          connectAs("c", version, { clientId })
        ),
      ]),
    },
  },
  {
    about: "allow_zero_length_clientid false",
    setting: { configuration: [...OPEN, "allow_zero_length_clientid false"] },
    scripts: {
      "empty ones": eachVersion((version) => [
        connectAs("clean", version, { clientId: "" }),
        connectAs("lasting", version, { clientId: "", clean: false }),
      ]),
    },
  },
  {
    about: "auto_id_prefix",
    setting: { configuration: [...OPEN, "auto_id_prefix made-"] },
    scripts: { "an empty one": [connectAs("five", 5, { clientId: "" })] },
  },
  {
    about: "check_retain_source true",
    setting: { configuration: [...OPEN, "check_retain_source true", ...withFiles], files },
    scripts: { "the rules change": retainSource() },
  },
  {
    about: "check_retain_source false",
    setting: { configuration: [...OPEN, "check_retain_source false", ...withFiles], files },
    scripts: { "the rules change": retainSource() },
  },
  {
    about: "reloading",
    setting: { configuration: [...OPEN, ...withFiles], files },
    scripts: {
      "passwords and rules": [
        connectAs("alice", 4, ALICE),
        connectAs("bob", 5, { userName: "bob", password: "hunter2" }),
        connectAs("anon", 4),
        connectAs("lasting", 4, { ...ALICE, clean: false }),
        send("lasting", subscribe(4, { filters: [["a/#", 1]] })),
        leave("lasting"),
        send("alice", sub(4, "#", 1)),
        send("anon", sub(4, "#", 1)),
        send("alice", pub(4, "a/1", "before", { qos: 1 })),
        send("bob", pub(5, "b/1", "before", { qos: 1 })),
        reload({
          passwords: passwordFile({ alice: "secret", bob: "changed" }),
          acl: "topic read a/#\nuser alice\ntopic write a/#\ntopic read b/#\n",
        }),
        send("alice", pub(4, "a/2", "after", { qos: 1, packetId: 2 })),
        send("anon", pub(4, "public/2", "after", { qos: 1, packetId: 2 })),
        connectAs("lasting", 4, { ...ALICE, clean: false }),
        connectAs("bob", 5, { userName: "bob", password: "changed" }),
        connectAs("carol", 4, { userName: "carol", password: "%u" }),
        // For the sweeper.
        reload(files),
      ],
      "strangers are turned out": [
        connectAs("anon", 4, { will: { topic: "inbox", payload: "turned out" } }),
        connectAs("anon5", 5),
        connectAs("alice", 5, ALICE),
        send("alice", sub(5, "#")),
        reload({ conf: configurationFile(["listener {port} 127.0.0.1", ...withFiles]) }),
        connectAs("again", 5),
        reload({ conf: configurationFile([...OPEN, ...withFiles]) }),
        connectAs("again", 5),
      ],
    },
  },
];

function retainSource(): Step[] {
  return [
    connectAs("alice", 5, ALICE),
    send("alice", pub(5, "a/kept", "kept", { retain: true, qos: 1 })),
    connectAs("anon", 4),
    send("anon", pub(4, "inbox", "kept", { retain: true, qos: 1 })),
    reload({ acl: "topic read #\nuser alice\ntopic read #\ntopic write w/#\n" }),
    connectAs("late", 5, ALICE),
    send("late", sub(5, "#", 1)),
    reload({ acl: "topic readwrite #\nuser alice\ntopic readwrite #\n" }),
    connectAs("later", 5),
    send("later", sub(5, "#", 1)),
  ];
}
