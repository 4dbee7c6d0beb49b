import { matchesFilter } from "../wire/topic_filter.ts";
import { addressText, type BridgeAddress, type BridgeSettings } from "./settings.ts";
import { TopicLines } from "./topic_mapping.ts";

/** A message at a broker, and who has published it there: nobody that matters is "". */
interface Stop {
  readonly topicName: string;
  /** Its address; {@linkcode HERE} for this broker, whatever addresses it has. */
  readonly broker: string;
  readonly author: string;
}

const HERE = "";
/**
 * What has come so far, or to so many places, is taken to go on for ever. A name that grows with each
 * turn ends at 200 levels, which is as bad.
 */
const TURNS_MAXIMUM = 300, STOPS_MAXIMUM = 1000;

/** Where messages go by bridges, told from their settings alone. */
export class RoundTrip {
  readonly #isOwn: (address: BridgeAddress) => boolean;
  readonly #bridges: readonly { settings: BridgeSettings; lines: TopicLines; guarded: boolean }[];

  constructor(bridges: readonly BridgeSettings[], isOwn: (address: BridgeAddress) => boolean) {
    this.#isOwn = isOwn;
    this.#bridges = bridges.map((settings) => ({
      settings,
      lines: new TopicLines(settings.topics),
      guarded: isGuarded(settings),
    }));
  }

  /** Whether a message that is published here goes round without end. */
  neverEnds(topicName: string): boolean {
    let stops: Stop[] = [{ topicName, broker: HERE, author: "" }];
    for (let turn = 0; turn < TURNS_MAXIMUM; turn++) {
      const next = new Map<string, Stop>();
      for (const stop of stops) {
        for (const further of this.#from(stop)) {
          next.set(`${further.author} ${further.broker} ${further.topicName}`, further);
        }
      }
      if (next.size === 0) return false;
      if (next.size > STOPS_MAXIMUM) return true;
      stops = [...next.values()];
    }
    return true;
  }

  #from({ topicName, broker, author }: Stop): Stop[] {
    const further: Stop[] = [];
    for (const { settings, lines, guarded } of this.#bridges) {
      const authorHere = `here ${settings.name}`, authorThere = `there ${settings.name}`;
      // No Local in the bridge's own session.
      const goesOut = broker === HERE && author !== authorHere &&
        lines.localFilters.some(({ filter }) => matchesFilter(topicName, filter));
      const comesIn = !(guarded && author === authorThere) &&
        lines.remoteFilters.some(({ filter, qos }) =>
          qos !== null && matchesFilter(topicName, filter)
        );
      for (const address of settings.addresses) {
        const there = this.#isOwn(address) ? HERE : addressText(address);
        if (goesOut) {
          further.push({
            topicName: lines.remoteName(topicName),
            broker: there,
            author: authorThere,
          });
        }
        if (comesIn && there === broker) {
          further.push({
            topicName: lines.localName(topicName),
            broker: HERE,
            author: authorHere,
          });
        }
      }
    }
    return further;
  }
}

/** The remote broker is asked not to send back what it got from the bridge. */
export function isGuarded(
  { protocolVersion, tryPrivate }: Pick<BridgeSettings, "protocolVersion" | "tryPrivate">,
): boolean {
  return protocolVersion === 5 || tryPrivate;
}
