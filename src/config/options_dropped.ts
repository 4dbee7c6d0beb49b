import type { OptionRow } from "./option_row.ts";

/** Scope, name, release that brought it, what it did. */
const DROPPED: ["global" | "listener", string, string, string][] = [
  [
    "global",
    "retry_interval",
    "0.5",
    "Sent unacknowledged messages again after this time, which MQTT forbids.",
  ],
  ["global", "store_clean_interval", "0.6", "Freed messages without receivers this often."],
  ["global", "ffdc_output", "1.3", "An option of IBM's broker, without effect."],
  ["global", "max_log_entries", "1.3", "An option of IBM's broker, without effect."],
  ["global", "trace_level", "1.3", "An option of IBM's broker, without effect."],
  ["global", "trace_output", "1.3", "An option of IBM's broker, without effect."],
  [
    "global",
    "websockets_log_level",
    "1.4",
    "Chose messages of a library for WebSocket that is not used here.",
  ],
  [
    "listener",
    "dhparamfile",
    "1.6",
    "Parameters of ephemeral Diffie-Hellman, which are chosen automatically now.",
  ],
];

/** Options that Mosquitto knew or knows and that have no meaning left: accepted with a warning. */
export const DROPPED_OPTIONS: readonly OptionRow[] = DROPPED.map((
  [scope, name, since, meaning],
) => ({
  name,
  scope,
  kind: "directive",
  status: "dropped",
  meaning,
  reloadable: false,
  since,
  note: `Warning: The ${name} option is no longer available.`,
}));
