import type { Topic } from "./topic.ts";
import { Match, type Subscriber, type Subscription } from "./subscription_tree.ts";

/**
 * The Shared Subscriptions of one ShareName and filter. Each message goes to one member: in turn, in
 * the order of subscribing, passing over those that cannot take it now while another can.
 */
export class SharedGroup<S extends Subscriber> {
  readonly #members: Match<S>[] = [];
  #next = 0;
  /** Members that {@linkcode choose} has last looked at. */
  looked = 0;

  get size(): number {
    return this.#members.length;
  }

  get members(): readonly Match<S>[] {
    return this.#members;
  }

  /** Adds or replaces the subscriber's membership. True: it is new. */
  set(subscription: Subscription<S>): boolean {
    const at = this.#indexOf(subscription.subscriber);
    const member = new Match(subscription);
    if (at < 0) this.#members.push(member);
    else this.#members[at] = member;
    return at < 0;
  }

  delete(subscriber: S): boolean {
    const at = this.#indexOf(subscriber);
    if (at < 0) return false;
    this.#members.splice(at, 1);
    if (at < this.#next) this.#next--;
    return true;
  }

  /** The member whose turn it is to get a message of that topic; undefined: nobody may have it. */
  choose(topic: Topic): Match<S> | undefined {
    const members = this.#members;
    const count = members.length;
    let chosen = -1;
    let step = 0;
    for (; step < count; step++) {
      const at = (this.#next + step) % count;
      const { subscriber } = members[at];
      if (chosen >= 0 && !subscriber.isReady || !subscriber.mayReceive(topic)) continue;
      chosen = at;
      if (subscriber.isReady) break;
    }
    this.looked = step;
    if (chosen < 0) return undefined;
    this.#next = (chosen + 1) % count;
    return members[chosen];
  }

  #indexOf(subscriber: S): number {
    return this.#members.findIndex((member) => member.subscriber === subscriber);
  }
}
