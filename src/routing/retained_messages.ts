import type { StoredMessage } from "./stored_message.ts";

/** Nodes looked at in vain before a search lets others have their turn. */
const VISITS_BETWEEN_NULLS = 64;

class Node {
  children: Map<string, Node> | null = null;
  message: StoredMessage | null = null;
}

/**
 * The retained messages: one for each Topic Name, in a tree of levels, so that a filter visits only
 * what it can match. Cost of `get`, `set` and `delete`: the levels of the name.
 */
export class RetainedMessages {
  readonly #root = new Node();
  #count = 0;
  #bytes = 0;

  get count(): number {
    return this.#count;
  }

  /** Payload bytes of all. */
  get bytes(): number {
    return this.#bytes;
  }

  get(topicName: string): StoredMessage | null {
    let node: Node | undefined = this.#root;
    for (const level of topicName.split("/")) {
      node = node.children?.get(level);
      if (node === undefined) return null;
    }
    return node.message;
  }

  /** Returns the message that was replaced, or null. */
  set(message: StoredMessage): StoredMessage | null {
    let node = this.#root;
    for (const level of message.topic.name.split("/")) {
      const children = node.children ??= new Map();
      let child = children.get(level);
      if (child === undefined) children.set(level, child = new Node());
      node = child;
    }
    const before = node.message;
    node.message = message;
    if (before === null) this.#count++;
    else this.#bytes -= before.publish.payloadLength;
    this.#bytes += message.publish.payloadLength;
    return before;
  }

  /** Returns the message that was there, or null. */
  delete(topicName: string): StoredMessage | null {
    const removed = this.#delete(this.#root, topicName.split("/"), 0);
    if (removed !== null) {
      this.#count--;
      this.#bytes -= removed.publish.payloadLength;
    }
    return removed;
  }

  #delete(node: Node, levels: string[], index: number): StoredMessage | null {
    if (index === levels.length) {
      const message = node.message;
      node.message = null;
      return message;
    }
    const child = node.children?.get(levels[index]);
    if (child === undefined) return null;
    const removed = this.#delete(child, levels, index + 1);
    if (removed !== null && child.message === null && child.children === null) {
      node.children!.delete(levels[index]);
      if (node.children!.size === 0) node.children = null;
    }
    return removed;
  }

  /**
   * The messages a filter matches, parents before children. Lazy: what is set or deleted meanwhile
   * may or may not be seen.
   */
  *matching(filter: string): Generator<StoredMessage, void, void> {
    for (const message of this.search(filter)) if (message !== null) yield message;
  }

  /** The same with a null now and then, after names that did not match: a chance to do something else. */
  search(filter: string): Generator<StoredMessage | null, void, void> {
    return this.#walk(this.#root, filter.split("/"), 0, { visits: 0 });
  }

  /** All messages, parents before children. */
  *all(): Generator<StoredMessage, void, void> {
    yield* this.#below(this.#root, true);
  }

  *#walk(
    node: Node,
    levels: string[],
    index: number,
    effort: { visits: number },
  ): Generator<StoredMessage | null, void, void> {
    if (++effort.visits % VISITS_BETWEEN_NULLS === 0) yield null;
    if (index === levels.length) {
      if (node.message !== null) yield node.message;
      return;
    }
    const level = levels[index];
    // [MQTT-4.7.2-1]: a wildcard in the first level does not match names that start with `$`.
    const system = index > 0;
    if (level === "#") {
      if (index > 0 && node.message !== null) yield node.message;
      yield* this.#below(node, system);
    } else if (level === "+") {
      if (node.children === null) return;
      for (const [name, child] of node.children) {
        if (system || !name.startsWith("$")) yield* this.#walk(child, levels, index + 1, effort);
      }
    } else {
      const child = node.children?.get(level);
      if (child !== undefined) yield* this.#walk(child, levels, index + 1, effort);
    }
  }

  *#below(node: Node, system: boolean): Generator<StoredMessage, void, void> {
    if (node.children === null) return;
    for (const [name, child] of node.children) {
      if (!system && name.startsWith("$")) continue;
      if (child.message !== null) yield child.message;
      yield* this.#below(child, true);
    }
  }
}
