import type { StoredMessage } from "../routing/stored_message.ts";
import type { Topic } from "../routing/topic.ts";
import { PacketType } from "../wire/packet_type.ts";
import { Properties } from "../wire/properties.ts";
import { malformed, ProtocolError, protocolError } from "../wire/protocol_error.ts";
import type { Publish } from "../wire/publish.ts";
import { Reason } from "../wire/reason.ts";
import type { Connection } from "./connection.ts";
import type { TopicMapping } from "./mount_point.ts";
import type { Host } from "./ports.ts";
import type { Session } from "./session.ts";
import { IncomingTopicAliases } from "./topic_aliases.ts";

/** What a client publishes: PUBLISH, and PUBREL for QoS 2. */

const properties = new Properties();

/** Handles the PUBLISH of a client that the host's reader has found. @throws {ProtocolError} */
export function receivePublish(host: Host, connection: Connection): void {
  const topic = readPublish(host, connection);
  const { publish, access } = host;
  if (publish.qos > connection.listener.maxQos) {
    throw new ProtocolError(Reason.QosNotSupported, "[MQTT-3.2.2-11] QoS above Maximum QoS");
  }
  if (publish.retain && !host.settings.retainAvailable) {
    throw new ProtocolError(Reason.RetainNotSupported, "[MQTT-3.2.2-14] RETAIN is set");
  }
  if (access.checksPublish) {
    const allowed = access.publishIsRemembered
      ? connection.session!.rights.mayPublish(topic, publish)
      : mayPublish(host, connection, publish, topic);
    if (allowed === undefined) return connection.suspend();
    if (!allowed) return refusePublish(host, connection, publish, topic, Reason.NotAuthorized);
  }
  publishAllowed(host, connection, publish, topic);
}

/** Reads the PUBLISH that the host's reader has found; returns the broker's topic. @throws {ProtocolError} */
export function readPublish(host: Host, connection: Connection): Topic {
  const { reader, publish } = host;
  publish.read(
    reader.bytes,
    reader.start,
    reader.bodyStart,
    reader.end,
    connection.version,
    properties,
  );
  publish.owned = reader.owned;
  const { counters } = host;
  counters.publishesReceived++;
  counters.publishBytesReceived += publish.end - publish.payloadStart;
  const named = publish.topicAlias < 0
    ? host.topics.lookup(publish.bytes, publish.topicStart, publish.topicEnd)
    : aliased(host, connection, publish);
  if (named === null) throw malformed("[MQTT-3.3.2-2] not a Topic Name");
  const topic = connection.mapping === null ? named : mapped(connection.mapping, publish, named);
  connection.packetLog?.receivedPublish(publish, topic);
  return topic;
}

/** The broker's name for what the client has named otherwise. @throws {ProtocolError} */
function mapped(mapping: TopicMapping, publish: Publish, named: Topic): Topic {
  const topic = mapping.incoming(named);
  if (topic === null) throw malformed("[MQTT-1.5.4-1] too long with its mount point");
  publish.verbatim = false;
  return topic;
}

/** Asks `Access`; while the answer is awaited the message is kept in a copy. */
function mayPublish(
  host: Host,
  connection: Connection,
  publish: Publish,
  topic: Topic,
): boolean | undefined {
  let copy: Publish | undefined;
  const allowed = host.access.mayPublish(
    connection.identity!,
    topic.name,
    publish,
    (answer) =>
      connection.resumeWith(() => {
        if (answer) publishAllowed(host, connection, copy!, topic);
        else refusePublish(host, connection, copy!, topic, Reason.NotAuthorized);
      }),
  );
  if (allowed === undefined) copy = publish.copy();
  return allowed;
}

function publishAllowed(host: Host, connection: Connection, publish: Publish, topic: Topic) {
  if (connection.rateLimits !== null) holdBack(host, connection, publish.payloadLength);
  if (topic.isSystem && !mayBePublished(topic.name)) {
    return refusePublish(host, connection, publish, topic, Reason.NotAuthorized);
  }
  takePublish(host, connection, publish, topic);
}

/** Takes a message that may be published, if size and room allow it: routed, kept, acknowledged. */
export function takePublish(host: Host, connection: Connection, publish: Publish, topic: Topic) {
  const limit = host.settings.messageSizeLimit;
  if (limit > 0 && publish.payloadLength > limit) {
    return refusePublish(host, connection, publish, topic, Reason.PacketTooLarge);
  }
  if (host.settings.memoryLimit > 0 && host.isOutOfMemory && !host.makesRoom(publish, topic)) {
    return connection.disconnect(Reason.QuotaExceeded, { text: "memory_limit exceeded" });
  }
  const session = connection.session!;
  if (
    (publish.retain || !host.journal.accepting) && !host.hasRoomFor(publish, topic, session)
  ) return refusePublish(host, connection, publish, topic, Reason.QuotaExceeded);
  if (publish.qos === 0) {
    deliver(host, session, publish, topic);
    return;
  }
  const changes = host.journal.changes;
  if (publish.qos === 1) {
    host.backlog = null;
    session.inbound?.forget(publish.packetId);
    const matched = deliver(host, session, publish, topic);
    const reason = matched ? Reason.Success : Reason.NoMatchingSubscribers;
    // Removing what was retained may change nothing when it is asked for again.
    const kept = publish.retain || host.journal.changes !== changes;
    if (host.backlog !== null) connection.waitFor(host.backlog);
    connection.acknowledge(PacketType.Puback, publish.packetId, reason, kept);
  } else {
    session.inboundFlow().receive(publish, topic);
    // What is sent again changes nothing, but its first record may still be on its way to the disk.
    const kept = session.isRecorded || host.journal.changes !== changes;
    connection.acknowledge(PacketType.Pubrec, publish.packetId, Reason.Success, kept);
  }
}

/** The message is taken, and the next one is read when the rates allow it. */
function holdBack(host: Host, connection: Connection, bytes: number) {
  let waitMs = 0;
  for (const limit of connection.rateLimits!) {
    waitMs = Math.max(waitMs, limit.take(bytes, host.nowMs));
  }
  if (waitMs === 0) return;
  connection.suspend();
  host.resumeAfter(connection, waitMs, () => {});
}

/** Answers a message that is not taken. MQTT 3 has no word for it: the message just vanishes. */
function refusePublish(
  host: Host,
  connection: Connection,
  publish: Publish,
  topic: Topic,
  reason: number,
) {
  connection.packetLog?.deniedPublish(publish, topic);
  if (publish.qos === 0) return;
  // What could not be kept must not be promised to a 3.x client either: it will send it again.
  if (reason === Reason.QuotaExceeded && connection.version !== 5) return;
  // It may have been taken when it came the first time: whoever is refused does not release it.
  const { journal } = host;
  const changes = journal.changes;
  connection.session!.inbound?.forget(publish.packetId);
  const type = publish.qos === 1 ? PacketType.Puback : PacketType.Pubrec;
  connection.acknowledge(type, publish.packetId, reason, journal.changes !== changes);
}

function aliased(host: Host, connection: Connection, publish: Publish): Topic | null {
  const { topicAlias } = publish;
  if (topicAlias > connection.listener.maxTopicAlias) {
    throw new ProtocolError(
      Reason.TopicAliasInvalid,
      `[MQTT-3.3.2-9] Topic Alias ${topicAlias} > ${connection.listener.maxTopicAlias}`,
    );
  }
  if (publish.topicStart === publish.topicEnd) {
    const known = connection.aliases?.get(topicAlias);
    if (known === undefined) throw protocolError(`Topic Alias ${topicAlias} was never set`);
    return known;
  }
  const topic = host.topics.lookup(publish.bytes, publish.topicStart, publish.topicEnd);
  if (topic !== null) (connection.aliases ??= new IncomingTopicAliases()).set(topicAlias, topic);
  return topic;
}

/** PUBREL: the message is routed, and completed. */
export function receivePubrel(host: Host, connection: Connection, packetId: number): void {
  const session = connection.session!;
  const changes = host.journal.changes;
  const message = session.inbound?.release(packetId);
  host.backlog = null;
  if (message !== undefined) routeReleased(host, session, message);
  if (host.backlog !== null) connection.waitFor(host.backlog);
  // An unknown identifier is completed as well: the client is to forget it.
  const kept = session.isRecorded || host.journal.changes !== changes;
  connection.acknowledge(PacketType.Pubcomp, packetId, Reason.Success, kept);
}

/**
 * The peer has forgotten what it sent: nobody will release what was received with PUBREC and so became
 * this side's to deliver.
 */
export function routeUnreleased(host: Host, session: Session): void {
  for (const packetId of session.inbound?.packetIds ?? []) {
    routeReleased(host, session, session.inbound!.release(packetId)!);
  }
}

function routeReleased(host: Host, session: Session, message: StoredMessage) {
  if (message.isExpiredAt(host.nowMs)) return;
  const { publish, topic } = message;
  publish.messageExpirySeconds = message.expirySecondsAt(host.nowMs);
  deliver(host, session, publish, topic, message);
}

/** Routes a message, or hands it to whoever it commands. True: somebody takes it. */
function deliver(
  host: Host,
  session: Session,
  publish: Publish,
  topic: Topic,
  message?: StoredMessage,
): boolean {
  if (!topic.isSystem || !topic.name.startsWith("$CONTROL/")) {
    return host.route(publish, topic, session, message);
  }
  host.control(publish, topic, session);
  return true;
}

/** Of the names that start with `$SYS` or `$share`, only a foreign bridge's state. */
export function mayBePublished(name: string): boolean {
  if (name.startsWith("$share/")) return false;
  if (name !== "$SYS" && !name.startsWith("$SYS/")) return true;
  return /^\$SYS\/broker\/connection\/[^/]+\/state$/.test(name);
}
