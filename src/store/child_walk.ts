import { StoreError } from "./store.ts";

/** What {@linkcode checkInChild} found. `unavailable`: there is no way to run a child here. */
export type ChildFinding =
  | { name: "sound"; records: number }
  | { name: "damaged"; problem: string }
  | { name: "unavailable"; why: string };

/**
 * Walks the store in a child process: a signal that kills the child is a finding, not our end. Costs
 * 0.1 s and about 1 s for a million records. When `signal` aborts, the child is killed and the signal's
 * reason thrown.
 */
export async function checkInChild(
  directory: string,
  signal?: AbortSignal,
): Promise<ChildFinding> {
  signal?.throwIfAborted();
  const command = childCommand("check", directory);
  if (command === null) return { name: "unavailable", why: "this program cannot start itself" };
  let output: Deno.CommandOutput;
  let kill = () => {};
  try {
    const child = command.spawn();
    kill = () => endNow(child);
    signal?.addEventListener("abort", kill);
    output = await child.output();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { name: "unavailable", why: error.message };
  } finally {
    signal?.removeEventListener("abort", kill);
  }
  signal?.throwIfAborted();
  if (output.signal !== null) {
    return { name: "damaged", problem: `reading it ends the process with ${output.signal}` };
  }
  const text = new TextDecoder();
  if (!output.success) {
    const why = text.decode(output.stderr).trim().split("\n")[0];
    return { name: "unavailable", why: why || `status ${output.code}` };
  }
  const { records, problems, examples } = JSON.parse(text.decode(output.stdout)) as {
    records: number;
    problems: number;
    examples: string[];
  };
  if (problems === 0) return { name: "sound", records };
  return { name: "damaged", problem: `${problems} problems: ${examples.join("; ")}` };
}

/** Also a child that is stopped or that the disk holds up ends of this. */
function endNow(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch (error) {
    // It has just ended by itself.
    if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** What reading a damaged store has lost, as far as it can be told. */
export interface SalvageReport {
  records: number;
  /** Entries that were reached and were wrong. */
  problems: number;
  /** How often the reading process died and was started again behind the place. */
  deaths: number;
  /** Whether all places were tried. */
  complete: boolean;
}

const DEATHS_MAXIMUM = 200;
/** In a row, without a record between: then what is left is taken for unreadable. */
const FRUITLESS_DEATHS_MAXIMUM = 24;
/** Nine steps go through all numbers of a kind. */
const STEP_FACTOR = 64;
const KIND_MAXIMUM = 200;

/**
 * Reads what is readable from a damaged store, in children: one that dies is started again behind the
 * last record it gave, then ever farther on, until something can be read or all kinds were tried.
 */
export async function readInChildren(
  directory: string,
  keep: (kind: number, number: number, value: Uint8Array) => Promise<void>,
): Promise<SalvageReport> {
  const report: SalvageReport = { records: 0, problems: 0, deaths: 0, complete: false };
  let kind = 0;
  let number = 0;
  let step = 1;
  let fruitless = 0;
  while (report.deaths < DEATHS_MAXIMUM && fruitless < FRUITLESS_DEATHS_MAXIMUM) {
    const command = childCommand("read", directory, kind, number);
    if (command === null) {
      throw new StoreError("salvage needs a child process, and this program cannot start itself");
    }
    const recordsBefore = report.records;
    for await (const frame of frames(command.spawn())) {
      if (frame.kind === 255) {
        report.problems += frame.number;
        return { ...report, complete: true };
      }
      await keep(frame.kind, frame.number, frame.value);
      report.records++;
      kind = frame.kind;
      number = frame.number;
    }
    report.deaths++;
    const gaveRecords = report.records > recordsBefore;
    fruitless = gaveRecords ? 0 : fruitless + 1;
    step = gaveRecords ? 1 : step * STEP_FACTOR;
    number += step;
    if (!Number.isSafeInteger(number)) {
      kind++;
      number = 0;
      step = 1;
    }
    if (kind > KIND_MAXIMUM) return { ...report, complete: true };
  }
  return report;
}

interface Frame {
  kind: number;
  number: number;
  value: Uint8Array;
}

/** The whole frames of a child's output; a frame cut by its death is dropped. */
async function* frames(child: Deno.ChildProcess): AsyncGenerator<Frame> {
  let rest = new Uint8Array(0);
  const status = child.status;
  for await (const chunk of child.stdout) {
    const bytes = new Uint8Array(rest.length + chunk.length);
    bytes.set(rest);
    bytes.set(chunk, rest.length);
    const view = new DataView(bytes.buffer);
    let at = 0;
    while (at + 13 <= bytes.length) {
      const end = at + 13 + view.getUint32(at + 9);
      if (end > bytes.length) break;
      yield {
        kind: view.getUint8(at),
        number: view.getFloat64(at + 1),
        value: bytes.slice(at + 13, end),
      };
      at = end;
    }
    rest = bytes.slice(at);
  }
  await status;
}

/** Null where the running program is not `deno` itself (`deno compile`) or the files are elsewhere. */
function childCommand(mode: "check" | "read", ...args: (string | number)[]): Deno.Command | null {
  const program = new URL("./store_check.ts", import.meta.url);
  if (Deno.build.standalone || program.protocol !== "file:") return null;
  // Our own import map and lock, wherever the working directory is; nothing is downloaded or written.
  const configuration = decodeURIComponent(new URL("../../deno.json", import.meta.url).pathname);
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--cached-only",
      "--frozen",
      "--config",
      configuration,
      program.href,
      mode,
      ...args.map(String),
    ],
    stdin: "null",
    stdout: "piped",
    stderr: mode === "check" ? "piped" : "null",
  });
}
