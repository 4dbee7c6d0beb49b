import assert from "node:assert/strict";
import type { Configuration, Overrides } from "../../src/config/configuration.ts";
import type { ConfigurationFiles } from "../../src/config/files.ts";
import { loadConfiguration } from "../../src/config/load_configuration.ts";
import type { OptionRow } from "../../src/config/option_row.ts";
import type { Mistake } from "../../src/mistake.ts";

const encoder = new TextEncoder();

/** Files that exist in memory alone, by their path; a path that ends in `/` is a directory. */
export function memoryFiles(texts: Record<string, string | Uint8Array>): ConfigurationFiles {
  const byPath = new Map(Object.entries(texts));
  return {
    read(path) {
      const text = byPath.get(path);
      if (text === undefined) return { problem: `Unable to open config file '${path}'.` };
      return typeof text === "string" ? encoder.encode(text) : text;
    },
    list(directory) {
      const names = [...byPath.keys()].filter((path) => path.startsWith(`${directory}/`));
      return names.length === 0 ? undefined : names.map((name) => name.slice(directory.length + 1));
    },
  };
}

/** Loads `texts`, the first of which is the main file, and expects no mistake. */
export function load(
  texts: Record<string, string | Uint8Array>,
  overrides: Overrides = {},
): Configuration {
  const file = Object.keys(texts)[0];
  const loaded = loadConfiguration({ file, ...overrides }, memoryFiles(texts));
  if ("configuration" in loaded) return loaded.configuration;
  assert.fail(loaded.mistakes.map(({ line, message }) => `${line}: ${message}`).join("\n"));
}

/** Loads `texts` and expects mistakes. */
export function mistakesOf(texts: Record<string, string | Uint8Array>): readonly Mistake[] {
  const file = Object.keys(texts)[0];
  const loaded = loadConfiguration({ file }, memoryFiles(texts));
  if ("mistakes" in loaded) return loaded.mistakes;
  assert.fail("no mistake was found");
}

/** `LINE: message` of each mistake in a mosquitto.conf. */
export function mistakesIn(text: string, name = "a.conf"): string[] {
  return mistakesOf({ [name]: text }).map(({ line, message }) => `${line}: ${message}`);
}

/** A value that an option takes; of `plugin_use` the name "p". */
export function likelyValue(row: OptionRow): string {
  if (row.name === "plugin_use") return "p";
  if (row.name === "connection") return "other";
  if (row.example !== undefined) return row.example;
  if (row.kind === "backoff") return "5 30";
  return row.kind === "int" ? String(row.maximum) : "default" in row ? String(row.default) : "a";
}
