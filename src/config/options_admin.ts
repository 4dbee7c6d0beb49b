import type { OptionRow } from "./option_row.ts";

/** The HTTP interface. */
export const ADMIN_OPTIONS = [
  {
    name: "admin_listener",
    scope: "global",
    kind: "endpoint",
    default: null,
    defaultAddress: "127.0.0.1",
    defaultText: "off",
    unit: "PORT [ADDRESS]; port 0 takes any free one",
    status: "own",
    meaning:
      "Serves health, metrics and the admin API by HTTP on this port, at 127.0.0.1 if no address is given.",
    reloadable: false,
    since: "Sabethes",
    shipped: "18083 127.0.0.1",
  },
  {
    name: "admin_token",
    scope: "global",
    kind: "text",
    secret: true,
    default: "",
    defaultText: "none",
    example: "TOKEN",
    status: "own",
    meaning:
      "Bearer token the admin API asks for; needed when admin_listener is not on a loopback address.",
    reloadable: true,
    since: "Sabethes",
  },
  {
    name: "admin_mqtt",
    scope: "global",
    kind: "bool",
    default: false,
    status: "own",
    meaning:
      "Also takes MQTT clients over WebSocket on the path /mqtt of admin_listener; without admin_token, those of this machine.",
    reloadable: false,
    since: "Sabethes",
  },
] as const satisfies readonly OptionRow[];
