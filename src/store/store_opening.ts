import { statSync } from "node:fs";
import { errorText } from "../error_text.ts";
import { checkInChild } from "./child_walk.ts";
import { closeEnvironment, type Environment, openEnvironment } from "./environment.ts";
import { headerProblem } from "./header_check.ts";
import { walkRecords } from "./record_walk.ts";
import { openSchema } from "./schema.ts";
import { StoreError } from "./store.ts";
import {
  readState,
  readStateBytes,
  restoreStateBytes,
  syncDirectory,
  writeState,
} from "./store_state.ts";

/** An environment that was found fit to be mapped and read; its state is `creating` or `loading`. */
export interface OpenedStore {
  readonly environment: Environment;
  /** Puts the state file back as it was: the start failed after all. */
  readonly undoState: () => void;
}

export interface OpeningOptions {
  directory: string;
  mapBytes?: number;
  /** Walk all records in a child first, whatever the state. */
  checkFirst: boolean;
  log(line: string): void;
}

/**
 * Opens the environment in `directory`, which is locked, after looking whether that is safe.
 *
 * What is looked at depends on how the store was left. The header is checked always. All records are
 * walked, with checksums, by `restore()` anyway, so after an unclean stop nothing more is done here: a
 * kill -9 leaves no damage, and a start stays fast. Only if the process also died while *loading*, which
 * is what a page does that cannot be read, the walk is done before in a child, that may die instead.
 *
 * Throws `StoreError`; then the store is as it was.
 */
export async function openStore(options: OpeningOptions): Promise<OpenedStore> {
  const { directory } = options;
  const path = `${directory}/data.mdb`;
  const state = readState(directory);
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? null;

  const isNew = size === null && state === null || !size && state === "creating";
  if (!isNew) {
    if (size === null) throw damaged(`${path} is missing, although the store was in use`);
    const problem = headerProblem(path);
    if (problem !== null) throw damaged(`${path} ${problem.text}`);
    if (state === "loading" || options.checkFirst) await checkRecords(options, path);
  }
  const mayBeNew = state === null || state === "creating";
  return await openSound(options, path, isNew, mayBeNew);
}

async function openSound(
  options: OpeningOptions,
  path: string,
  isNew: boolean,
  mayBeNew: boolean,
): Promise<OpenedStore> {
  const { directory, mapBytes } = options;
  const stateBytes = readStateBytes(directory);
  const undoState = () => restoreStateBytes(directory, stateBytes);
  let environment: Environment | null = null;
  try {
    writeState(directory, isNew ? "creating" : "loading");
    environment = openEnvironment(directory, { mapBytes, readOnly: false });
    openSchema(environment, mayBeNew, path);
    if (isNew) syncDirectory(directory);
    return { environment, undoState };
  } catch (error) {
    if (environment !== null) await closeEnvironment(environment);
    undoState();
    if (error instanceof StoreError) throw error;
    throw new StoreError(`cannot open ${path}: ${errorText(error)}`, "failed", { cause: error });
  }
}

async function checkRecords(options: OpeningOptions, path: string): Promise<void> {
  const finding = await checkInChild(options.directory);
  switch (finding.name) {
    case "sound":
      options.log(`${path} was checked: ${finding.records} records, no problem`);
      return;
    case "damaged":
      throw damaged(`${path}: ${finding.problem}`);
    case "unavailable":
      options.log(`${path} is checked in this process, a child cannot be started: ${finding.why}`);
      await checkHere(options.directory, path);
  }
}

async function checkHere(directory: string, path: string): Promise<void> {
  const problems: string[] = [];
  const environment = openEnvironment(directory, { readOnly: true });
  try {
    walkRecords(environment, { record: () => {}, problem: (text) => void problems.push(text) });
  } catch (error) {
    problems.push(errorText(error));
  }
  await closeEnvironment(environment);
  if (problems.length === 0) return;
  throw damaged(`${path}: ${problems.length} problems: ${problems.slice(0, 5).join("; ")}`);
}

function damaged(text: string): StoreError {
  return new StoreError(text, "damaged");
}
