import { type BrokerUnderTest, Mosquitto, Sabethes, type Setting } from "./broker_under_test.ts";
import { Recorder } from "./recorder.ts";
import type { Step } from "./script.ts";
import type { Outcome } from "./transcript.ts";

const TRIES = 4;

/** Both brokers, of the same configuration. */
export class BrokerPair implements AsyncDisposable {
  readonly #brokers: readonly [theirs: BrokerUnderTest, ours: BrokerUnderTest];

  readonly #sweeper: string | undefined;

  private constructor(theirs: BrokerUnderTest, ours: BrokerUnderTest, sweeper?: string) {
    this.#brokers = [theirs, ours];
    this.#sweeper = sweeper;
  }

  static async start(setting: Setting): Promise<BrokerPair> {
    const [theirs, ours] = await Promise.all([
      started(() => new Mosquitto(setting)),
      started(() => new Sabethes(setting)),
    ]);
    return new BrokerPair(theirs, ours, setting.sweeper);
  }

  /** Runs a script against both, and then makes both forget it. */
  async run(steps: readonly Step[]): Promise<[theirs: Outcome[], ours: Outcome[]]> {
    return await Promise.all(this.#brokers.map(async (broker) => {
      await using recorder = new Recorder(broker, this.#sweeper);
      const outcomes = await recorder.run(steps);
      await recorder.forget();
      return outcomes;
    })) as [Outcome[], Outcome[]];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#brokers.map((broker) => broker[Symbol.asyncDispose]()));
  }
}

/** Another test may have been faster with the ports, so that a start is tried again. */
async function started(make: () => BrokerUnderTest): Promise<BrokerUnderTest> {
  for (let tries = 1;; tries++) {
    const broker = make();
    try {
      await broker.start();
      return broker;
    } catch (error) {
      await broker[Symbol.asyncDispose]();
      if (tries === TRIES) throw error;
    }
  }
}
