import type { Broker } from "../broker/broker.ts";
import { RequestError } from "./answers.ts";

const LOOK_EVERY_MS = 2;
const WAIT_MAXIMUM_MS = 10_000;

/**
 * Changes something in a turn of the broker, and waits until it is as safe as the durability level
 * promises: for the commit at `sync`, for nothing at the others.
 *
 * @throws {RequestError} 503 when the disk takes too long; the change has been made all the same
 */
export async function changeSafely<T>(broker: Broker, change: () => T): Promise<T> {
  const { journal } = broker;
  const before = journal.changes;
  // Reading the time opens a turn, at whose end all that follows is written and sent.
  void broker.nowMs;
  const result = change();
  if (journal.changes === before) return result;
  const { position } = journal;
  for (let waitedMs = 0; journal.committed < position; waitedMs += LOOK_EVERY_MS) {
    if (waitedMs > WAIT_MAXIMUM_MS) {
      throw new RequestError(503, "not_on_disk", "done, but the disk has not confirmed it yet");
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  return result;
}
