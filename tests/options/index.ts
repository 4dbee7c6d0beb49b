/**
 * Which test shows the effect of which option. A test in `tests/options` whose title begins with the
 * names of options and a colon (`max_qos: told in CONNACK`) speaks for itself; others stand here.
 * @module
 */

/** By option: the file below `tests/` and (the beginning of) the title, as it is written there. */
export const SHOWN_BY: Readonly<Record<string, readonly [file: string, title: string]>> = {
  user: ["e2e/privileges_test.ts", "user: a first start as root serves as that account alone"],
  pid_file: ["e2e/privileges_test.ts", "pid_file: there while the broker runs"],
  persistence_min_free: [
    "e2e/disk_full_test.ts",
    "too little room: what must be kept is refused with 0x97",
  ],
  persistence_on_damage: [
    "e2e/backup_test.ts",
    "what is damaged is restored from the newest backup that is good, or refused",
  ],
  backup_interval: ["e2e/backup_test.ts", "with backup_interval 0 there are no backups"],
  log_dest: [
    "e2e/logging_test.ts",
    "log_dest: lines go to all places that are named, and to no other",
  ],
  log_type: ["e2e/logging_test.ts", "log_type: only lines of the types asked for"],
  log_timestamp: [
    "e2e/logging_test.ts",
    "log_timestamp and log_timestamp_format say what stands before a line",
  ],
  log_timestamp_format: [
    "e2e/logging_test.ts",
    "log_timestamp and log_timestamp_format say what stands before a line",
  ],
  log_format: ["e2e/logging_test.ts", "log_format json: whom a line tells of"],
  connection_messages: [
    "e2e/logging_test.ts",
    "connection_messages false: no line of who comes and goes",
  ],
  admin_listener: [
    "e2e/process_test.ts",
    "the HTTP interface is open where admin_listener says so, and nowhere else",
  ],
  admin_token: ["admin/mqtt_test.ts", "with a token /mqtt is for all, and MQTT asks who they are"],
  admin_mqtt: ["admin/mqtt_test.ts", "without admin_mqtt there is no /mqtt"],
  listener: [
    "e2e/listeners_test.ts",
    "a Unix domain socket, an interface, a name and WebSocket in one broker",
  ],
  http_dir: [
    "e2e/listeners_test.ts",
    "the HTTP interface of Mosquitto asks who somebody is as MQTT does",
  ],
  enable_proxy_protocol: [
    "e2e/listeners_test.ts",
    "a client behind a proxy has its own address in the log",
  ],
  certfile: [
    "e2e/tls_test.ts",
    "certfile and keyfile turn TLS on; only who trusts the authority talks to it",
  ],
  keyfile: [
    "e2e/tls_test.ts",
    "certfile and keyfile turn TLS on; only who trusts the authority talks to it",
  ],
  require_certificate: [
    "e2e/tls_test.ts",
    "require_certificate, use_identity_as_username and crlfile decide who comes in as whom",
  ],
  use_identity_as_username: [
    "e2e/tls_test.ts",
    "require_certificate, use_identity_as_username and crlfile decide who comes in as whom",
  ],
  crlfile: [
    "e2e/tls_test.ts",
    "require_certificate, use_identity_as_username and crlfile decide who comes in as whom",
  ],
  psk_file: ["e2e/tls_test.ts", "psk_hint and psk_file let in who knows a key, under its identity"],
  psk_hint: ["e2e/tls_test.ts", "psk_hint and psk_file let in who knows a key, under its identity"],
  cafile: [
    "e2e/tls_test.ts",
    "require_certificate, use_identity_as_username and crlfile decide who comes in as whom",
  ],
  enable_control_api: [
    "plugins/library_test.ts",
    "enable_control_api lists plugins and listeners, from a reload on or no longer",
  ],
  plugin: ["plugins/module_test.ts", "a module's hooks decide, are told, publish and disconnect"],
  "plugin_opt_*": [
    "plugins/module_test.ts",
    "a module's hooks decide, are told, publish and disconnect",
  ],
  plugin_load: ["plugins/module_test.ts", "plugins of one listener leave the others alone"],
  plugin_use: ["plugins/module_test.ts", "plugins of one listener leave the others alone"],
  global_plugin: ["plugins/module_test.ts", "plugins of one listener leave the others alone"],
  auth_plugin_deny_special_chars: [
    "plugins/module_test.ts",
    "auth_plugin_deny_special_chars keeps names with wildcards from a module",
  ],
  bridge_cafile: [
    "bridge/links_test.ts",
    "what keeps a bridge from Mosquitto stands in one line of the log each",
  ],
  bridge_insecure: [
    "bridge/links_test.ts",
    "what keeps a bridge from Mosquitto stands in one line of the log each",
  ],
  bridge_psk: [
    "bridge/links_test.ts",
    "what keeps a bridge from Mosquitto stands in one line of the log each",
  ],
  bridge_identity: [
    "bridge/links_test.ts",
    "what keeps a bridge from Mosquitto stands in one line of the log each",
  ],
};
