import { PATIENCE_MS, pause } from "../support/broker_process.ts";
import { concat, connect, hex, publish, subscribe } from "../support/packets.ts";
import { Peer } from "./peer.ts";
import type { BrokerUnderTest } from "./broker_under_test.ts";
import { type Step, stepInWords } from "./script.ts";
import { type Outcome, packetInWords } from "./transcript.ts";

const ROUNDS_MAXIMUM = 1000;
const PACKET_DISCONNECT = 0xe0;

/** Runs a script against a broker and writes down what its clients get. */
export class Recorder implements AsyncDisposable {
  readonly #broker: BrokerUnderTest;
  readonly #peers = new Map<string, Peer>();
  readonly #sweeper: string | undefined;
  readonly #clientIds = new Set<string>();

  /** @param sweeper the user who may see and clear everything, where rules let only some */
  constructor(broker: BrokerUnderTest, sweeper?: string) {
    this.#broker = broker;
    this.#sweeper = sweeper;
  }

  /** Each step is run to its end, nothing more to come, before the next. */
  async run(steps: readonly Step[]): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    for (const step of steps) {
      const heard: Record<string, string[]> = {};
      try {
        await this.#perform(step, heard);
        await this.#settle(heard, "client" in step ? step.client : undefined);
      } catch (error) {
        throw new Error(`${this.#broker.name}, ${stepInWords(step)}`, { cause: error });
      }
      outcomes.push({ step: stepInWords(step), heard });
    }
    return outcomes;
  }

  /** Leaves nothing of the script in the broker, neither sessions nor retained messages. */
  async forget(): Promise<void> {
    for (const peer of this.#peers.values()) {
      if (!peer.isEnded) await peer.close();
      await peer[Symbol.asyncDispose]();
    }
    this.#peers.clear();
    for (const clientId of this.#clientIds) {
      await using peer = await this.#open(clientId);
      await peer.settle();
      await peer.send(hex("e000"));
      await peer.ended();
    }
    this.#clientIds.clear();
    await using peer = await this.#open("sweeper");
    await peer.send(subscribe(4, { filters: [["#", 0]] }));
    await peer.settle();
    for (const { topic } of peer.take()) {
      if (topic !== undefined) await peer.send(publish(4, { topic, retain: true }));
    }
    await peer.settle();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of this.#peers.values()) await peer[Symbol.asyncDispose]();
  }

  async #open(clientId: string): Promise<Peer> {
    const peer = await Peer.open(this.#broker.ports[0], 4, false);
    await peer.send(connect(4, { clientId, userName: this.#sweeper }));
    await peer.connack();
    return peer;
  }

  async #perform(step: Step, heard: Record<string, string[]>): Promise<void> {
    switch (step.kind) {
      case "connect": {
        this.#rename(step.client);
        const port = this.#broker.ports[step.listener];
        const peer = await Peer.open(port, step.version, step.answers);
        this.#peers.set(step.client, peer);
        if (typeof step.fields.clientId === "string") this.#clientIds.add(step.fields.clientId);
        await peer.send(connect(step.version, step.fields));
        return await peer.connack();
      }
      case "send": {
        const peer = this.#peers.get(step.client);
        if (peer === undefined) return;
        await peer.send(concat(...step.packets));
        if (step.packets.some(([header]) => header === PACKET_DISCONNECT)) await peer.ended();
        return;
      }
      case "close":
        return await this.#peers.get(step.client)?.close();
      case "answer": {
        const peer = this.#peers.get(step.client);
        if (peer === undefined) return;
        peer.answers = true;
        await peer.answer();
        return;
      }
      case "restart":
        await this.#broker.end();
        for (const [client, peer] of this.#peers) {
          await peer.ended();
          await peer[Symbol.asyncDispose]();
          // How a broker takes its leave is its own affair.
          this.#peers.delete(client);
        }
        return await this.#broker.start();
      case "reload":
        heard["the log"] = [];
        return await this.#broker.reload(step.files);
      case "pause":
        return await pause(step.milliseconds);
    }
  }

  /** A second connection of the same name takes it, and the first goes on under another. */
  #rename(client: string): void {
    const before = this.#peers.get(client);
    if (before === undefined) return;
    this.#rename(`${client} before`);
    this.#peers.delete(client);
    this.#peers.set(`${client} before`, before);
  }

  /** Goes round all clients until one whole round brings nothing. */
  async #settle(heard: Record<string, string[]>, acting?: string): Promise<void> {
    const end = performance.now() + PATIENCE_MS;
    let answering = acting === undefined ? [] : [acting];
    for (let round = 0;; round++) {
      // First who has done something, for what it does reaches others.
      for (const client of answering) await this.#peers.get(client)?.settle();
      const others = [...this.#peers].filter(([client]) => !answering.includes(client));
      await Promise.all(others.map(([, peer]) => peer.settle()));
      answering = [];
      let isQuiet = true;
      for (const [client, peer] of this.#peers) {
        const packets = peer.take();
        if (packets.length > 0) isQuiet = false;
        (heard[client] ??= []).push(...packets.map(packetInWords));
        if (peer.isEnded) {
          heard[client].push("the end");
          this.#peers.delete(client);
          await peer[Symbol.asyncDispose]();
          isQuiet = false;
        } else if (peer.answers && await peer.answer()) answering.push(client);
      }
      if (isQuiet && answering.length === 0) return;
      if (round > ROUNDS_MAXIMUM || performance.now() > end) throw new Error("no end of packets");
    }
  }
}
