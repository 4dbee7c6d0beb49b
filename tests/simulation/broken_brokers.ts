import type { PolicyAccess } from "../../src/access/policy_access.ts";
import { Broker } from "../../src/broker/broker.ts";
import type { Settings } from "../../src/session/ports.ts";
import type { Connection } from "../../src/session/connection.ts";
import { IncomingTopicAliases } from "../../src/session/topic_aliases.ts";
import type { Topic } from "../../src/routing/topic.ts";
import type { World } from "../support/world.ts";
import type { Dimensions } from "./dimensions.ts";

/** A broker with one thing wrong with it, and how the simulation notices that. */
export interface BrokenBroker {
  readonly what: string;
  readonly dimensions: Partial<Dimensions>;
  readonly defect: (world: World) => void;
  readonly notices: RegExp;
}

/** Topic Aliases are set once and never again. */
class StubbornAliases extends IncomingTopicAliases {
  override set(alias: number, topic: Topic): void {
    if (this.get(alias) === undefined) super.set(alias, topic);
  }
}

/** Meddles with each connection before its session is opened. */
function onConnect(meddle: (connection: Connection) => void): (world: World) => void {
  return ({ broker }) => {
    broker.openSession = (connection, connect, clientId) => {
      meddle(connection);
      return Broker.prototype.openSession.call(broker, connection, connect, clientId);
    };
  };
}

/** The broker believes in other settings. */
function withSettings(settings: Partial<Settings>): (world: World) => void {
  return ({ broker }) => void (broker.settings = { ...broker.settings, ...settings });
}

/** Forgets the options of subscriptions. */
function subscribing(
  noLocal: boolean | undefined,
  identifier: number | undefined,
): (world: World) => void {
  return ({ broker }) => {
    broker.subscribe = (session, request, asked) =>
      Broker.prototype.subscribe.call(
        broker,
        session,
        { ...request, noLocal: noLocal ?? request.noLocal },
        identifier ?? asked,
      );
  };
}

export const brokenBrokers: readonly BrokenBroker[] = [
  {
    what: "a broker that believes to have set a Topic Alias by a message that was not sent",
    dimensions: { aliases: true, packetSizes: true },
    defect: onConnect(({ outbox: { aliases } }) => {
      if (aliases !== null) aliases.forget = () => {};
    }),
    notices: /Topic Alias \d was never set/,
  },
  {
    what: "a broker that does not let a Topic Alias be set anew",
    dimensions: { aliases: true },
    defect: onConnect((connection) => void (connection.aliases = new StubbornAliases())),
    notices: /came under another topic/,
  },
  {
    what: "a broker that ignores No Local",
    dimensions: { noLocal: true },
    defect: subscribing(false, undefined),
    notices: /without a subscription/,
  },
  {
    what: "a broker that takes all for No Local",
    dimensions: { noLocal: true },
    defect: subscribing(true, undefined),
    notices: /never got/,
  },
  {
    what: "a broker that forgets Subscription Identifiers",
    dimensions: { identifiers: true },
    defect: subscribing(undefined, 0),
    notices: /its identifiers|foreign identifier 0/,
  },
  {
    what: "a broker that mixes up Subscription Identifiers",
    dimensions: { identifiers: true },
    defect: subscribing(undefined, 7),
    notices: /foreign identifier 7/,
  },
  {
    what: "overlapping subscriptions that bring one copy, though each should",
    dimensions: { duplicates: true, identifiers: true },
    defect: ({ broker }) => broker.tree.allowDuplicates(false),
    notices: /one copy for several subscriptions/,
  },
  {
    what: "overlapping subscriptions that bring a copy each, though they should not",
    dimensions: {},
    defect: ({ broker }) => broker.tree.allowDuplicates(true),
    notices: /twice at QoS 2/,
  },
  {
    what: "a broker that drops and does not count",
    dimensions: { maxQueuedMessages: 4 },
    defect: ({ broker }) => void (broker.dropped = () => {}),
    notices: /never got/,
  },
  {
    what: "a broker that drops though the queue has room",
    dimensions: { maxQueuedMessages: 6 },
    defect: withSettings({ maxQueuedMessages: 4 }),
    notices: /though its queue has room/,
  },
  {
    what: "a broker that ignores max_queued_messages",
    dimensions: { maxQueuedMessages: 3 },
    defect: withSettings({ maxQueuedMessages: 0 }),
    notices: /messages are queued for/,
  },
  {
    what: "a broker that ignores max_queued_bytes",
    dimensions: { maxQueuedBytes: 100 },
    defect: withSettings({ maxQueuedBytes: 0 }),
    notices: /bytes are queued for/,
  },
  {
    what: "a broker that ignores max_inflight_bytes",
    dimensions: { maxInflightBytes: 80 },
    defect: withSettings({ maxInflightBytes: 0 }),
    notices: /bytes in flight, max_inflight_bytes 80/,
  },
  {
    what: "a broker that ignores a client's Maximum Packet Size",
    dimensions: { packetSizes: true },
    defect: onConnect(({ outbox }) => void (outbox.maximumPacketSize = 0xffff_ffff)),
    notices: /its Maximum Packet Size is/,
  },
  {
    what: "a queue in which time does not pass",
    dimensions: { expiry: true },
    defect: ({ broker }) => {
      const seen = new WeakSet();
      broker.stored = (publish, topic) => {
        const message = Broker.prototype.stored.call(broker, publish, topic);
        if (!seen.has(message)) (message as { expiresAtMs: number }).expiresAtMs += 5000;
        seen.add(message);
        return message;
      };
    },
    notices: /after it had expired|Message Expiry Interval/,
  },
  {
    what: "a broker that sends no Will",
    dimensions: { wills: true },
    defect: ({ broker: { sessions } }) => {
      const ended = sessions.connectionEnded.bind(sessions);
      sessions.connectionEnded = (connection) => ended(connection, false);
    },
    notices: /never got "will of/,
  },
  {
    what: "a broker that sends the Will of who is back in time",
    dimensions: { wills: true },
    defect: ({ broker }) => {
      broker.openSession = (connection, connect, clientId) => {
        const before = broker.sessions.get(clientId);
        if (before?.will) {
          broker.route(before.will.message, broker.topics.named(before.will.topicName), before);
        }
        return Broker.prototype.openSession.call(broker, connection, connect, clientId);
      };
    },
    notices: /a Will that was not to be sent/,
  },
  {
    what: "a group that loses messages while one of its members is away",
    dimensions: { groups: true },
    defect: ({ broker: { tree } }) => {
      const route = tree.route.bind(tree);
      tree.route = (topic) => {
        const found = route(topic);
        for (const group of found.groups) {
          const { members } = group;
          const isWhole = members.every(({ subscriber }) => subscriber.isReady);
          group.choose = () => isWhole ? members[0] : undefined;
        }
        return found;
      };
    },
    notices: /nobody of \$share\/g/,
  },
  {
    what: "a broker that does not save in time",
    dimensions: { durability: "autosave" },
    defect: ({ broker }) =>
      broker.journal.configure({ autosaveIntervalSeconds: 1800, autosaveOnChanges: false }),
    notices: /never got|has lost its session|is retained for/,
  },
  {
    what: "a broker that does not learn of rights that have changed",
    dimensions: { rights: true },
    defect: ({ broker }) => void ((broker.access as PolicyAccess).changed = () => {}),
    notices: /may not read|may not publish|was not allowed/,
  },
  {
    what: "a broker that does not ask again what waits in a queue",
    dimensions: { rights: true },
    defect: ({ broker }) => {
      broker.openSession = (connection, connect, clientId) => {
        const present = Broker.prototype.openSession.call(broker, connection, connect, clientId);
        const { session } = connection;
        if (session?.hasOutbound) {
          const { outbound } = session;
          const pump = outbound.pump.bind(outbound);
          outbound.pump = () => {
            session.mayReceive = () => true;
            pump();
            delete (session as { mayReceive?: unknown }).mayReceive;
          };
        }
        return present;
      };
    },
    notices: /may not read/,
  },
  {
    what: "a broker that goes on with the settings it began with",
    dimensions: { reconfigures: true },
    defect: ({ broker }) => void (broker.configure = () => {}),
    notices: /though its queue has room|published \d+ messages|bytes in flight/,
  },
  {
    what: "a mount point that clients see",
    dimensions: { mountPoint: true },
    defect: onConnect(({ outbox }) => void (outbox.names = null)),
    notices: /came under another topic/,
  },
  {
    what: "a broker that does not keep to the rate of its clients",
    dimensions: { rate: 5 },
    defect: ({ broker }) => {
      broker.resumeAfter = (connection, _delayMs, act) =>
        Broker.prototype.resumeAfter.call(broker, connection, 0, act);
    },
    notices: /published \d+ messages/,
  },
  {
    what: "a broker that ignores memory_limit",
    dimensions: { memoryLimit: 25_000 },
    defect: withSettings({ memoryLimit: 0 }),
    notices: /bytes are held, memory_limit is/,
  },
];
