import type { Broker } from "../broker/broker.ts";
import type { LinkHost, StreamLink } from "./stream_link.ts";

/** The connections that have come in, or gone out, by one way, until each has ended. */
export class OpenLinks {
  readonly #links = new Set<StreamLink>();
  readonly #underWay: () => number;
  #onNone: (() => void) | null = null;

  /** @param underWay connections that may become links yet: their end is waited for, too */
  constructor(underWay: () => number = () => 0) {
    this.#underWay = underWay;
  }

  get size(): number {
    return this.#links.size;
  }

  /** What links of this broker report to. */
  hostFor(broker: Pick<Broker, "counters" | "fault">): LinkHost {
    return {
      bytesSent: (count) => broker.counters.bytesSent += count,
      linkClosed: (link) => {
        this.#links.delete(link);
        this.checkNone();
      },
      fault: (error, doing) => broker.fault(error, doing),
    };
  }

  add(link: StreamLink): void {
    this.#links.add(link);
  }

  /** To be called when fewer are under way. */
  checkNone(): void {
    if (this.#links.size + this.#underWay() === 0) this.#onNone?.();
  }

  /** Waits until there is none, and cuts off those that have not ended in time. */
  async drain(patienceMs: number): Promise<void> {
    if (this.#links.size + this.#underWay() > 0) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      await new Promise<void>((resolve) => {
        this.#onNone = resolve;
        timer = setTimeout(resolve, patienceMs);
      });
      clearTimeout(timer);
    }
    for (const link of [...this.#links]) link.destroy();
  }
}
