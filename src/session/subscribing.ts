import { subscriptionAnswer } from "../wire/answers.ts";
import { PacketType } from "../wire/packet_type.ts";
import { protocolError } from "../wire/protocol_error.ts";
import type {
  SubscribePacket,
  SubscriptionRequest,
  UnsubscribePacket,
} from "../wire/subscribe_packet.ts";
import type { Connection } from "./connection.ts";
import { mountedFilter } from "./mount_point.ts";
import type { Host } from "./ports.ts";

/** What a client subscribes to: SUBSCRIBE and UNSUBSCRIBE. */

/** Filters that `Access` is asked for before others get their turn: each may cost a walk through rules. */
const FILTERS_SLICE = 256;

/** Handles a SUBSCRIBE, asking `Access` for each filter. @throws {ProtocolError} */
export function receiveSubscribe(
  host: Host,
  connection: Connection,
  packet: SubscribePacket,
  granted: number[] = [],
): void {
  const { access } = host;
  const first = granted.length;
  for (let index = first; index < packet.subscriptions.length; index++) {
    if (index - first === FILTERS_SLICE) {
      return connection.interrupt(() => receiveSubscribe(host, connection, packet, granted));
    }
    const request = mounted(connection, packet.subscriptions[index]);
    if (request.noLocal && request.filter.startsWith("$share/")) {
      throw protocolError("[MQTT-3.8.3-4] No Local on a Shared Subscription");
    }
    const reason = access.maySubscribe(
      connection.identity!,
      request,
      (answer) =>
        connection.resumeWith(() => {
          granted.push(answer);
          receiveSubscribe(host, connection, packet, granted);
        }),
    );
    if (reason === undefined) return connection.suspend();
    granted.push(reason);
  }
  subscribed(host, connection, packet, granted);
}

function subscribed(
  host: Host,
  connection: Connection,
  packet: SubscribePacket,
  granted: readonly number[],
) {
  const session = connection.session!;
  const changes = host.journal.changes;
  const retained: (() => void)[] = [];
  const reasons = packet.subscriptions.map((asked, index) => {
    if (granted[index] >= 0x80) return refusal(connection, granted[index]);
    const qos = Math.min(granted[index], asked.qos, connection.listener.maxQos) as 0 | 1 | 2;
    const request = {
      ...mounted(connection, asked),
      qos,
      noLocal: asked.noLocal || connection.isBridge,
    };
    const isNew = !session.subscriptions?.has(request.filter);
    const reason = host.subscribe(session, request, packet.identifier);
    if (reason >= 0x80) return refusal(connection, reason);
    const wanted = request.retainHandling === 0 || request.retainHandling === 1 && isNew;
    if (wanted) retained.push(() => host.retainedFor(session, request, packet.identifier));
    return reason;
  });
  const answer = subscriptionAnswer(
    PacketType.Suback,
    connection.version,
    packet.packetId,
    reasons,
  );
  // The SUBACK goes before the retained messages.
  connection.answerWhenSafe(answer, host.journal.changes !== changes, () => {
    for (const begin of retained) begin();
    if (retained.length > 0) connection.feedRetained();
  });
}

function mounted({ listener }: Connection, request: SubscriptionRequest): SubscriptionRequest {
  if (listener.mountPoint === "") return request;
  return { ...request, filter: mountedFilter(listener.mountPoint, request.filter) };
}

/** MQTT 3 knows one way to refuse. */
function refusal(connection: Connection, reason: number): number {
  return connection.version === 5 ? reason : 0x80;
}

/** Handles an UNSUBSCRIBE. */
export function receiveUnsubscribe(
  host: Host,
  connection: Connection,
  packet: UnsubscribePacket,
  reasons: number[] = [],
  changes: number = host.journal.changes,
): void {
  const { mountPoint } = connection.listener;
  const first = reasons.length;
  for (let index = first; index < packet.filters.length; index++) {
    if (index - first === FILTERS_SLICE) {
      return connection.interrupt(() =>
        receiveUnsubscribe(host, connection, packet, reasons, changes)
      );
    }
    const asked = packet.filters[index];
    const filter = mountPoint === "" ? asked : mountedFilter(mountPoint, asked);
    const allowed = host.access.mayUnsubscribe(connection.identity!, filter);
    reasons.push(allowed < 0x80 ? host.unsubscribe(connection.session!, filter) : allowed);
  }
  const answer = subscriptionAnswer(
    PacketType.Unsuback,
    connection.version,
    packet.packetId,
    reasons,
  );
  // Asked a second time there is nothing to remove, but the first removal may not be safe yet.
  const kept = connection.session!.isRecorded || host.journal.changes !== changes;
  connection.answerWhenSafe(answer, kept, null);
}
