import type { LogDestination, LogType } from "../log.ts";
import { libc } from "./libc.ts";

const encoder = new TextEncoder();
const DESCRIPTORS = { stdout: 1, stderr: 2 } as const;
const POLLOUT = 4;
/** A pipe that can take anything takes as much as this in one piece: PIPE_BUF. */
const PIECE = 4096;
/** Bytes that wait for whoever reads a pipe; lines beyond it are lost. */
const WAITING_MAXIMUM = 1 << 20;
const RETRY_MS = 100;

/**
 * stdout or stderr. A pipe that nobody reads must not stop the broker: where writing would wait, lines
 * wait instead, up to 1 MiB, and those beyond it are lost and counted.
 */
export class StandardStream implements LogDestination {
  readonly #name: "stdout" | "stderr";
  readonly #canTake: () => boolean;
  #waiting: string[] = [];
  #waitingBytes = 0;
  #lost = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param canTake whether 4 KiB can be written now without waiting */
  constructor(name: "stdout" | "stderr", canTake: () => boolean = pipeCheck(name)) {
    this.#name = name;
    this.#canTake = canTake;
  }

  write(_type: LogType, line: string): void {
    if (this.#waiting.length > 0) return this.#wait(line);
    if (!this.#take(`${line}\n`)) this.#wait(line);
  }

  /** What still waits has its last chance. */
  close(): void {
    this.#writeWaiting();
    clearTimeout(this.#timer);
  }

  /** False: nothing of it was written, since that would have to wait. */
  #take(text: string): boolean {
    const bytes = encoder.encode(text);
    for (let at = 0; at < bytes.length;) {
      // A line begun is ended, though its further pieces may have to wait: few are that long.
      if (at === 0 && !this.#canTake()) return false;
      at += writeSome(this.#name, bytes.subarray(at, at + PIECE));
    }
    return true;
  }

  #wait(line: string) {
    if (this.#waitingBytes + line.length > WAITING_MAXIMUM) return void this.#lost++;
    this.#waiting.push(line);
    this.#waitingBytes += line.length;
    this.#timer ??= this.#later();
  }

  #later(): ReturnType<typeof setTimeout> {
    const timer = setTimeout(() => {
      this.#timer = undefined;
      this.#writeWaiting();
      if (this.#waiting.length > 0) this.#timer ??= this.#later();
    }, RETRY_MS);
    timer.unref();
    return timer;
  }

  #writeWaiting() {
    const waiting = this.#waiting;
    let written = 0;
    while (written < waiting.length && this.#take(`${waiting[written]}\n`)) {
      this.#waitingBytes -= waiting[written++].length;
    }
    this.#waiting = waiting.slice(written);
    if (this.#waiting.length === 0 && this.#lost > 0) {
      const lost = this.#lost;
      this.#lost = 0;
      this.write("warning", `${lost} lines were lost here.`);
    }
  }
}

/** Writes to the stream. A reader that is gone counts as one that has read everything. */
function writeSome(name: "stdout" | "stderr", bytes: Uint8Array): number {
  try {
    return Deno[name].writeSync(bytes);
  } catch {
    // The reader of the log is gone, or its disk is full; the broker is not to go with it.
    return bytes.length;
  }
}

/** Only a pipe or a socket can make one wait. */
function pipeCheck(name: "stdout" | "stderr"): () => boolean {
  const descriptor = DESCRIPTORS[name];
  if (!isPipe(descriptor)) return () => true;
  const { poll } = libc();
  const asked = new Uint8Array(new Int32Array([descriptor, POLLOUT]).buffer);
  // An error counts as room: writing finds out what is wrong.
  return () => poll(asked, 1n, 0) !== 0;
}

function isPipe(descriptor: number): boolean {
  if (Deno.build.os !== "linux") return false;
  try {
    const { isFifo, isSocket } = Deno.statSync(`/proc/self/fd/${descriptor}`);
    return isFifo === true || isSocket === true;
  } catch {
    return false; // closed, or no right to look
  }
}
