import type { Configuration } from "../config/configuration.ts";
import { type Change, mergeConfigurations } from "../config/configuration_changes.ts";
import type { Loaded } from "../config/load_configuration.ts";
import type { Log } from "../log.ts";
import { formatMistakes, type Mistake } from "../mistake.ts";

/** What came of a reload. */
export type ReloadResult =
  | { readonly changes: readonly Change[] }
  /** Nothing was changed. */
  | { readonly mistakes: readonly Mistake[] };

/** Something that has read its part of a new configuration and can put it in force. */
export interface Prepared {
  readonly warnings: readonly string[];
  apply(): void;
  /** Nothing is applied after all. */
  discard?(): void;
}

/** Reads its part of a configuration, and changes nothing yet. */
export type Prepare = (
  effective: Configuration,
) => Outcome | Promise<Outcome>;

type Outcome = Prepared | { readonly mistakes: readonly Mistake[] };

/**
 * Reads everything anew, then applies all of it or nothing: a mistake in one file leaves every other
 * setting as it was. Says in the log what changed.
 *
 * @param parts applied in this order
 */
export async function reload(
  before: Configuration,
  load: () => Loaded,
  parts: readonly Prepare[],
  log: Log,
): Promise<ReloadResult & { readonly effective: Configuration }> {
  log.log("information", "Reloading config.");
  const loaded = load();
  if ("mistakes" in loaded) return refused(before, loaded.mistakes, log);
  const { effective, changes } = mergeConfigurations(before, loaded.configuration);
  const prepared: Prepared[] = [];
  const mistakes: Mistake[] = [];
  for (const prepare of parts) {
    const part = await prepare(effective);
    if ("mistakes" in part) mistakes.push(...part.mistakes);
    else prepared.push(part);
  }
  if (mistakes.length > 0) {
    for (const part of prepared) part.discard?.();
    return refused(before, mistakes, log);
  }
  for (const notice of effective.notices) log.log("warning", notice);
  for (const part of prepared) {
    for (const warning of part.warnings) log.log("warning", warning);
    part.apply();
  }
  for (const { option, before, now, applied } of changes) {
    const when = applied ? "" : "; this takes a restart";
    log.log("information", `Changed ${option}: ${before} -> ${now}${when}.`);
  }
  if (changes.length === 0) log.log("information", "No option has changed.");
  return { changes, effective };
}

function refused(
  before: Configuration,
  mistakes: readonly Mistake[],
  log: Log,
): ReloadResult & { readonly effective: Configuration } {
  for (const line of formatMistakes(mistakes).trimEnd().split("\n")) log.log("error", line);
  log.log("error", "Error: Nothing is reloaded; the configuration of before stays in force.");
  return { mistakes, effective: before };
}
