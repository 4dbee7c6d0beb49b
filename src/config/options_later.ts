/**
 * The options that Mosquitto knows and this broker does not honour yet: they are refused by name, so
 * that nobody believes a setting to hold that does not. One that is honoured moves, with its type, into
 * the table of its scope. At the end those of Mosquitto 1.x that have no meaning left.
 */
import type { OptionRow } from "./option_row.ts";

/** What is checked of a value before the option is refused for being unknown to us. */
type Shape = "bool" | "text" | "repeated" | "word" | { minimum: number; maximum: number };

interface Extra {
  aliases?: readonly string[];
  label?: string;
  listenerNeed?: OptionRow["listenerNeed"];
  lastWins?: true;
  refusal?: string;
  bytesMaximum?: number;
}

/** Name, value, default in words, release that brought it, whether a reload applies it, meaning. */
type Later = [string, Shape, string, string, boolean, string, Extra?];

const last: Extra = { lastWins: true };
const declared: Extra = { listenerNeed: "declared" };
const port: Shape = { minimum: 0, maximum: 65_535 };
const any: Shape = { minimum: -2_147_483_648, maximum: 2_147_483_647 };
const from = (minimum: number): Shape => ({ minimum, maximum: 2_147_483_647 });
const bufferSize = "Packet buffer size must be between 0 and 65535 inclusive.";

const GLOBAL: Later[] = [
  ["user", "text", "mosquitto", "0.2", false, "Account to run as when started as root.", last],
  ["pid_file", "text", "none", "0.5", false, "File that takes the process id."],
  [
    "clientid_prefixes",
    "text",
    "none",
    "0.10",
    true,
    "What Client Identifiers must begin with.",
    last,
  ],
  ["password_file", "text", "none", "0.10", true, "File of users and hashed passwords.", last],
  ["acl_file", "text", "none", "0.10", true, "File that says who may read and write what.", last],
  ["psk_file", "text", "none", "1.0", true, "File of pre-shared keys.", last],
  [
    "per_listener_settings",
    "bool",
    "false",
    "1.5",
    false,
    "Gives each listener its own access settings.",
  ],
  [
    "check_retain_source",
    "bool",
    "false",
    "1.5.6",
    false,
    "Withholds retained messages whose sender may no longer write.",
  ],
  ["enable_control_api", "bool", "false", "2.1", true, "Answers on $CONTROL/broker/v1."],
  ["memory_limit", from(0), "0: no limit", "1.4.15", true, "Bytes of memory the broker may use."],
  [
    "packet_buffer_size",
    port,
    "4096",
    "2.1",
    false,
    "Bytes read before a packet's length is known.",
    { aliases: ["websockets_headers_size"], refusal: bufferSize },
  ],
  [
    "log_facility",
    { minimum: 0, maximum: 7 },
    "daemon",
    "1.4",
    true,
    "Number of the local syslog facility.",
  ],
  ["log_timestamp_format", "text", "Unix seconds", "1.6", true, "Pattern of the time in the log."],
  ["websockets_log_level", any, "0", "1.4", true, "Bit mask of libwebsockets messages."],
];

const LISTENER: Later[] = [
  [
    "listener_allow_anonymous",
    "bool",
    "allow_anonymous",
    "2.1",
    true,
    "allow_anonymous of one listener.",
    declared,
  ],
  [
    "listener_auto_id_prefix",
    "text",
    "auto_id_prefix",
    "2.1",
    true,
    "auto_id_prefix of one listener.",
    { listenerNeed: "declared", refusal: "'{name}' length must be <= 50.", bytesMaximum: 50 },
  ],
  ["bind_interface", "text", "all", "1.6", false, "Network interface to listen on."],
  ["socket_domain", "word", "both", "1.5.5", false, "Restricts the listener to ipv4 or ipv6."],
  ["http_dir", "text", "none", "1.4", false, "Directory of files served by HTTP.", declared],
  [
    "mount_point",
    "text",
    "none",
    "1.2",
    true,
    "Put in front of all topics of this listener's clients.",
    { listenerNeed: "declared", lastWins: true },
  ],
  [
    "use_username_as_clientid",
    "bool",
    "false",
    "1.4",
    true,
    "Takes the user name as Client Identifier.",
  ],
  [
    "enable_proxy_protocol",
    { minimum: 1, maximum: 2 },
    "off",
    "2.1",
    true,
    "Version of the PROXY protocol expected.",
    { listenerNeed: "declared", refusal: "{name} must be 1 or 2." },
  ],
  [
    "proxy_protocol_v2_require_tls",
    "bool",
    "false",
    "2.1",
    true,
    "Closes PROXY connections that came without TLS.",
    declared,
  ],
  [
    "websockets_origin",
    "repeated",
    "any",
    "2.1",
    true,
    "Origins accepted for WebSocket.",
    declared,
  ],
  ["cafile", "text", "none", "1.0", false, "Authorities trusted for client certificates.", {
    listenerNeed: "declared",
    lastWins: true,
  }],
  ["capath", "text", "none", "1.0", false, "Directory of trusted authorities.", last],
  ["certfile", "text", "none", "1.0", true, "Certificate chain of the server.", last],
  ["keyfile", "text", "none", "1.0", true, "Private key of the server.", last],
  ["require_certificate", "bool", "false", "1.0", true, "Demands a client certificate."],
  [
    "use_identity_as_username",
    "bool",
    "false",
    "1.0",
    true,
    "Takes the certificate's common name as user name.",
  ],
  [
    "use_subject_as_username",
    "bool",
    "false",
    "1.5",
    true,
    "Takes the certificate's subject as user name.",
  ],
  ["crlfile", "text", "none", "1.3", true, "Certificates that are revoked.", last],
  [
    "disable_client_cert_date_checks",
    "bool",
    "false",
    "2.1",
    true,
    "Accepts expired client certificates.",
    declared,
  ],
  ["ciphers", "text", "OpenSSL's", "1.0", false, "Ciphers of TLS 1.2.", last],
  ["ciphers_tls1.3", "text", "OpenSSL's", "2.0", false, "Ciphers of TLS 1.3.", last],
  ["tls_version", "text", "1.2 and 1.3", "1.3", false, "Lowest TLS version.", declared],
  ["dhparamfile", "text", "none", "1.6", false, "Parameters of ephemeral Diffie-Hellman.", last],
  ["tls_engine", "text", "none", "1.6", false, "OpenSSL engine that holds keys."],
  ["tls_engine_kpass_sha1", "text", "none", "1.6", false, "Hash of the engine's key password."],
  ["tls_keyform", "text", "pem", "1.6", false, "Whether keyfile is a file or an engine's key."],
  ["psk_hint", "text", "none", "1.0", false, "Turns on pre-shared keys, with this hint."],
];

const BRIDGE: Later[] = [
  ["connection", "repeated", "none", "0.6", true, "Begins the bridge of this name."],
  ["address", "text", "none", "0.6", true, "Brokers to connect to.", { aliases: ["addresses"] }],
  ["topic", "repeated", "none", "0.6", true, "Topics to share, direction, QoS and prefixes."],
  [
    "remote_clientid",
    "text",
    "host name and bridge name",
    "1.4",
    true,
    "Client Identifier at the other broker.",
    { aliases: ["clientid"], label: "bridge remote clientid" },
  ],
  [
    "local_clientid",
    "text",
    "local and the remote one",
    "1.4",
    true,
    "Client Identifier at this broker.",
    { label: "bridge local clientd" },
  ],
  ["remote_username", "text", "none", "1.4", true, "User name at the other broker.", {
    aliases: ["username"],
    label: "bridge remote_username",
  }],
  ["remote_password", "text", "none", "1.4", true, "Password at the other broker.", {
    aliases: ["password"],
    label: "bridge remote_password",
  }],
  ["local_username", "text", "none", "1.3", true, "User name at this broker.", {
    label: "bridge local_username",
  }],
  ["local_password", "text", "none", "1.3", true, "Password at this broker.", {
    label: "bridge local_password",
  }],
  ["cleansession", "bool", "false", "0.8", true, "Clean session at the other broker."],
  ["local_cleansession", "bool", "cleansession", "2.0", true, "Clean session at this broker."],
  ["notifications", "bool", "true", "0.13", true, "Publishes whether the bridge is up."],
  [
    "notifications_local_only",
    "bool",
    "false",
    "1.5",
    true,
    "Publishes that at this broker alone.",
  ],
  [
    "notification_topic",
    "text",
    "$SYS/broker/connection/ID/state",
    "1.0",
    true,
    "Topic of the notifications.",
  ],
  ["keepalive_interval", any, "60", "0.8", true, "Keep Alive of the bridge in seconds."],
  ["start_type", "word", "automatic", "0.6", true, "When to connect: automatic, lazy or once."],
  ["restart_timeout", "word", "5 30", "1.0", true, "Seconds before connecting again."],
  ["idle_timeout", any, "60", "0.15", true, "Seconds without traffic that end a lazy bridge."],
  ["threshold", any, "10", "0.15", true, "Messages that start a lazy bridge."],
  ["round_robin", "bool", "false", "1.2", true, "Treats all addresses as equal."],
  ["try_private", "bool", "true", "1.0", true, "Tells the other broker that this is a bridge."],
  ["bridge_protocol_version", "word", "mqttv311", "1.4", true, "MQTT version of the bridge."],
  [
    "bridge_attempt_unsubscribe",
    "bool",
    "true",
    "1.4",
    true,
    "Unsubscribes from topics that only go out.",
  ],
  [
    "bridge_outgoing_retain",
    "bool",
    "true",
    "2.0",
    true,
    "Keeps the retain flag of what goes out.",
  ],
  ["bridge_max_packet_size", any, "0: no limit", "2.0", true, "Largest packet sent."],
  ["bridge_max_topic_alias", port, "10", "2.1", true, "Topic aliases of the bridge.", {
    refusal: "{name} must be > 0 and <= 65535.",
  }],
  [
    "bridge_receive_maximum",
    { minimum: 1, maximum: 65_535 },
    "not sent",
    "2.1",
    true,
    "Receive Maximum of the bridge.",
  ],
  [
    "bridge_session_expiry_interval",
    { minimum: 0, maximum: 4_294_967_295 },
    "0",
    "2.1",
    true,
    "Session Expiry Interval of the bridge in seconds.",
  ],
  ["bridge_bind_address", "text", "none", "2.0", true, "Local address of the bridge."],
  [
    "bridge_tcp_keepalive",
    "word",
    "off",
    "2.1",
    true,
    "Idle time, interval and count of TCP keep-alive probes.",
  ],
  [
    "bridge_tcp_user_timeout",
    from(0),
    "the system's",
    "2.1",
    true,
    "TCP user timeout in milliseconds.",
  ],
  ["bridge_reload_type", "word", "lazy", "2.1", true, "When a reload acts on a running bridge."],
  ["bridge_alpn", "text", "none", "1.6", true, "Protocol named in the TLS handshake."],
  ["bridge_cafile", "text", "none", "1.0", true, "Authorities trusted for the other broker."],
  ["bridge_capath", "text", "none", "1.0", true, "Directory of those authorities."],
  ["bridge_certfile", "text", "none", "1.0", true, "Certificate of the bridge."],
  ["bridge_keyfile", "text", "none", "1.0", true, "Private key of the bridge.", last],
  [
    "bridge_insecure",
    "bool",
    "false",
    "1.3",
    true,
    "Does not compare the other broker's host name.",
  ],
  ["bridge_require_ocsp", "bool", "false", "1.6", true, "Demands a stapled OCSP answer."],
  ["bridge_tls_use_os_certs", "bool", "false", "2.1", true, "Trusts the system's authorities."],
  ["bridge_tls_version", "text", "tlsv1.2", "1.3", true, "TLS version of the bridge."],
  ["bridge_ciphers", "text", "OpenSSL's", "2.1", true, "Ciphers of TLS 1.2 of the bridge."],
  ["bridge_ciphers_tls1.3", "text", "OpenSSL's", "2.1", true, "Ciphers of TLS 1.3 of the bridge."],
  ["bridge_identity", "text", "none", "1.0", true, "Identity of the bridge's pre-shared key."],
  ["bridge_psk", "text", "none", "1.0", true, "Pre-shared key of the bridge in hexadecimal."],
];

const PLUGIN: Later[] = [
  ["plugin", "repeated", "none", "2.0", false, "Loads a plugin.", { aliases: ["auth_plugin"] }],
  ["global_plugin", "repeated", "none", "2.1", false, "Loads a plugin for all listeners."],
  ["plugin_load", "repeated", "none", "2.1", false, "Loads a plugin under a name."],
  ["plugin_use", "repeated", "none", "2.1", false, "Gives a loaded plugin to a listener.", {
    listenerNeed: "explicit",
  }],
  ["plugin_opt_*", "repeated", "none", "2.0", false, "A setting for the plugin above.", {
    aliases: ["auth_opt_*"],
  }],
  [
    "auth_plugin_deny_special_chars",
    "bool",
    "true",
    "1.4.13",
    false,
    "Refuses user names and ids with wildcards.",
  ],
];

/** Since which release an option of 1.x does nothing. */
const DROPPED: [string, string, string][] = [
  [
    "retry_interval",
    "0.5",
    "Sent unacknowledged messages again after this time, which MQTT forbids.",
  ],
  ["store_clean_interval", "0.6", "Freed messages without receivers this often."],
  ["ffdc_output", "1.3", "An option of IBM's broker, without effect."],
  ["max_log_entries", "1.3", "An option of IBM's broker, without effect."],
  ["trace_level", "1.3", "An option of IBM's broker, without effect."],
  ["trace_output", "1.3", "An option of IBM's broker, without effect."],
];

/** Refused by name. */
export const LATER_OPTIONS: readonly OptionRow[] = [
  ...GLOBAL.map((later) => row("global", later)),
  ...LISTENER.map((later) => row("listener", later)),
  ...BRIDGE.map((later) => row("bridge", later)),
  ...PLUGIN.map((later) => row("plugin", later)),
];

/** Accepted with a warning. */
export const DROPPED_OPTIONS: readonly OptionRow[] = DROPPED.map(([name, since, meaning]) => ({
  name,
  scope: "global",
  kind: "directive",
  status: "dropped",
  meaning,
  reloadable: false,
  since,
  note: `Warning: The ${name} option is no longer available.`,
}));

function row(scope: OptionRow["scope"], later: Later): OptionRow {
  const [name, shape, defaultText, since, reloadable, meaning, extra] = later;
  const base = { name, scope, status: "later" as const, meaning, reloadable, since, defaultText };
  if (shape === "bool") return { ...base, ...extra, kind: "bool", default: false };
  if (shape === "text") return { ...base, ...extra, kind: "text", default: "" };
  if (shape === "repeated") return { ...base, ...extra, lastWins: true, kind: "text", default: "" };
  if (shape === "word") return { ...base, ...extra, kind: "text", lastWins: true, default: "" };
  return { ...base, ...extra, ...shape, kind: "int", default: 0 };
}
