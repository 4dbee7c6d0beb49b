import { extname } from "node:path";
import { HttpError } from "./http_request.ts";

/** What a browser must be told of a file; others are bytes. */
const CONTENT_TYPES = new Map([
  [".html", "text/html; charset=utf-8"],
  [".htm", "text/html; charset=utf-8"],
  [".css", "text/css; charset=utf-8"],
  [".js", "text/javascript; charset=utf-8"],
  [".mjs", "text/javascript; charset=utf-8"],
  [".json", "application/json"],
  [".map", "application/json"],
  [".webmanifest", "application/manifest+json"],
  [".xml", "text/xml; charset=utf-8"],
  [".txt", "text/plain; charset=utf-8"],
  [".md", "text/markdown; charset=utf-8"],
  [".csv", "text/csv; charset=utf-8"],
  [".svg", "image/svg+xml"],
  [".png", "image/png"],
  [".jpg", "image/jpeg"],
  [".jpeg", "image/jpeg"],
  [".gif", "image/gif"],
  [".webp", "image/webp"],
  [".avif", "image/avif"],
  [".ico", "image/x-icon"],
  [".woff", "font/woff"],
  [".woff2", "font/woff2"],
  [".ttf", "font/ttf"],
  [".otf", "font/otf"],
  [".wasm", "application/wasm"],
  [".pdf", "application/pdf"],
  [".mp3", "audio/mpeg"],
  [".mp4", "video/mp4"],
  [".webm", "video/webm"],
]);

/** The files of one directory, by HTTP. */
export class StaticFiles {
  /** Without links in it. */
  readonly directory: string;

  /** @throws what the system says: no such directory, permission denied, … */
  constructor(directory: string) {
    this.directory = Deno.realPathSync(directory);
    if (!Deno.statSync(this.directory).isDirectory) throw new Error(`${directory} is no directory`);
  }

  /** The file that a path names. @throws {HttpError} 404 for all that is no file inside the directory */
  async respond(request: Request): Promise<Response> {
    if (request.method !== "GET" && request.method !== "HEAD") {
      throw new HttpError(405, "Invalid HTTP Method", { Allow: "GET, HEAD" });
    }
    const path = await this.#find(new URL(request.url).pathname);
    const file = path === null ? null : await openRegular(path);
    if (file === null) throw new HttpError(404, "Not found.");
    const headers = {
      "Content-Type": CONTENT_TYPES.get(extname(path!).toLowerCase()) ?? "application/octet-stream",
      "Content-Length": `${file.size}`,
      "Last-Modified": file.modified,
      "X-Content-Type-Options": "nosniff",
    };
    if (request.method === "HEAD") {
      file.handle.close();
      return new Response(null, { headers });
    }
    // As long as was said, whatever is appended meanwhile.
    return new Response(file.handle.readable.pipeThrough(firstBytes(file.size)), { headers });
  }

  /** The file's own path, links followed; null when there is none or it leads out of the directory. */
  async #find(pathname: string): Promise<string | null> {
    let name: string;
    try {
      name = decodeURIComponent(pathname);
    } catch (error) {
      if (error instanceof URIError) return null;
      throw error;
    }
    if (name.includes("\0")) return null;
    if (name.endsWith("/")) name += "index.html";
    // Whatever the system says, the client need not know more than that there is nothing for it.
    const path = await Deno.realPath(this.directory + name).catch(() => null);
    const inside = this.directory === "/" ? "/" : `${this.directory}/`;
    return path?.startsWith(inside) ? path : null;
  }
}

/** Null: it cannot be read, or is no ordinary file; a pipe would block until somebody writes to it. */
async function openRegular(path: string) {
  const found = await Deno.stat(path).catch(() => null);
  if (found === null || !found.isFile) return null;
  const handle = await Deno.open(path).catch(() => null);
  if (handle === null) return null;
  return { handle, size: found.size, modified: (found.mtime ?? new Date(0)).toUTCString() };
}

function firstBytes(count: number): TransformStream<Uint8Array, Uint8Array> {
  return new TransformStream({
    transform(chunk, controller) {
      const taken = chunk.subarray(0, count);
      count -= taken.length;
      if (taken.length > 0) controller.enqueue(taken);
    },
  });
}
