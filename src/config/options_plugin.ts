import type { OptionRow } from "./option_row.ts";

/** Plugins, and the options that follow the line of each. */
export const PLUGIN_OPTIONS = [
  {
    name: "plugin",
    aliases: ["auth_plugin"],
    scope: "plugin",
    kind: "directive",
    perListener: true,
    unit: "FILE",
    defaultText: "none",
    example: "/usr/lib/mosquitto_dynamic_security.so",
    status: "honoured",
    meaning:
      "Loads a plugin; with per_listener_settings for the listener above only. Plugins are asked in order, before password_file and acl_file.",
    differs:
      "A library is not loaded: the four that decide in Mosquitto 2.1 are known by their file names and built in, any other ends the start with status 13. FILE.ts, .js or .mjs is a module with hooks.",
    reloadable: false,
    since: "2.0",
  },
  {
    name: "global_plugin",
    scope: "plugin",
    kind: "directive",
    unit: "FILE",
    defaultText: "none",
    example: "/usr/lib/mosquitto_dynamic_security.so",
    status: "honoured",
    meaning: "Loads a plugin for all listeners; it is asked before those of one listener.",
    reloadable: false,
    since: "2.1",
  },
  {
    name: "plugin_load",
    scope: "plugin",
    kind: "directive",
    unit: "NAME FILE",
    defaultText: "none",
    example: "NAME /usr/lib/mosquitto_acl_file.so",
    status: "honoured",
    meaning: "Loads a plugin under a name, for listeners that take it by plugin_use.",
    reloadable: false,
    since: "2.1",
  },
  {
    name: "plugin_opt_*",
    aliases: ["auth_opt_*"],
    scope: "plugin",
    kind: "directive",
    unit: "VALUE",
    defaultText: "none",
    example: "VALUE",
    status: "honoured",
    meaning: "A setting handed to the plugin above: its name is what follows plugin_opt_.",
    differs: "A plugin without the file that it works on ends the start with status 13.",
    reloadable: false,
    since: "2.0",
  },
  {
    name: "auth_plugin_deny_special_chars",
    scope: "plugin",
    kind: "bool",
    default: false,
    status: "honoured",
    meaning:
      "Whether the plugin above is not asked about user names and ids that contain +, # or /, which are refused.",
    differs:
      "Mosquitto's default is true, but only for libraries older than 2.0, which are not loaded; here it holds for modules, when it is set.",
    reloadable: false,
    since: "1.4.13",
  },
] as const satisfies readonly OptionRow[];
