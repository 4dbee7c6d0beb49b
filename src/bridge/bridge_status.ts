/** Where a bridge stands. */
export type BridgeState =
  /** Not started, paused, or failed and not to be tried again. */
  | "stopped"
  /** Lazy: too little waits yet. */
  | "idle"
  /** Until the next attempt. */
  | "waiting"
  | "connecting"
  | "connected";

/** How a bridge is, for whoever asks. */
export interface BridgeStatus {
  readonly name: string;
  readonly state: BridgeState;
  readonly connected: boolean;
  /** The address in use, or to be tried next. */
  readonly address: string;
  /** Messages that wait for the remote broker, those in flight included. */
  readonly queued: number;
  /** Messages since the start. */
  readonly sent: number;
  readonly received: number;
  /** Messages that the remote broker could not take, or for which there was no room to wait. */
  readonly dropped: number;
  /** Connections made. */
  readonly connects: number;
  /** Null: there was none. */
  readonly lastError: string | null;
}
