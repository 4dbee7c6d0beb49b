import type { Broker } from "../broker/broker.ts";
import {
  decodeProperties,
  encodeProperties,
  type MessageProperties,
} from "../wire/property_list.ts";
import type { Publish, Qos } from "../wire/publish.ts";
import { isTopicNameText } from "../wire/utf8.ts";

/** A message as an embedding program or a plugin gets it. */
export interface Message {
  /** The Topic Name. */
  readonly topic: string;
  /** Bytes of its own, which may be kept. */
  readonly payload: Uint8Array;
  /** The QoS with which it was published. */
  readonly qos: Qos;
  /** Whether it comes, or is to be kept, as a retained message. */
  readonly retain: boolean;
  /** Content Type, Response Topic, Correlation Data, User Properties …, read when first asked for. */
  readonly properties: MessageProperties;
  /** The payload as text. */
  text(): string;
}

/** How a program or a plugin publishes a message. */
export interface PublishOptions extends MessageProperties {
  /** By default 0. */
  qos?: Qos;
  /** Keeps it as the topic's retained message; with an empty payload removes that. By default false. */
  retain?: boolean;
  /** Seconds; by default it does not expire. */
  messageExpiryInterval?: number;
}

/** A message in bytes of its own. */
export function messageOf(publish: Publish, topic: string, retain: boolean): Message {
  const payload = publish.payload().slice();
  const properties = publish.forwarded().slice();
  return {
    topic,
    payload,
    qos: publish.qos,
    retain,
    get properties() {
      return decodeProperties(properties);
    },
    text: () => new TextDecoder().decode(payload),
  };
}

/**
 * What {@linkcode Broker.publishMessage} takes, from what a program gives. The payload is borrowed.
 *
 * @throws {TypeError} for what is no Topic Name or QoS
 */
export function outgoingMessage(
  topic: string,
  payload: string | Uint8Array,
  options: PublishOptions,
): Parameters<Broker["publishMessage"]>[0] {
  const { qos = 0, retain, messageExpiryInterval } = options;
  if (!isTopicNameText(topic)) throw new TypeError(`not a Topic Name: ${topic}`);
  if (qos !== 0 && qos !== 1 && qos !== 2) throw new TypeError(`not a QoS: ${qos}`);
  return {
    topic,
    payload: typeof payload === "string" ? new TextEncoder().encode(payload) : payload,
    qos,
    retain,
    messageExpirySeconds: messageExpiryInterval,
    properties: encodeProperties(options),
  };
}
