import type { Restored } from "../broker/restore.ts";
import type { Configuration } from "../config/configuration.ts";
import type { Log } from "../log.ts";

/**
 * Says in the log what was found in the store, and what a crash could lose of it.
 *
 * @param directory of the store; null: nothing is kept
 */
export function reportStart(
  log: Log,
  { global }: Configuration,
  directory: string | null,
  restored: Restored,
  tookMs: number,
): void {
  const info = (text: string) => log.log("information", text);
  if (directory === null) {
    info("Persistence is off: sessions, queues and retained messages end with the process.");
    return;
  }
  info(
    `Store: ${directory}, restored ${restored.sessions} clients, ${restored.subscriptions} ` +
      `subscriptions, ${restored.entries} client messages and ${restored.retained} retained ` +
      `messages in ${tookMs.toFixed(0)} ms.`,
  );
  if (restored.orphans > 0) {
    log.log("warning", `Removed ${restored.orphans} records that belonged to nothing.`);
  }
  info(`Durability: ${durabilityText(global)}`);
}

/** What a crash can lose. */
function durabilityText(global: Configuration["global"]): string {
  switch (global.durability) {
    case "sync":
      return "sync. What is acknowledged is on disk; a crash or power failure loses none of it.";
    case "async":
      return "async. A crash or power failure can lose the last 100 ms, acknowledged or not.";
    case "autosave": {
      const interval = global.autosaveInterval;
      const lost = interval <= 0
        ? "everything since the start or the last SIGUSR1"
        : `up to ${interval} ${global.autosaveOnChanges ? "changes" : "seconds"}`;
      return `autosave. A crash can lose ${lost}, acknowledged or not.`;
    }
  }
}
