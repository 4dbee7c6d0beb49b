import type { Broker } from "../broker/broker.ts";
import { errorText } from "../error_text.ts";
import { StreamLink } from "../transport/stream_link.ts";
import { dial, reaches, type TuneSocket } from "./dialing.ts";
import type { Attempt, Links } from "./links.ts";
import { addressText, type BridgeAddress, type BridgeSettings } from "./settings.ts";

/** Connections of bridges over the network. */
export class NetworkLinks implements Links {
  readonly #broker: Broker;
  readonly #tune: TuneSocket;
  readonly #links = new Set<StreamLink>();
  #onDrained: (() => void) | null = null;

  constructor(broker: Broker, tune: TuneSocket) {
    this.#broker = broker;
    this.#tune = tune;
  }

  open(address: BridgeAddress, settings: BridgeSettings, attempt: Attempt): () => void {
    const giving = new AbortController();
    this.#open(address, settings, attempt, giving.signal)
      .catch((error) => this.#broker.fault(error, "connecting a bridge"));
    return () => giving.abort();
  }

  probe(
    address: BridgeAddress,
    settings: BridgeSettings,
    answer: (reachable: boolean) => void,
  ): () => void {
    const giving = new AbortController();
    void reaches(address, settings, giving.signal).then((reachable) => {
      if (!giving.signal.aborted) answer(reachable);
    });
    return () => giving.abort();
  }

  async #open(
    address: BridgeAddress,
    settings: BridgeSettings,
    attempt: Attempt,
    signal: AbortSignal,
  ): Promise<void> {
    let stream;
    try {
      stream = await dial(address, settings, signal, this.#tune);
    } catch (error) {
      if (!signal.aborted) attempt.failed(errorText(error));
      return;
    }
    if (signal.aborted) return stream.close();
    const link = new StreamLink(stream, addressText(address), {
      bytesSent: (count) => this.#broker.counters.bytesSent += count,
      linkClosed: (closed) => {
        this.#links.delete(closed);
        if (this.#links.size === 0) this.#onDrained?.();
      },
      fault: (error, doing) => this.#broker.fault(error, doing),
    });
    this.#links.add(link);
    await link.run(attempt.opened(link));
  }

  /** Waits until all connections have ended, and cuts off those that have not in time. */
  async drain(patienceMs: number): Promise<void> {
    if (this.#links.size > 0) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      await new Promise<void>((resolve) => {
        this.#onDrained = resolve;
        timer = setTimeout(resolve, patienceMs);
      });
      clearTimeout(timer);
    }
    for (const link of [...this.#links]) link.destroy();
  }
}
