import type { Durability } from "../../src/store/journal.ts";
import type { Chance } from "./chance.ts";

/** What a world has beyond the plain one. Few of them at a time, so that worlds stay small. */
export interface Dimensions {
  /** Topic Aliases, in both directions. */
  readonly aliases: boolean;
  readonly noLocal: boolean;
  /** Subscription Identifiers. */
  readonly identifiers: boolean;
  /** `allow_duplicate_messages`. */
  readonly duplicates: boolean;
  /** 0: no limit. */
  readonly maxQueuedMessages: number;
  readonly maxQueuedBytes: number;
  /** Messages in a queue from which on publishers wait; Infinity: they do not. */
  readonly longQueue: number;
  readonly queueQos0Messages: boolean;
  readonly maxInflightBytes: number;
  /** Some clients take small packets only. */
  readonly packetSizes: boolean;
  /** Message Expiry Intervals of all lengths. */
  readonly expiry: boolean;
  /** Wills with a delay, and many take-overs. */
  readonly wills: boolean;
  /** Shared Subscriptions, often. */
  readonly groups: boolean;
  /** `async` and `autosave` may lose what was promised in their last moments. */
  readonly durability: Durability;
  /** Rights that change. */
  readonly rights: boolean;
  /** Settings that change. */
  readonly reconfigures: boolean;
  /** Some clients come by a listener with a mount point. */
  readonly mountPoint: boolean;
  /** Messages per second and client; 0: no limit. */
  readonly rate: number;
  /** 0: no limit. */
  readonly memoryLimit: number;
}

/** Nothing beyond. */
export const PLAIN: Dimensions = {
  aliases: false,
  noLocal: false,
  identifiers: false,
  duplicates: false,
  maxQueuedMessages: 0,
  maxQueuedBytes: 0,
  longQueue: Infinity,
  queueQos0Messages: false,
  maxInflightBytes: 0,
  packetSizes: false,
  expiry: false,
  wills: false,
  groups: false,
  durability: "sync",
  rights: false,
  reconfigures: false,
  mountPoint: false,
  rate: 0,
  memoryLimit: 0,
};

export function chooseDimensions(chance: Chance): Dimensions {
  const on = () => chance.percent(18);
  const some = (least: number, span: number) => on() ? least + chance.below(span) : 0;
  return {
    aliases: on(),
    noLocal: on(),
    identifiers: on(),
    duplicates: on(),
    maxQueuedMessages: some(2, 8),
    maxQueuedBytes: some(100, 500),
    longQueue: on() ? chance.below(6) : Infinity,
    queueQos0Messages: on(),
    maxInflightBytes: some(50, 200),
    packetSizes: on(),
    expiry: on(),
    wills: on(),
    groups: on(),
    durability: on() ? chance.pick(["async", "autosave"]) : "sync",
    rights: on(),
    reconfigures: on(),
    mountPoint: on(),
    rate: some(5, 20),
    memoryLimit: on() && chance.percent(50) ? 25_000 + chance.below(5_000) : 0,
  };
}
