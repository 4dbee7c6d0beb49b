import type { Topic } from "../routing/topic.ts";
import type { ControlHandler, Host } from "../session/ports.ts";
import type { Session } from "../session/session.ts";
import { Publish } from "../wire/publish.ts";

const NOBODY = '{"error": "endpoint not available"}';
const BUSY = '{"error": "too many requests"}';

/** Bytes of requests that may wait for their answers; each counts for a little more than it is. */
const OPEN_BYTES_MAXIMUM = 16_777_216;
const REQUEST_BYTES = 1024;

/**
 * What clients ask on topics below `$CONTROL/`. It is not routed: whoever is registered for the topic
 * answers, to the connection that asked and to nobody else, whether it has subscribed or not.
 */
export class Control {
  readonly #host: Host;
  readonly #handlers = new Map<string, ControlHandler>();
  #openBytes = 0;

  constructor(host: Host) {
    this.#host = host;
  }

  /** @param handler null: nobody answers there any more */
  register(topicName: string, handler: ControlHandler | null): void {
    if (handler === null) this.#handlers.delete(topicName);
    else this.#handlers.set(topicName, handler);
  }

  /** `publish` is borrowed. */
  handle(session: Session, publish: Publish, topic: Topic): void {
    const { connection } = session;
    // A bridge has no identity: what comes from another broker does not administer this one.
    if (connection === null || connection.identity === null) return;
    const send = (text: string) => {
      if (!connection.isConnected) return;
      const payload = new TextEncoder().encode(text);
      const answerTopic = this.#host.topics.named(`${topic.name}/response`);
      connection.sendQos0(Publish.of({ payload }), answerTopic, false, null, -1);
    };
    const handler = this.#handlers.get(topic.name);
    if (handler === undefined) return send(NOBODY);
    if (this.#openBytes > OPEN_BYTES_MAXIMUM) return send(BUSY);
    const bytes = REQUEST_BYTES + publish.payloadLength;
    this.#openBytes += bytes;
    let isAnswered = false;
    const close = () => {
      isAnswered = true;
      this.#openBytes -= bytes;
    };
    try {
      handler(publish.payload(), connection.identity, (text) => {
        if (isAnswered) return;
        close();
        send(text);
      });
    } catch (error) {
      if (!isAnswered) close();
      this.#host.fault(error, `handling a message to ${topic.name}`);
    }
  }
}
