import { withinMs } from "./within_ms.ts";

/**
 * When a commit fails, lmdb rejects our promise and also one of its own, the hidden instruction that
 * started the batch, which nobody can reach; unhandled, it would end the process on the first full disk.
 * While any store is open, exactly those rejections are swallowed. What failed is told by our own promise.
 */
let users = 0;

/** Starts swallowing, for one more store. */
export function retainRejectionHandler(): void {
  if (users++ === 0) globalThis.addEventListener("unhandledrejection", swallow);
}

/** Ends it, with the last store. */
export function releaseRejectionHandler(): void {
  if (--users === 0) globalThis.removeEventListener("unhandledrejection", swallow);
}

/** lmdb's error for a commit that failed; the cause is behind a second promise. */
interface CommitRejection extends Error {
  readonly commitError: Promise<never>;
}

/** The cause behind lmdb's rejection, if it comes soon. */
export async function rejectionCause(error: unknown): Promise<unknown> {
  if (!isCommitRejection(error)) return error;
  const cause = error.commitError.catch((cause: unknown) => cause);
  return await withinMs(cause, 1000, error);
}

function isCommitRejection(error: unknown): error is CommitRejection {
  return error instanceof Error && error.message.startsWith("Commit failed") &&
    (error as Partial<CommitRejection>).commitError instanceof Promise;
}

function swallow(event: PromiseRejectionEvent): void {
  if (!isCommitRejection(event.reason)) return;
  event.preventDefault();
  // The cause is the same promise for all who were rejected; it must not become unhandled in its turn.
  event.reason.commitError.catch(() => {});
}
