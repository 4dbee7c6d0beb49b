import { bool, type Case, matching, noNumber, path, within, word } from "./value_cases.ts";

const topic = (
  pattern: string,
  direction = "out",
  qos = 0,
  localPrefix = "",
  remotePrefix = "",
) => [
  { pattern, direction, qos, localPrefix, remotePrefix },
];
/** A number that is raised to a minimum. */
const raised = (name: string, minimum: number): Case => ({
  taken: [["-3", minimum], [String(minimum), minimum], ["77", 77]],
  refused: noNumber(name),
});

/** The values of the options of a bridge. */
export const BRIDGE_CASES: Record<string, Case> = {
  address: {
    taken: [
      ["h", [{ address: "h", port: 1883 }]],
      ["h:1 i # j", [{ address: "h", port: 1 }, { address: "i", port: 1883 }]],
      ["::1:1884", [{ address: "::1", port: 1884 }]],
      ["ws://h:8080/mqtt wss://[::2]", [
        { address: "h", port: 8080, url: "ws://h:8080/mqtt" },
        { address: "::2", port: 443, url: "wss://[::2]/" },
      ]],
      ["[::1]:5 [::2]", [{ address: "::1", port: 5 }, { address: "::2", port: 1883 }]],
    ],
    refused: [
      ["", "Empty 'address' value in configuration."],
      ["# x", "Empty 'address' value in configuration."],
      ["h:0", "Invalid bridge port value (0)."],
      ["h:65536", "Invalid bridge port value (65536)."],
      ["h:", "Invalid bridge port value ()."],
      [":1", "Invalid 'address' value (:1)."],
    ],
  },
  topic: {
    taken: [
      ["#", topic("#")],
      ["a/+ IN", topic("a/+", "in")],
      ["a Both 2 L/ R/", topic("a", "both", 2, "L/", "R/")],
      ['a out 1 "" R/', topic("a", "out", 1, "", "R/")],
      ['"" out 1 l r', topic("", "out", 1, "l", "r")],
      ['"a b/#" in', topic("a b/#", "in")],
      ['"ab" in', topic("ab", "in")],
      ["# out # all of it", topic("#")],
      ["# out 1 # all of it", topic("#", "out", 1)],
      ["a out 0 $SYS/broker/connection/", topic("a", "out", 0, "$SYS/broker/connection/")],
    ],
    refused: [
      ["", "Empty 'topic' value in configuration."],
      ['"missing quote', "Missing closing quote in topic value (quote)."],
      ['"missing', "Missing closing quote in topic value ()."],
      ["a up", "Invalid bridge topic direction 'up'."],
      ["a out 3", "Invalid bridge QoS level '3'."],
      ["a out x", "Invalid bridge QoS level 'x'."],
      ["a out 1 l/+", "Invalid bridge topic local prefix 'l/+'."],
      ["a out 1 l/ r+", "Invalid bridge topic remote prefix 'r+'."],
      ["#/a", "Invalid bridge topic local prefix and pattern combination '#/a'."],
      ["# out 1 l", "Invalid bridge topic local prefix and pattern combination 'l#'."],
      ['# out 1 "" r', "Invalid bridge topic remote prefix and pattern combination 'r#'."],
      ['"" out 1 l', "Invalid bridge remapping."],
      ['"" out', "Invalid bridge remapping."],
    ],
  },
  remote_clientid: path("bridge remote clientid"),
  local_clientid: path("bridge local clientd"),
  remote_username: path("bridge remote_username"),
  remote_password: path("bridge remote_password"),
  local_username: path("bridge local_username"),
  local_password: path("bridge local_password"),
  cleansession: bool("cleansession"),
  local_cleansession: bool("local_cleansession"),
  notifications: bool("notifications"),
  notifications_local_only: bool("notifications_local_only"),
  notification_topic: path("notification_topic"),
  keepalive_interval: {
    taken: [["4", 5], ["-1", 5], ["5", 5], ["65535", 65_535]],
    refused: [...noNumber("keepalive_interval"), ["65536", "Bridge keepalive value too high."]],
  },
  start_type: {
    taken: [["automatic", "automatic"], ["lazy", "lazy"], ["once", "once"]],
    refused: [
      ["", "Empty 'start_type' value in configuration."],
      ["manual", "Manual start_type not supported."],
      ["x", "Invalid 'start_type' value in configuration (x)."],
    ],
  },
  restart_timeout: {
    taken: [
      ["7", { baseSeconds: 7, capSeconds: 7, stableSeconds: 0 }],
      ["0 # soon", { baseSeconds: 1, capSeconds: 1, stableSeconds: 0 }],
      ["9999", { baseSeconds: 3600, capSeconds: 3600, stableSeconds: 0 }],
      ["2 60", { baseSeconds: 2, capSeconds: 60, stableSeconds: 0 }],
      ["2 9999 10", { baseSeconds: 2, capSeconds: 7200, stableSeconds: 10 }],
    ],
    refused: [
      ["", "Empty 'restart_timeout' value in configuration."],
      ["x", "'restart_timeout' value not a number."],
      ["5 4", "backoff cap is lower than the base in restart_timeout."],
      ["5 6 -1", "stable connection period cannot be negative."],
    ],
  },
  idle_timeout: raised("idle_timeout", 1),
  threshold: raised("threshold", 1),
  round_robin: bool("round_robin"),
  try_private: bool("try_private"),
  bridge_protocol_version: word("bridge_protocol_version", ["mqttv31", "mqttv311", "mqttv50"]),
  bridge_attempt_unsubscribe: bool("bridge_attempt_unsubscribe"),
  bridge_outgoing_retain: bool("bridge_outgoing_retain"),
  bridge_max_packet_size: raised("bridge_max_packet_size", 0),
  bridge_max_topic_alias: within(
    "bridge_max_topic_alias",
    0,
    65_535,
    () => "bridge_max_topic_alias must be > 0 and <= 65535.",
  ),
  bridge_receive_maximum: within(
    "bridge_receive_maximum",
    1,
    65_535,
    (value) =>
      `bridge_receive_maximum must be ${value < 1 ? "greater than 0" : "lower than 65535"}.`,
  ),
  bridge_session_expiry_interval: {
    taken: [["0", 0], ["4294967295", 4_294_967_295], ["0xFFFFFFFF", 4_294_967_295]],
    refused: [
      ["-1", "bridge_session_expiry_interval must not be negative."],
      ["4294967296", "'bridge_session_expiry_interval' value out of range."],
    ],
  },
  bridge_bind_address: path("bridge_bind_address"),
  bridge_tcp_keepalive: {
    taken: [["60 10 5 # probes", { idleSeconds: 60, intervalSeconds: 10, count: 5 }]],
    refused: [
      ["", "Empty 'bridge_tcp_keepalive' value in configuration."],
      ["60", "Empty 'bridge_tcp_keepalive_interval' value in configuration."],
      ["60 x", "'bridge_tcp_keepalive_interval' value not a number."],
      ["0 1 1", "invalid TCP keepalive idle value."],
      ["1 1 0", "invalid TCP keepalive counter value."],
    ],
  },
  bridge_tcp_user_timeout: within(
    "bridge_tcp_user_timeout",
    0,
    2_147_483_647,
    () => "invalid TCP user timeout value.",
  ),
  bridge_reload_type: word(
    "bridge_reload_type",
    ["lazy", "immediate"],
    "Invalid 'bridge_reload_type' value in configuration (wrong).",
  ),
  bridge_cafile: path("bridge_cafile"),
  bridge_capath: path("bridge_capath"),
  bridge_tls_use_os_certs: bool("bridge_tls_use_os_certs"),
  bridge_certfile: path("bridge_certfile"),
  bridge_keyfile: path("bridge_keyfile"),
  bridge_insecure: bool("bridge_insecure"),
  bridge_require_ocsp: bool("bridge_require_ocsp"),
  bridge_alpn: path("bridge_alpn"),
  bridge_tls_version: word("bridge_tls_version", ["tlsv1.3", "tlsv1.2", "tlsv1.1"]),
  bridge_ciphers: path("bridge_ciphers"),
  "bridge_ciphers_tls1.3": path("bridge_ciphers_tls1.3"),
  bridge_identity: { ...path("bridge_identity"), companion: "bridge_psk 00" },
  bridge_psk: {
    ...matching("bridge_psk", ["00ff12AB"], ["0x12", "abc", "zz"]),
    companion: "bridge_identity i",
  },
};
