import fc from "fast-check";
import {
  ack,
  concat,
  Property,
  property,
  subscribe,
  unsubscribe,
  type Version,
} from "../support/packets.ts";
import { pub } from "./scenario.ts";
import { answer, close, connectAs, leave, send, type Step } from "./script.ts";

const CLIENTS = ["a", "b", "c"] as const;
/**
 * Names and filters with which no known difference shows: nothing retained is a parent of what is
 * retained below `x/#`, or is matched by a Shared Subscription, which no lasting session has, since
 * we pass over members that are away; a filter is always or never No Local or Retain As
 * Published.
 */
const TOPICS = ["x/1", "x/2", "y", "$z/1", "x/1/2", "own/1"] as const;
const SHARED_TOPIC = "shared/1";
const FILTERS = ["x/1", "x/+", "x/#", "#", "+", "+/1", "+/+/2", "$z/+", "y"] as const;
const SHARED_FILTERS = ["$share/g/shared/+", "$share/h/shared/1", "$share/h/shared/#"] as const;
const NO_LOCAL_FILTER = "own/+";
const AS_PUBLISHED_FILTER = "+/#";
/** Without those of names with $, of which Mosquitto forgets whether there was a subscription. */
const UNSUBSCRIBED = [
  ...FILTERS.filter((filter) => !filter.startsWith("$")),
  ...SHARED_FILTERS,
  NO_LOCAL_FILTER,
  AS_PUBLISHED_FILTER,
];
const NO_LOCAL = 4, AS_PUBLISHED = 8;
const EXPIRY_SECONDS = 600;

const client = fc.constantFrom(...CLIENTS);
const qos = fc.constantFrom(0, 1, 2);

/** What is meant; which packet it takes depends on the version that the client speaks by then. */
const intent = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("connect" as const),
      client,
      version: fc.constantFrom<Version>(3, 4, 5),
      clean: fc.boolean(),
      expires: fc.boolean(),
      will: fc.option(
        fc.record({
          topic: fc.constantFrom(...TOPICS),
          qos: fc.constantFrom(0, 1),
          retain: fc.boolean(),
        }),
      ),
      answers: fc.constantFrom(true, true, true, false),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("subscribe" as const),
      client,
      filters: fc.uniqueArray(fc.constantFrom(...FILTERS, ...SHARED_FILTERS), {
        minLength: 1,
        maxLength: 2,
      }),
      isOwn: fc.constantFrom(true, false, false),
      qos,
      asPublished: fc.boolean(),
      retainHandling: fc.constantFrom(0, 1, 2),
      identifier: fc.constantFrom(0, 0, 7, 300),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("unsubscribe" as const),
      client,
      filters: fc.array(
        fc.constantFrom(...UNSUBSCRIBED),
        {
          minLength: 1,
          maxLength: 3,
        },
      ),
    }),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant("publish" as const),
      client,
      topic: fc.constantFrom(...TOPICS, SHARED_TOPIC),
      qos,
      retain: fc.constantFrom(true, false, false),
      isEmpty: fc.constantFrom(true, false, false, false),
      hasProperties: fc.boolean(),
      packetId: fc.integer({ min: 1, max: 4 }),
      times: fc.constantFrom(1, 1, 1, 3),
      alias: fc.constantFrom(0, 0, 1, 2),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom("pubrel" as const, "puback" as const),
      client,
      topic: fc.constantFrom(...TOPICS),
      packetId: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom("close" as const, "leave" as const, "answer" as const),
      client,
      withWill: fc.boolean(),
    }),
  },
);

/** What one client means to do. */
export type Intent = typeof intent extends fc.Arbitrary<infer T> ? T : never;

type ConnectIntent = Extract<Intent, { do: "connect" }>;

/** Lists of what three clients do. */
export const intents = fc.array(intent, { minLength: 1, maxLength: 50, size: "max" });

/** The script of what is meant. */
export function scriptOf(intents: readonly Intent[]): Step[] {
  const connects = new Map<string, ConnectIntent>();
  return intents.flatMap((intent, index) => {
    if (intent.do === "connect") connects.set(intent.client, intent);
    const connect = connects.get(intent.client);
    return connect === undefined ? [] : stepOf(intent, connect, index);
  });
}

function stepOf(intent: Intent, connect: ConnectIntent, index: number): Step {
  const { client } = intent;
  const { version } = connect;
  switch (intent.do) {
    case "connect": {
      const { clean, expires, will, answers } = intent;
      const expiry = property(Property.sessionExpiryInterval, expires ? EXPIRY_SECONDS : 0);
      return connectAs(client, version, {
        clean,
        answers,
        properties: expiry,
        will: will === null ? undefined : { ...will, payload: `will ${index}` },
      });
    }
    case "subscribe": {
      const options = version === 5 ? intent.qos | intent.retainHandling << 4 : intent.qos;
      const isLasting = version === 5 ? connect.expires : !connect.clean;
      const filters = intent.filters
        .filter((filter) => !isLasting || !filter.startsWith("$share"))
        .map((filter): [string, number] => [filter, options]);
      if (version === 5 && intent.isOwn) filters.push([NO_LOCAL_FILTER, options | NO_LOCAL]);
      if (version === 5 && intent.asPublished) {
        filters.push([AS_PUBLISHED_FILTER, options | AS_PUBLISHED]);
      }
      if (filters.length === 0) return answer(client);
      const properties = intent.identifier === 0
        ? []
        : property(Property.subscriptionIdentifier, intent.identifier);
      return send(client, subscribe(version, { filters, properties }));
    }
    case "unsubscribe":
      return send(client, unsubscribe(version, { filters: intent.filters }));
    case "publish": {
      const { topic, isEmpty, hasProperties, packetId } = intent;
      const retain = intent.retain && topic !== SHARED_TOPIC;
      // Retained messages come in any order, so their kinds of flow are not mixed. What is nobody's
      // but the publisher's has no QoS 1, whose answer would be 0x10 or not.
      const qos = Math.min(topic.startsWith("own") ? 0 : retain ? 1 : 2, intent.qos);
      const properties = concat(
        // Once it is set it stands for the name, if the connection is still the same.
        intent.alias === 0 ? [] : property(Property.topicAlias, intent.alias),
        hasProperties ? property(Property.userProperty, ["from", client]) : [],
        hasProperties ? property(Property.messageExpiryInterval, EXPIRY_SECONDS) : [],
      );
      const messages = Array.from(
        { length: intent.times },
        (_, at) =>
          pub(version, topic, isEmpty ? "" : `${client}${index}.${at}`, {
            qos,
            retain,
            // Of each QoS and topic its own: what is refused under an identifier that is in use makes
            // Mosquitto keep, and us forget, what was there before.
            packetId: qos === 0 ? undefined : packetIdOf(topic, qos, packetId + at),
            properties,
          }),
      );
      return send(client, ...messages);
    }
    case "pubrel":
      return send(client, ack("pubrel", packetIdOf(intent.topic, 2, intent.packetId)));
    case "puback":
      // Of nothing: a wrong one would end the connection.
      return send(client, ack("puback", 1000 + intent.packetId));
    case "close":
      return close(client);
    case "leave":
      return leave(client, version === 5 && intent.withWill ? 0x04 : undefined);
    case "answer":
      return answer(client);
  }
}

function packetIdOf(topic: string, qos: number, number: number): number {
  return [...TOPICS, SHARED_TOPIC].findIndex((name) => name === topic) * 20 + qos * 10 + number;
}
