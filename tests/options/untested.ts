/** Options whose effect no test shows, and why. To be emptied. */
export const UNTESTED: Readonly<Record<string, string>> = {
  tls_keyform: "the one value it takes is what holds without it",
  set_tcp_nodelay: "Seen in no byte and no order of bytes, only in time.",
  log_facility: "Shown only to a syslog daemon, of which there is none where tests run.",
  bridge_tcp_user_timeout: "Seen by a peer only when a network is gone for minutes.",
  local_username: "A bridge passes every check of this broker, as Mosquitto's.",
  local_password: "A bridge passes every check of this broker, as Mosquitto's.",
};
