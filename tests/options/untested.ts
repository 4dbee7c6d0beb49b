/** Options whose effect no test shows, and why. To be emptied. */
export const UNTESTED: Readonly<Record<string, string>> = {
  tls_keyform: "the one value it takes is what holds without it",
  bridge_tcp_user_timeout: "Seen by a peer only when a network is gone for minutes.",
  local_username: "A bridge passes every check of this broker, as Mosquitto's.",
  local_password: "A bridge passes every check of this broker, as Mosquitto's.",
};
