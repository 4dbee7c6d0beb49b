/** What of QoS 2 went on between Mosquitto and two of its clients, read from its own log (`-v`). */
export class MosquittoTrace {
  /** Messages that the publisher handed over: released, each once, in the order in which they came. */
  released = 0;
  /** What the publisher did that makes doubles, or changes the order. */
  readonly complaints: string[] = [];
  /**
   * PUBLISHes to the receiver under an identifier that Mosquitto had sent PUBREL for: forbidden by
   * [MQTT-4.3.3-6 v3], and to the receiver a second message.
   */
  sentAgain = 0;

  /** @param log of all its runs, one behind the other */
  constructor(log: string, publisher: string, receiver: string) {
    /** Of the publisher: those that are published, in order, and those that were released. */
    const published: string[] = [], finished = new Set<string>();
    /** Of the receiver. */
    const releasing = new Set<string>();
    for (const line of log.split("\n")) {
      const [, what, name, rest] = LINE.exec(line) ?? [];
      if (what === undefined) continue;
      const packetId = /\bm(?:id: )?(\d+)/i.exec(rest)![1];
      if (name === publisher && what === "Received PUBLISH") {
        if (published.includes(packetId)) continue;
        if (finished.has(packetId) && rest.includes("d1")) {
          this.complaints.push(`PUBLISH ${packetId} again after PUBREL`);
        }
        finished.delete(packetId);
        published.push(packetId);
      } else if (name === publisher && what === "Received PUBREL") {
        const index = published.indexOf(packetId);
        if (index < 0) continue;
        if (index > 0) this.complaints.push(`PUBREL ${packetId} before that of ${published[0]}`);
        published.splice(index, 1);
        finished.add(packetId);
        this.released++;
      } else if (name === receiver && what === "Sending PUBREL") {
        releasing.add(packetId);
      } else if (name === receiver && what === "Sending PUBLISH") {
        if (releasing.delete(packetId) && rest.includes("d1")) this.sentAgain++;
      }
    }
  }
}

/** PUBLISH of QoS 2 with its flags and identifier, or PUBREL with its identifier. */
const LINE =
  /(Received PUBLISH|Received PUBREL|Sending PUBREL|Sending PUBLISH) (?:from|to) (\S+) \((d\d, q2, .*|m\d+.*|Mid: \d+.*)\)/;
