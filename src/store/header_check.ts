/**
 * Looks at `data.mdb` without mapping it. A file that is shorter than its own description, or garbage,
 * kills the process that maps it (SIGBUS, SIGSEGV), and an empty one would be opened as a new store and
 * lose everything without a word. This finds all such structural damage; single bad pages it does not.
 *
 * Layout of lmdb 3.5.6 (data version 2): a page header of 24 bytes, then magic (4), version (4), map
 * address (8), map size (8), page size (4) …; at 144 the last page's number, at 152 the transaction.
 */
const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
const META_BYTES = 168;
const PAGE_BYTES_MINIMUM = 512;
const PAGE_BYTES_MAXIMUM = 65536;

export interface HeaderProblem {
  /** Words that follow the file's name. */
  text: string;
  /** If only its end is missing: how long the file should be. */
  wholeBytes: number | null;
}

/** What is wrong with the file, or null. Throws if it cannot be read. */
export function headerProblem(path: string): HeaderProblem | null {
  using file = Deno.openSync(path);
  const size = file.statSync().size;
  const head = new Uint8Array(PAGE_BYTES_MAXIMUM + META_BYTES);
  const view = new DataView(head.buffer, 0, readFully(file, head));
  const first = readMeta(view, 0);
  const second = first === null ? null : readMeta(view, first.pageBytes);

  const text = damage(size, first, second);
  if (text !== null) return { text, wholeBytes: null };
  const pages = Math.max(first!.lastPage, second!.lastPage) + 1;
  const wholeBytes = pages * first!.pageBytes;
  if (wholeBytes <= size) return null;
  return { text: `is cut short: ${size} bytes of ${wholeBytes}`, wholeBytes };
}

/**
 * Which state the file holds: the number of its last transaction and its last page, as text. A copy made
 * by LMDB says the same as its source until that is changed. Null if the header makes no sense.
 */
export function stateMark(path: string): string | null {
  using file = Deno.openSync(path);
  const head = new Uint8Array(PAGE_BYTES_MAXIMUM + META_BYTES);
  const view = new DataView(head.buffer, 0, readFully(file, head));
  const first = readMeta(view, 0);
  const second = first === null ? null : readMeta(view, first.pageBytes);
  if (damage(view.byteLength, first, second) !== null) return null;
  const last = first!.transaction > second!.transaction ? first! : second!;
  return `${last.transaction}/${last.lastPage}`;
}

interface Meta {
  magic: number;
  version: number;
  pageBytes: number;
  lastPage: number;
  transaction: bigint;
}

function damage(size: number, first: Meta | null, second: Meta | null): string | null {
  if (size === 0) return "is empty";
  if (first === null) return `has ${size} bytes, less than its first page`;
  if (first.magic !== MAGIC) return "is not an LMDB file, or its first page is damaged";
  if (first.version !== DATA_VERSION) {
    return `has LMDB data version ${first.version}, known is ${DATA_VERSION}`;
  }
  if (!isPageSize(first.pageBytes)) return `claims pages of ${first.pageBytes} bytes`;
  if (second === null) return `has ${size} bytes, less than its first two pages`;
  if (second.magic !== MAGIC || second.pageBytes !== first.pageBytes) {
    return "has a damaged second page";
  }
  return null;
}

function readMeta(view: DataView, at: number): Meta | null {
  if (at + META_BYTES > view.byteLength) return null;
  return {
    magic: view.getUint32(at + 24, true),
    version: view.getUint32(at + 28, true) & 0xffff,
    pageBytes: view.getUint32(at + 48, true),
    lastPage: Number(view.getBigUint64(at + 144, true)),
    transaction: view.getBigUint64(at + 152, true),
  };
}

function isPageSize(bytes: number): boolean {
  return bytes >= PAGE_BYTES_MINIMUM && bytes <= PAGE_BYTES_MAXIMUM && (bytes & bytes - 1) === 0;
}

/** Returns how many bytes there were. */
function readFully(file: Deno.FsFile, target: Uint8Array): number {
  let at = 0;
  while (at < target.length) {
    const length = file.readSync(target.subarray(at));
    if (length === null) break;
    at += length;
  }
  return at;
}
