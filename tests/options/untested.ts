/** Shown below `tests/transport/tls` for the library that they are handed to. */
const LIBRARY_ONLY = "No bridge of a configuration is tried with it yet, the library alone is.";

/** Options whose effect no test shows, and why. To be emptied. */
export const UNTESTED: Readonly<Record<string, string>> = {
  set_tcp_nodelay: "Seen in no byte and no order of bytes, only in time.",
  log_facility: "Shown only to a syslog daemon, of which there is none where tests run.",
  bridge_tcp_keepalive: "Seen by a peer only when a network is gone for minutes.",
  bridge_tcp_user_timeout: "Seen by a peer only when a network is gone for minutes.",
  local_username: "A bridge passes every check of this broker, as Mosquitto's.",
  local_password: "A bridge passes every check of this broker, as Mosquitto's.",
  bridge_capath: LIBRARY_ONLY,
  bridge_tls_use_os_certs: LIBRARY_ONLY,
  bridge_certfile: LIBRARY_ONLY,
  bridge_keyfile: LIBRARY_ONLY,
  bridge_require_ocsp: LIBRARY_ONLY,
  bridge_alpn: LIBRARY_ONLY,
  bridge_tls_version: LIBRARY_ONLY,
  bridge_ciphers: LIBRARY_ONLY,
  "bridge_ciphers_tls1.3": LIBRARY_ONLY,
};
