import { libc } from "../../src/system/libc.ts";

export const LINUX = Deno.build.os === "linux";

// Opened once for the whole process; a test that opens it first would be said to leak it.
if (LINUX) libc();

/** A directory that is gone after the test. */
export async function withDirectory(run: (directory: string) => void | Promise<void>) {
  const directory = Deno.makeTempDirSync({ prefix: "system-" });
  try {
    await run(directory);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}
