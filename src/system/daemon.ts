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

/** The daemon is there: lets go of the terminal and of whoever waits. */
export function daemonIsReady(): void {
  const { open, dup2, write, close } = libc();
  const nowhere = open(new TextEncoder().encode("/dev/null\0"), O_RDWR);
  for (const descriptor of [0, 1, 2]) dup2(nowhere, descriptor);
  close(nowhere);
  write(READY_DESCRIPTOR, new TextEncoder().encode("1"), 1n);
  close(READY_DESCRIPTOR);
  Deno.env.delete(MARK);
}

/** The command line behind the name of the program. */
function ownArguments(): string[] {
  return readFileSync("/proc/self/cmdline", "utf8").split("\0").slice(1, -1);
}
