import type { Mistake } from "../mistake.ts";
import { commonFilter } from "../wire/topic_filter.ts";
import {
  addressText,
  type BridgeAddress,
  type BridgeSettings,
  type BridgeTopic,
} from "./settings.ts";
import { exchanged, localFilterOf, remoteFilterOf } from "./topic_mapping.ts";

/**
 * Mappings that would feed themselves: a message goes out by one line, the remote broker sends it back
 * by another, and under the name it then has it would go out again. Refused are
 *
 * - two bridges to the same address with such lines: a bridge does not send out what came in by itself,
 *   but it does send what came in by the other, so that the message would go round for ever;
 * - such lines in one bridge of MQTT 3.x with `try_private false`: nothing tells the remote broker not
 *   to send back what it got from the bridge, so that each message would come back as a new one;
 * - a bridge to this broker itself, if what it publishes is among what it sends.
 *
 * Circles over three brokers and more cannot be seen from here.
 */
export function selfFeedingMistakes(
  bridges: readonly BridgeSettings[],
  isOwn: (address: BridgeAddress) => boolean = () => false,
): Mistake[] {
  const mistakes: Mistake[] = [];
  bridges.forEach((bridge, index) => {
    const own = bridge.addresses.find(isOwn);
    const lines = own === undefined ? null : circleHere(bridge.topics);
    if (own !== undefined && lines !== null) {
      mistakes.push({
        ...bridge.place,
        message: `Bridge ${bridge.name} would feed itself, as ${
          addressText(own)
        } is this broker: ${lines}.`,
        hint: "use another address, or prefixes that differ",
      });
    }
    if (bridge.protocolVersion !== 5 && !bridge.tryPrivate) {
      const lines = circle(bridge.topics, bridge.topics, bridge.topics);
      if (lines !== null) {
        mistakes.push({
          ...bridge.place,
          message: `Bridge ${bridge.name} would get back what it sends: ${lines}.`,
          hint: "use try_private true, bridge_protocol_version mqttv50, or prefixes that differ",
        });
      }
    }
    for (const other of bridges.slice(0, index)) {
      const address = commonAddress(bridge, other);
      if (address === undefined) continue;
      const lines = circle(bridge.topics, other.topics, bridge.topics) ??
        circle(other.topics, bridge.topics, other.topics);
      if (lines === null) continue;
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

/** The first line by which a message goes out under a name that goes out, in words. */
function circleHere(topics: readonly BridgeTopic[]): string | null {
  for (const first of topics) {
    if (first.direction === "in") continue;
    const again = topics.some((second) =>
      second.direction !== "in" &&
      commonFilter(remoteFilterOf(first), localFilterOf(second)) !== null
    );
    if (again) return `${localFilterOf(first)} goes out as ${remoteFilterOf(first)}`;
  }
  return null;
}

/** The first lines by which a message goes out, comes in and would go out again, in words. */
function circle(
  out: readonly BridgeTopic[],
  back: readonly BridgeTopic[],
  again: readonly BridgeTopic[],
): string | null {
  for (const first of out) {
    if (first.direction === "in") continue;
    for (const second of back) {
      if (second.direction === "out") continue;
      const remote = commonFilter(remoteFilterOf(first), remoteFilterOf(second));
      if (remote === null) continue;
      const local = exchanged(remote, second.remotePrefix, second.localPrefix);
      const third = again.find((topic) =>
        topic.direction !== "in" && commonFilter(local, localFilterOf(topic)) !== null
      );
      if (third === undefined) continue;
      return `${localFilterOf(first)} goes out as ${
        remoteFilterOf(first)
      } and comes in as ${local}`;
    }
  }
  return null;
}

function commonAddress(one: BridgeSettings, other: BridgeSettings): string | undefined {
  const addresses = new Set(one.addresses.map(addressText));
  return other.addresses.map(addressText).find((address) => addresses.has(address));
}
