import assert from "node:assert/strict";
import { camelCase } from "../../src/config/option_row.ts";
import { GLOBAL_OPTIONS, hasValue, LISTENER_OPTIONS, LOG_TYPES } from "../../src/config/options.ts";
import { load, mistakesIn } from "./support.ts";

/** Texts that are taken, with the value they mean, and texts that are refused, with the message. */
interface Case {
  readonly taken: readonly (readonly [string, unknown])[];
  readonly refused: readonly (readonly [string, string])[];
}

const bool = (name: string): Case => ({
  taken: [["true", true], ["1", true], ["false", false], ["0", false], ["true # why", true]],
  refused: [
    ["yes", `Invalid '${name}' value (yes).`],
    ["TRUE", `Invalid '${name}' value (TRUE).`],
    ["", `Empty '${name}' value in configuration.`],
  ],
});

/** What every whole number refuses. */
const noNumber = (name: string): [string, string][] => [
  ["", `Empty '${name}' value in configuration.`],
  ["x", `'${name}' value not a number.`],
  ["10x", `'${name}' value not a number.`],
  ["1.5", `'${name}' value not a number.`],
  ["08", `'${name}' value not a number.`],
];

/** A number of 0 or more; below is no limit. */
const limit = (name: string, below = 0): Case => ({
  taken: [["5", 5], ["0x10", 16], ["010", 8], ["-7", below], ["2147483647", 2_147_483_647]],
  refused: [
    ...noNumber(name),
    ["2147483648", `'${name}' value out of range.`],
    ["-2147483649", `'${name}' value out of range.`],
  ],
});

/** A number within bounds; others are refused with Mosquitto's usual words or those given. */
function within(
  name: string,
  minimum: number,
  maximum: number,
  refusal = (value: number) => `Invalid '${name}' value (${value}).`,
): Case {
  const outside = [minimum - 1, ...(maximum < 2_147_483_647 ? [maximum + 1] : [])];
  return {
    taken: [[`${minimum}`, minimum], [`${maximum}`, maximum]],
    refused: [
      ...noNumber(name),
      ...outside.map((value): [string, string] => [`${value}`, refusal(value)]),
    ],
  };
}

const word = (name: string, words: readonly string[], later: readonly string[] = []): Case => ({
  taken: words.map((one) => [one, one]),
  refused: [
    ["", `Empty '${name}' value in configuration.`],
    ["wrong", `Invalid '${name}' value (wrong).`],
    ...later.map((one): [string, string] => [
      one,
      `The '${name}' value '${one}' is not supported yet.`,
    ]),
  ],
});

const path = (name: string): Case => ({
  taken: [["a", "a"], ["/var/lib/a b", "/var/lib/a b"], ["a # b", "a # b"], ["ä/€", "ä/€"]],
  refused: [
    ["", `Empty '${name}' value in configuration.`],
    ["a\u0001", "Malformed UTF-8 in configuration."],
    ["a".repeat(65_536), `'${name}' value too long.`],
  ],
});

const CASES: Record<string, Case> = {
  persistence: bool("persistence"),
  persistence_location: path("persistence_location"),
  persistence_file: path("persistence_file"),
  durability: word("durability", ["sync", "async", "autosave"]),
  autosave_interval: limit("autosave_interval"),
  autosave_on_changes: bool("autosave_on_changes"),
  persistence_min_free: within(
    "persistence_min_free",
    0,
    Number.MAX_SAFE_INTEGER,
    () => "Invalid 'persistence_min_free' value (-1).",
  ),
  persistence_on_damage: word("persistence_on_damage", ["stop", "salvage", "fresh"]),
  persistent_client_expiration: {
    taken: [
      ["30s", 30],
      ["2h", 7200],
      ["1d", 86_400],
      ["2w", 1_209_600],
      ["2m", 5_184_000],
      ["1y", 31_536_000],
    ],
    refused: ["5", "5x", "0d", "-5d", "d", "1.5d", "9999999999d"].map((text) => [
      text,
      "Invalid 'persistent_client_expiration' duration in configuration.",
    ]),
  },
  allow_anonymous: bool("allow_anonymous"),
  allow_zero_length_clientid: bool("allow_zero_length_clientid"),
  auto_id_prefix: {
    taken: [["p-", "p-"], ["a".repeat(50), "a".repeat(50)]],
    refused: [
      ["", "Empty 'auto_id_prefix' value in configuration."],
      ["a".repeat(51), "auto_id_prefix length must be <= 50."],
      ["€".repeat(17), "auto_id_prefix length must be <= 50."],
    ],
  },
  allow_duplicate_messages: bool("allow_duplicate_messages"),
  max_inflight_messages: {
    taken: [["1", 1], ["65534", 65_534], ["65535", 0], ["0", 0], ["-1", 0]],
    refused: [
      ...noNumber("max_inflight_messages"),
      ["65536", "'max_inflight_messages' must be <= 65535."],
    ],
  },
  max_inflight_bytes: limit("max_inflight_bytes"),
  max_queued_messages: limit("max_queued_messages"),
  max_queued_bytes: limit("max_queued_bytes"),
  queue_qos0_messages: bool("queue_qos0_messages"),
  upgrade_outgoing_qos: bool("upgrade_outgoing_qos"),
  max_packet_size: within(
    "max_packet_size",
    20,
    2_147_483_647,
    () => "'max_packet_size' must be >= 20.",
  ),
  message_size_limit: within("message_size_limit", 0, 268_435_455),
  max_keepalive: within("max_keepalive", 0, 65_535),
  connect_timeout: within("connect_timeout", 1, 65_535),
  max_unsent_bytes: within("max_unsent_bytes", 65_536, 2_147_483_647),
  max_unreleased_bytes: within("max_unreleased_bytes", 65_536, 2_147_483_647),
  strict_receive_maximum: bool("strict_receive_maximum"),
  max_subscriptions_per_client: within("max_subscriptions_per_client", 0, 2_147_483_647),
  global_max_clients: limit("global_max_clients", -1),
  global_max_connections: limit("global_max_connections", -1),
  retain_available: bool("retain_available"),
  max_retained_messages: within("max_retained_messages", 0, 2_147_483_647),
  retain_expiry_interval: {
    taken: [["1", 1], ["10000000", 10_000_000], ["10000001", 10_000_000]],
    refused: [
      ...noNumber("retain_expiry_interval"),
      ["0", "retain_expiry_interval must be >= 1."],
    ],
  },
  set_tcp_nodelay: bool("set_tcp_nodelay"),
  sys_interval: within("sys_interval", 0, 65_535),
  log_dest: {
    taken: [["stdout", ["stdout"]], ["stderr", ["stderr"]], ["none", []]],
    refused: [
      ["", "Empty 'log_dest' value in configuration."],
      ["all", "Invalid 'log_dest' value (all)."],
      ["file /tmp/a", "The 'log_dest' value 'file' is not supported yet."],
      ["syslog", "The 'log_dest' value 'syslog' is not supported yet."],
      ["topic", "The 'log_dest' value 'topic' is not supported yet."],
      ["dlt", "The 'log_dest' value 'dlt' is not supported yet."],
      ["android", "The 'log_dest' value 'android' is not supported yet."],
    ],
  },
  log_type: {
    taken: [...LOG_TYPES.map((type) => [type, [type]] as const), ["all", LOG_TYPES], ["none", []]],
    refused: [
      ["", "Empty 'log_type' value in configuration."],
      ["loud", "Invalid 'log_type' value (loud)."],
    ],
  },
  log_timestamp: bool("log_timestamp"),
  connection_messages: bool("connection_messages"),
  admin_listener: {
    taken: [
      ["80", { port: 80, address: "127.0.0.1" }],
      ["0 ::1", { port: 0, address: "::1" }],
      ["18083 localhost # here", { port: 18083, address: "localhost" }],
    ],
    refused: [
      ["", "Empty 'admin_listener' value in configuration."],
      ["x", "'admin_listener' value not a number."],
      ["65536", "Invalid 'admin_listener' value (65536)."],
      ["80 a/b", "Invalid 'admin_listener' value (a/b)."],
    ],
  },
  admin_token: path("admin_token"),
  protocol: word("protocol", ["mqtt"], ["websockets", "http_api"]),
  max_connections: limit("max_connections", -1),
  max_qos: within("max_qos", 0, 2, () => "'max_qos' must be between 0 and 2 inclusive."),
  max_topic_alias: within(
    "max_topic_alias",
    0,
    65_535,
    () => "Invalid 'max_topic_alias' value in configuration.",
  ),
  max_topic_alias_broker: within(
    "max_topic_alias_broker",
    0,
    65_535,
    () => "Invalid 'max_topic_alias_broker' value in configuration.",
  ),
  accept_protocol_versions: {
    taken: [
      ["3", [3]],
      ["5,4", [4, 5]],
      ["3, 4\t5", [3, 4, 5]],
      ["4 # and no other", [4]],
      ["4 7", [4]],
    ],
    refused: [
      ["", "Empty 'accept_protocol_versions' value in configuration."],
      ["6", "Invalid 'accept_protocol_versions' value (6)."],
    ],
  },
};

const rows = [...GLOBAL_OPTIONS, ...LISTENER_OPTIONS].filter(hasValue);

Deno.test("every option that has a value has its row in this test, and no other", () => {
  assert.deepEqual(Object.keys(CASES).sort(), rows.map(({ name }) => name).sort());
});

for (const { name, scope } of rows) {
  const isGlobal = scope === "global";
  const before = isGlobal ? "" : "listener 1\n";

  Deno.test(`${name} takes the values it should`, () => {
    for (const [text, expected] of CASES[name].taken) {
      const configuration = load({ "a.conf": `${before}${name} ${text}\n` });
      const values: object = isGlobal ? configuration.global : configuration.listeners[0];
      assert.deepEqual(new Map(Object.entries(values)).get(camelCase(name)), expected, text);
      const key = isGlobal ? name : `listener[0].${name}`;
      assert.equal(configuration.origins.get(key), `a.conf:${isGlobal ? 1 : 2}`);
    }
  });

  Deno.test(`${name} refuses the values it should`, () => {
    for (const [text, message] of CASES[name].refused) {
      assert.deepEqual(mistakesIn(`${before}${name} ${text}\n`), [
        `${isGlobal ? 1 : 2}: ${message}`,
      ]);
    }
  });
}

Deno.test("an alias is the option itself", () => {
  assert.equal(load({ "a.conf": "retained_persistence true" }).global.persistence, true);
  assert.equal(load({ "a.conf": "listener 1\nmaximum_qos 1" }).listeners[0].maxQos, 1);
  assert.deepEqual(mistakesIn("listener 1\nmaximum_qos -1"), [
    "2: 'max_qos' must be between 0 and 2 inclusive.",
  ]);
});

Deno.test("what is lowered or ignored is noticed", () => {
  const { notices } = load({
    "a.conf": "listener 1\nretain_expiry_interval 99999999\npersistence true false\n" +
      "accept_protocol_versions 4 7\n",
  });
  assert.deepEqual(notices, [
    "Warning: 'retain_expiry_interval' is lowered to its maximum 10000000. (a.conf:2)",
    "Warning: 'false' at the end of the line is ignored. (a.conf:3)",
    "Warning: 'accept_protocol_versions' has no version 7: ignored. (a.conf:4)",
  ]);
});
