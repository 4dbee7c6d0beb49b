const encoder = new TextEncoder();
const OTHERS = 0o077;

/**
 * A file of TLS secrets in NSS key log format, for looking into captured traffic: `--tls-keylog`. Who
 * can read it can read the traffic, so that it must belong to nobody else.
 */
export class KeyLog {
  readonly #file: Deno.FsFile;

  private constructor(file: Deno.FsFile) {
    this.#file = file;
  }

  /** @throws {Error} in words for the log: a link, a file that others may read, what the system says */
  static open(path: string): KeyLog {
    if (isLink(path)) throw new Error(`${path} is a symbolic link.`);
    const file = Deno.openSync(path, { append: true, create: true, mode: 0o600 });
    if (((file.statSync().mode ?? 0) & OTHERS) !== 0) {
      file.close();
      throw new Error(`${path} can be read or written by others: chmod 600 ${path}`);
    }
    return new KeyLog(file);
  }

  write(line: string): void {
    this.#file.writeSync(encoder.encode(`${line}\n`));
  }

  close(): void {
    this.#file.close();
  }
}

function isLink(path: string): boolean {
  try {
    return Deno.lstatSync(path).isSymlink;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
