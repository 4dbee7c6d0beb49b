/** What of a file is looked at; a clock that a test drives. */
export interface FileChangesOptions {
  /** Files and directories. */
  readonly paths: readonly string[];
  /** Told once the files have changed and have then been left alone for one interval. */
  onChange(): void;
  /** Default: 5000. */
  readonly intervalMs?: number;
  /** Default: `setInterval`. Returns what ends it. */
  readonly every?: (intervalMs: number, look: () => void) => () => void;
}

/**
 * Watches files by looking at them, which sees what system watches miss: files behind links that are
 * swapped, as Kubernetes does, network file systems, files that are not there yet. Since several files
 * are rarely changed at the same moment, a change counts only when nothing more has changed until the
 * next look.
 */
export class FileChanges {
  readonly #paths: readonly string[];
  readonly #onChange: () => void;
  readonly #stop: () => void;
  /** As it was when last told of. */
  #known: string;
  #seen: string;

  constructor({ paths, onChange, intervalMs = 5000, every = everyInterval }: FileChangesOptions) {
    this.#paths = paths;
    this.#onChange = onChange;
    this.#known = this.#seen = this.#look();
    this.#stop = every(intervalMs, () => this.#check());
  }

  close(): void {
    this.#stop();
  }

  #check() {
    const now = this.#look();
    const isSettled = now === this.#seen;
    this.#seen = now;
    if (!isSettled || now === this.#known) return;
    this.#known = now;
    this.#onChange();
  }

  #look(): string {
    return this.#paths.map(stateOf).join("\n");
  }
}

/** Where the path leads and what is there; of a directory also what lies in it. */
function stateOf(path: string): string {
  try {
    const target = Deno.realPathSync(path);
    const { ino, size, mtime, isDirectory } = Deno.statSync(target);
    const state = `${target} ${ino} ${size} ${mtime?.getTime()}`;
    if (!isDirectory) return state;
    const names = [...Deno.readDirSync(target)].map(({ name }) => name).sort();
    return [state, ...names.map((name) => stateOfEntry(`${target}/${name}`))].join("\n");
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return `${path} ${error.name}`;
  }
}

function stateOfEntry(path: string): string {
  try {
    const { ino, size, mtime } = Deno.statSync(path);
    return `${path} ${ino} ${size} ${mtime?.getTime()}`;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return `${path} ${error.name}`;
  }
}

function everyInterval(intervalMs: number, look: () => void): () => void {
  const timer = setInterval(look, intervalMs);
  // Nobody has to wait for it.
  Deno.unrefTimer(timer);
  return () => clearInterval(timer);
}
