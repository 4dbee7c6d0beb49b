import { statSync } from "node:fs";
import { loadAccessFile } from "../access/access_file.ts";
import { parseAclFile } from "../access/acl_file.ts";
import { readSecurityFile } from "../access/dynamic_security/dynamic_security.ts";
import { parsePasswordFile } from "../access/password_file.ts";
import type { Mistake, Place } from "../mistake.ts";
import type { Examined } from "./examination.ts";
import type { PluginSection } from "./options.ts";
import { pluginKind, pluginMistakes, pluginOption } from "./plugin_kind.ts";

interface Findings {
  readonly mistakes: readonly Mistake[];
  readonly warnings: readonly Mistake[];
}

/** Plugins that cannot be had, and the files that they work on. A module is not run. */
export function examinePlugins({ configuration, report }: Examined): void {
  const { plugins } = configuration;
  for (const { message, hint, ...place } of pluginMistakes(plugins)) {
    report("mistake", place, message, hint);
  }
  for (const section of plugins) {
    const { mistakes, warnings } = findingsIn(section);
    // What concerns the file as a whole stands where the plugin is named.
    const placed = (own: Place) => own.line === 0 ? section.place : own;
    for (const { message, hint, ...own } of mistakes) report("mistake", placed(own), message, hint);
    for (const { message, hint, ...own } of warnings) report("warning", placed(own), message, hint);
  }
}

function findingsIn(section: PluginSection): Findings {
  const nothing = { mistakes: [], warnings: [] };
  const { path, place } = section;
  const file = (option: string) => pluginOption(section, option);
  switch (pluginKind(path)) {
    case "module": {
      const isFile = statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
      const message = `Unable to open plugin "${path}".`;
      return isFile ? nothing : { ...nothing, mistakes: [{ ...place, message }] };
    }
    case "acl-file": {
      const rules = file("acl_file");
      return rules === undefined ? nothing : loadAccessFile("acl_file", rules, parseAclFile);
    }
    case "password-file": {
      const users = file("password_file");
      return users === undefined
        ? nothing
        : loadAccessFile("password_file", users, parsePasswordFile);
    }
    case "dynamic-security": {
      const state = file("config_file");
      // One that is not there yet is made at the first start.
      return state === undefined ? nothing : readSecurityFile(state) ?? nothing;
    }
    default:
      return nothing;
  }
}
