import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { libc } from "./libc.ts";

/** Tells a process that it was started to be the daemon. */
const MARK = "SABETHES_DAEMON";
/** Where the daemon says that it is there. */
const READY_DESCRIPTOR = 3;
const O_RDWR = 2;

/** Whether this process is the one that stays. */
export function isDaemon(): boolean {
  return Deno.env.get(MARK) === "1";
}

/**
 * Starts this program again as a daemon, in a session of its own, and waits until it is there or has
 * failed: a runtime with threads cannot fork. Until then the daemon has our stdout and stderr, so that
 * what is wrong with a start is seen where it was asked for.
 *
 * @returns the exit status of whoever asked: 0 when the daemon is there, else the daemon's own
 */
export function startDaemon(): Promise<number> {
  const child = spawn(Deno.execPath(), ownArguments(), {
    detached: true,
    stdio: ["ignore", "inherit", "inherit", "pipe"],
    env: { ...Deno.env.toObject(), [MARK]: "1" },
  });
  return new Promise((resolve, reject) => {
    // Not its end: the daemon's own children may hold the descriptor.
    child.stdio[READY_DESCRIPTOR]!.once("data", () => resolve(0));
    child.once("error", reject);
    child.once("exit", (status) => resolve(status || 1));
  });
}

/**
 * To be called before the daemon opens anything. The returned function says that the daemon is there: it
 * lets go of the terminal and of whoever waits.
 */
export function prepareDaemon(): () => void {
  // The runtime has copies of stdin, stdout and stderr, and it is these that it writes to.
  const before = descriptors();
  const standard = new Set([0, 1, 2].map((descriptor) => before.get(descriptor)));
  const held = [...before].filter(([, target]) => standard.has(target));
  return () => {
    const { open, dup2, write, close } = libc();
    const nowhere = open(new TextEncoder().encode("/dev/null\0"), O_RDWR);
    for (const [descriptor] of held) dup2(nowhere, descriptor);
    close(nowhere);
    write(READY_DESCRIPTOR, new TextEncoder().encode("1"), 1n);
    close(READY_DESCRIPTOR);
    Deno.env.delete(MARK);
  };
}

/** What is open: descriptor → what it stands for. */
function descriptors(): Map<number, string> {
  const found = new Map<number, string>();
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    try {
      found.set(Number(name), Deno.readLinkSync(`/proc/self/fd/${name}`));
    } catch (error) {
      // That by which the directory is read is closed again.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return found;
}

/** The command line behind the name of the program. */
function ownArguments(): string[] {
  return readFileSync("/proc/self/cmdline", "utf8").split("\0").slice(1, -1);
}
