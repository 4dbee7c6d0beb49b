import type { RetainedMessages } from "../routing/retained_messages.ts";
import { StoredMessage } from "../routing/stored_message.ts";
import type { Match, SubscriptionTree } from "../routing/subscription_tree.ts";
import type { Topic } from "../routing/topic.ts";
import type { Host, Receiver } from "../session/ports.ts";
import type { Session } from "../session/session.ts";
import { Kind, PRESENT } from "../store/records.ts";
import type { Publish } from "../wire/publish.ts";

/** The record that says "this message is retained": all in its key. */
const RETAINED = { encode: () => PRESENT };

/** Deliveries of one message that are worth counting. */
const MANY = 32;

/** The way of a message once it is accepted: retained, routed, kept for those who have to wait. */
export class Messages {
  readonly #host: Host;
  readonly #tree: SubscriptionTree<Receiver>;
  readonly #retained: RetainedMessages;
  readonly #copied: (bytes: number) => void;
  /** The lasting copy of the message that is routed now, and its publisher. */
  #stored: StoredMessage | null = null;
  #publisher: Session | null = null;
  /** Messages with a record, and their payload bytes. */
  #keptCount = 0;
  #keptBytes = 0;

  /** @param copied told the size of each copy that is made, to wait */
  constructor(
    host: Host,
    tree: SubscriptionTree<Receiver>,
    retained: RetainedMessages,
    copied: (bytes: number) => void,
  ) {
    this.#copied = copied;
    this.#host = host;
    this.#tree = tree;
    this.#retained = retained;
  }

  get keptCount(): number {
    return this.#keptCount;
  }

  /** Payload bytes of the kept messages. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** What the store had. */
  restored(count: number, bytes: number): void {
    this.#keptCount = count;
    this.#keptBytes = bytes;
  }

  /** False: the message would have to be kept, and there is no room for it. */
  hasRoomFor(publish: Publish, topic: Topic, publisher: Session): boolean {
    const { settings, journal } = this.#host;
    if (publish.retain && publish.payloadLength > 0) {
      const maximum = settings.maxRetainedMessages;
      const isFull = maximum > 0 && this.#retained.count >= maximum;
      if (isFull && this.#retained.get(topic.name) === null) return false;
    }
    if (journal.accepting) return true;
    if (publish.retain || publish.qos === 2 && publisher.isLasting) return false;
    const { matches, groups } = this.#tree.route(topic);
    const isLasting = ({ subscriber }: Match<Receiver>) =>
      (subscriber as Partial<Session>).isLasting === true;
    return groups.length === 0 && !matches.some(isLasting);
  }

  /** True: it removes what is retained. At QoS 2 it would be kept first, as often as it comes. */
  makesRoom(publish: Publish, topic: Topic): boolean {
    return publish.retain && publish.payloadLength === 0 && publish.qos < 2 &&
      this.#retained.get(topic.name) !== null;
  }

  /** Retains and routes. True: somebody subscribed. */
  route(
    publish: Publish,
    topic: Topic,
    publisher: Session | null,
    message: StoredMessage | null,
  ): boolean {
    this.#stored = message;
    this.#publisher = publisher;
    if (publish.retain) this.#retain(publish, topic);
    const { matches, groups } = this.#tree.route(topic);
    const { checksReceive } = this.#host.access;
    let matched = false;
    for (let index = 0; index < matches.length; index++) {
      const match = matches[index];
      if (match.noLocal && match.subscriber === publisher) continue;
      matched = true;
      if (checksReceive && !match.subscriber.mayReceive(topic)) continue;
      match.subscriber.deliver(publish, topic, match);
    }
    if (matches.length > MANY) this.#host.spent(matches.length);
    for (let index = 0; index < groups.length; index++) {
      matched = true;
      const group = groups[index];
      const member = group.choose(topic);
      if (group.looked > MANY) this.#host.spent(group.looked);
      member?.subscriber.deliver(publish, topic, member);
    }
    this.#stored = null;
    return matched;
  }

  /** A lasting copy of the message that is routed now, made once. */
  stored(publish: Publish, topic: Topic): StoredMessage {
    return this.#stored ??= this.store(publish, topic, this.#publisher);
  }

  store(publish: Publish, topic: Topic, publisher: Session | null): StoredMessage {
    this.#copied(publish.size);
    const seconds = publish.messageExpirySeconds;
    return new StoredMessage({
      topic,
      publish: publish.copy(),
      expiresAtMs: seconds < 0 ? Infinity : this.#host.nowMs + seconds * 1000,
      clientId: publisher?.clientId ?? "",
      userName: publisher?.userName ?? "",
      wallOffsetMs: this.#host.wallOffsetMs,
    });
  }

  keep(message: StoredMessage): void {
    if (message.references++ > 0) return;
    message.number = this.#host.nextNumber();
    message.mayBeReferredTo = false;
    this.#keptCount++;
    this.#keptBytes += message.publish.payloadLength;
    this.#host.journal.create(Kind.Message, message.number, message);
  }

  release(message: StoredMessage, leavesTrace: boolean): void {
    if (leavesTrace) message.mayBeReferredTo = true;
    if (--message.references > 0) return;
    if (!message.mayBeReferredTo) this.#host.journal.cancel(Kind.Message, message.number);
    else this.#host.journal.forget(Kind.Message, message.number);
    this.#keptCount--;
    this.#keptBytes -= message.publish.payloadLength;
  }

  /** [MQTT-3.3.1-5], [MQTT-3.3.1-6]: the last one is kept; an empty one removes it. */
  #retain(publish: Publish, topic: Topic) {
    if (publish.payloadLength === 0) {
      this.removeRetained(topic.name);
      return;
    }
    const message = this.stored(publish, topic);
    message.publish.detach();
    const before = this.#retained.set(message);
    if (isKeptWhenRetained(topic.name)) {
      this.keep(message);
      this.#host.journal.create(Kind.Retained, message.number, RETAINED);
    }
    if (before !== null) this.#unkeep(before);
  }

  /** Removes a retained message. False: there is none. */
  removeRetained(topicName: string): boolean {
    const before = this.#retained.delete(topicName);
    if (before !== null) this.#unkeep(before);
    return before !== null;
  }

  removeExpired(nowMs: number): void {
    for (const message of this.#retained.all()) {
      if (message.isExpiredAt(nowMs)) this.removeRetained(message.topic.name);
    }
  }

  #unkeep(message: StoredMessage) {
    // One of $SYS may have a number, but only by the queues it waits in.
    if (!isKeptWhenRetained(message.topic.name)) return;
    const isNew = this.#host.journal.forget(Kind.Retained, message.number);
    this.release(message, !isNew);
  }
}

/** $SYS is made anew at each start. */
function isKeptWhenRetained(topicName: string): boolean {
  return !topicName.startsWith("$SYS/");
}
