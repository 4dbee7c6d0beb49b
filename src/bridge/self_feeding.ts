import type { Mistake, Place } from "../mistake.ts";
import { commonFilter } from "../wire/topic_filter.ts";
import { isGuarded, RoundTrip } from "./round_trip.ts";
import {
  addressText,
  type BridgeAddress,
  type BridgeSettings,
  type BridgeTopic,
} from "./settings.ts";
import { exchanged, localFilterOf, remoteFilterOf } from "./topic_mapping.ts";

/**
 * Mappings that feed themselves without end. Refused are
 *
 * - two bridges to the same address, if a message goes out by one, comes in by the other, and under the
 *   name it then has goes out again: a bridge does not send out what came in by itself, but it does send
 *   what came in by the other;
 * - bridges to this broker itself, if what they publish is among what they send or fetch.
 *
 * One bridge to another broker never is: at worst each message comes back once ({@linkcode echoNotices}).
 * Circles over three brokers and more cannot be seen from here.
 */
export function selfFeedingMistakes(
  bridges: readonly BridgeSettings[],
  isOwn: (address: BridgeAddress) => boolean = () => false,
): Mistake[] {
  const mistakes: Mistake[] = [];
  const ownBridges = bridges.filter(({ addresses }) => addresses.some(isOwn));
  bridges.forEach((bridge, index) => {
    const own = bridge.addresses.find(isOwn);
    const lines = own === undefined
      ? undefined
      : endlessLines(circlesHere(bridge, ownBridges), ownBridges, isOwn);
    if (own !== undefined && lines !== undefined) {
      mistakes.push({
        ...bridge.place,
        message: `Bridge ${bridge.name} would feed itself, as ${
          addressText(own)
        } is this broker: ${lines}.`,
        hint: "use another address, or prefixes that differ",
      });
    }
    for (const other of bridges.slice(0, index)) {
      const address = commonAddress(bridge, other);
      if (address === undefined) continue;
      const candidates = [
        ...circles(bridge.topics, other.topics),
        ...circles(other.topics, bridge.topics),
      ];
      const lines = endlessLines(candidates, [other, bridge], isOwn);
      if (lines === undefined) continue;
      mistakes.push({
        ...bridge.place,
        message:
          `Bridges ${other.name} and ${bridge.name} would feed each other through ${address}: ` +
          `${lines}.`,
        hint: "use one bridge for both directions, or prefixes that differ",
      });
    }
  });
  return mistakes;
}

/**
 * What to tell of bridges by which messages come back: nothing keeps the remote broker from it. It does
 * not go on, since a bridge does not send out what came in by itself, and Mosquitto does the same.
 */
export function echoNotices(
  bridges: readonly BridgeSettings[],
): { readonly place: Place; readonly text: string }[] {
  return bridges.flatMap(({ name, place, topics, ...settings }) => {
    if (isGuarded(settings)) return [];
    const [circle] = circles(topics, topics);
    if (circle === undefined) return [];
    const text = `Messages of bridge ${name} come back once: ${circle.text}; ` +
      "with 'try_private true' or 'bridge_protocol_version mqttv50' they do not.";
    return [{ place, text }];
  });
}

/** A way that messages may take, and the names they then have, as a filter. */
interface Circle {
  readonly text: string;
  readonly filter: string;
}

/** The first of the ways that is endless, in words. */
function endlessLines(
  candidates: readonly Circle[],
  bridges: readonly BridgeSettings[],
  isOwn: (address: BridgeAddress) => boolean,
): string | undefined {
  const trip = new RoundTrip(bridges, isOwn);
  return candidates.find(({ filter }) => trip.neverEnds(exampleOf(filter)))?.text;
}

/** Ways by which a message is published here anew. */
function circlesHere(bridge: BridgeSettings, others: readonly BridgeSettings[]): Circle[] {
  const topics = others.flatMap((other) => other.topics);
  return bridge.topics.flatMap((first) => {
    const found: Circle[] = [];
    const local = localFilterOf(first), remote = remoteFilterOf(first);
    for (const second of topics) {
      for (const filter of [localFilterOf(second), remoteFilterOf(second)]) {
        const out = first.direction === "in" ? null : commonFilter(remote, filter);
        if (out !== null) found.push({ text: `${local} goes out as ${remote}`, filter: out });
        const back = first.direction === "out" ? null : commonFilter(local, filter);
        if (back !== null) found.push({ text: `${remote} comes in as ${local}`, filter: back });
      }
    }
    return found;
  });
}

/** Ways by which a message goes out and comes in. */
function circles(out: readonly BridgeTopic[], back: readonly BridgeTopic[]): Circle[] {
  const found: Circle[] = [];
  for (const first of out) {
    if (first.direction === "in") continue;
    for (const second of back) {
      if (second.direction === "out") continue;
      const remote = commonFilter(remoteFilterOf(first), remoteFilterOf(second));
      if (remote === null) continue;
      const filter = exchanged(remote, second.remotePrefix, second.localPrefix);
      const text = `${localFilterOf(first)} goes out as ${
        remoteFilterOf(first)
      } and comes in as ${filter}`;
      found.push({ text, filter });
    }
  }
  return found;
}

/** One of the topics that a filter has, like the others: its levels hardly stand in any mapping. */
function exampleOf(filter: string): string {
  return filter.replaceAll(/(?<=^|\/)[+#](?=\/|$)/g, "any level");
}

function commonAddress(one: BridgeSettings, other: BridgeSettings): string | undefined {
  const addresses = new Set(one.addresses.map(addressText));
  return other.addresses.map(addressText).find((address) => addresses.has(address));
}
