import type { Broker } from "../broker/broker.ts";
import { errorText } from "../error_text.ts";
import { OpenLinks } from "../transport/open_links.ts";
import { type LinkHost, StreamLink } from "../transport/stream_link.ts";
import { dial, reaches, type TuneSocket } from "./dialing.ts";
import type { Attempt, Links } from "./links.ts";
import { addressText, type BridgeAddress, type BridgeSettings } from "./settings.ts";

/** Connections of bridges over the network. */
export class NetworkLinks implements Links {
  readonly #broker: Broker;
  readonly #tune: TuneSocket;
  readonly #links = new OpenLinks();
  readonly #host: LinkHost;

  constructor(broker: Broker, tune: TuneSocket) {
    this.#broker = broker;
    this.#tune = tune;
    this.#host = this.#links.hostFor(broker);
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
    const link = new StreamLink(stream, addressText(address), this.#host);
    this.#links.add(link);
    await link.run(attempt.opened(link));
  }

  /** Waits until all connections have ended, and cuts off those that have not in time. */
  drain(patienceMs: number): Promise<void> {
    return this.#links.drain(patienceMs);
  }
}
