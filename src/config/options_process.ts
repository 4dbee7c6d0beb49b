import type { OptionRow } from "./option_row.ts";

/** What concerns the process itself. */
export const PROCESS_OPTIONS = [
  {
    name: "include_dir",
    scope: "global",
    kind: "directive",
    status: "honoured",
    meaning:
      "Reads every file of this directory whose name ends in .conf (in INI: .ini), in order of name, at this point.",
    reloadable: true,
    since: "1.0",
    defaultText: "none",
    differs: "In INI the files end in .ini and the option may be given once.",
  },
  {
    name: "user",
    scope: "global",
    kind: "text",
    default: "mosquitto",
    lastWins: true,
    status: "honoured",
    meaning: "Account, with its groups, to run as when started as root; root stays root.",
    reloadable: false,
    since: "0.2",
    differs:
      "If the option is not given and the account could not reach the configuration, the log file or the store, the broker stays root and says so. What root owns in the store's directory is given to the account.",
  },
  {
    name: "pid_file",
    scope: "global",
    kind: "path",
    default: "",
    defaultText: "none",
    example: "/run/sabethes.pid",
    status: "honoured",
    meaning: "File that takes the process id; it is removed at the end.",
    reloadable: false,
    since: "0.5",
    differs:
      "Written before privileges are dropped, so that it may lie in /run; links are not followed.",
  },
  {
    name: "tls_reload_on_change",
    scope: "global",
    kind: "bool",
    default: false,
    status: "own",
    meaning:
      "Looks at certificates, keys and revocation lists every few seconds and reads them anew when they have changed, also behind links that were swapped; without it SIGHUP does.",
    reloadable: true,
    since: "Sabethes",
  },
  {
    name: "memory_limit",
    scope: "global",
    kind: "int",
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    default: 0,
    unit: "bytes; 0 is no limit",
    status: "honoured",
    meaning:
      "Memory held for clients beyond which messages are refused, their senders disconnected and nobody new is let in.",
    differs:
      "Counts what is held for clients: queues, retained messages, what is unsent. What the program itself takes, some 60 MB, is not counted, nor is a receiver disconnected.",
    reloadable: true,
    since: "1.4.15",
  },
  {
    name: "packet_buffer_size",
    aliases: ["websockets_headers_size"],
    scope: "global",
    kind: "int",
    minimum: 0,
    maximum: 65535,
    default: 4096,
    unit: "bytes",
    refusal: "Packet buffer size must be between 0 and 65535 inclusive.",
    status: "honoured",
    meaning: "Largest header of a request on listeners that speak WebSocket or HTTP.",
    differs: "It has no meaning for MQTT packets: read buffers grow and shrink with the traffic.",
    reloadable: false,
    since: "2.1",
  },
  {
    name: "tcp_wrappers",
    scope: "global",
    kind: "bool",
    default: false,
    status: "own",
    meaning:
      "Asks /etc/hosts.allow and /etc/hosts.deny, by libwrap, whether a client may connect; the daemon is called mosquitto and sabethes there.",
    differs: "Mosquitto asks whenever it was built with libwrap.",
    reloadable: false,
    since: "Sabethes",
  },
] as const satisfies readonly OptionRow[];
