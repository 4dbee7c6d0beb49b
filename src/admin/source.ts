import type { AclQuestion } from "../access/acl_explanation.ts";
import type { BridgeStatus } from "../bridge/bridge_status.ts";
import type { Broker } from "../broker/broker.ts";
import type { Mistake } from "../mistake.ts";

/** What came of a reload: what changed, or everything that is wrong; then nothing did. */
export type ReloadAnswer =
  | {
    readonly changes: readonly {
      readonly option: string;
      readonly before: string;
      readonly now: string;
      /** False: it takes a restart. */
      readonly applied: boolean;
    }[];
  }
  | { readonly mistakes: readonly Mistake[] };

/** Whether a client may read or write a topic, and which rule says so. */
export interface AclAnswer {
  /** Its port or path; undefined: all listeners answer the same. */
  readonly listener?: string;
  readonly allowed: boolean;
  /** Null: no `acl_file` is set. */
  readonly file: string | null;
  /** Undefined: no rule decided. */
  readonly line?: number;
  readonly because: string;
}

/** A bridge, as the HTTP interface shows and moves it. */
export interface BridgeControl {
  status(): BridgeStatus;
  pause(): void;
  resume(): void;
  reconnect(): void;
}

/** What the HTTP interface shows and does; given to it by whoever starts it. */
export interface AdminSource {
  /** Null while the store is still being read. */
  broker(): Broker | null;
  /** Whether clients are served, and why not. */
  readiness(): { readonly ready: boolean; readonly reason: string };
  /** Options in force by their names in a configuration file, secrets left out, each with its origin. */
  configuration(): readonly { name: string; value: unknown; origin: string }[];
  /** Reads the configuration's files anew; null: it stands in none. */
  reload(): Promise<ReloadAnswer> | null;
  /** Of listeners with TLS: when the server's certificate expires, in Unix milliseconds. */
  certificates(): readonly { readonly listener: string; readonly expiresAtMs: number }[];
  /** In the order of the configuration. */
  bridges(): readonly BridgeControl[];
  explainAcl(question: AclQuestion): readonly AclAnswer[];
  readonly version: string;
  /** Bearer token that every request but /healthz, /readyz and /version needs; null: none. */
  readonly token: string | null;
  /** Takes a client that has come to `/mqtt`; null: that path is not there. */
  readonly webSocket: ((socket: WebSocket, remoteAddress: string) => void) | null;
}
