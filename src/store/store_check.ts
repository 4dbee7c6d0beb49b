/**
 * Walks a store in a process of its own, because reading a damaged LMDB file can end the process. Run
 * by `child_walk.ts`; not to be imported.
 *
 *     store_check.ts check DIRECTORY              one line of JSON: { records, problems, examples }
 *     store_check.ts read DIRECTORY [KIND NUMBER]  each readable record from there on, as a frame
 *
 * A frame: kind (1) · number (8, float) · length (4) · value, big-endian. One of kind 255 ends the
 * stream, its number telling how many problems were met. Each is written at once, so that none that was
 * read is lost with the process.
 */
import { errorText } from "../error_text.ts";
import { openEnvironment } from "./environment.ts";
import { HEAD_KEY_BYTES, writeHeadKey } from "./record_codec.ts";
import { walkRecords } from "./record_walk.ts";

const EXAMPLES_MAXIMUM = 5;

function check(directory: string): void {
  let records = 0;
  let problems = 0;
  const examples: string[] = [];
  const problem = (text: string) => {
    if (problems++ < EXAMPLES_MAXIMUM) examples.push(text);
  };
  try {
    const environment = openEnvironment(directory, { readOnly: true });
    walkRecords(environment, { record: () => void records++, problem });
  } catch (error) {
    problem(errorText(error));
  }
  write(new TextEncoder().encode(JSON.stringify({ records, problems, examples }) + "\n"));
}

function read(directory: string, start: Uint8Array | undefined): void {
  let problems = 0;
  const environment = openEnvironment(directory, { readOnly: true });
  walkRecords(environment, { record: writeFrame, problem: () => void problems++ }, start);
  writeFrame(255, problems, new Uint8Array(0));
}

function writeFrame(kind: number, number: number, value: Uint8Array): void {
  const frame = new Uint8Array(13 + value.length);
  const view = new DataView(frame.buffer);
  view.setUint8(0, kind);
  view.setFloat64(1, number);
  view.setUint32(9, value.length);
  frame.set(value, 13);
  write(frame);
}

function write(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
}

if (import.meta.main) {
  const [mode, directory, kind, number] = Deno.args;
  if (mode === "check") {
    check(directory);
  } else {
    let start: Uint8Array | undefined;
    if (kind !== undefined) {
      start = new Uint8Array(HEAD_KEY_BYTES);
      writeHeadKey(start, Number(kind), Number(number));
    }
    read(directory, start);
  }
  // Without closing LMDB: there is nothing to save, and a damaged environment may not close.
  Deno.exit(0);
}
