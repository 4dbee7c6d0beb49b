import { printable } from "../log.ts";
import type { SubscriptionTree } from "../routing/subscription_tree.ts";
import type { Receiver } from "../session/ports.ts";
import { Session } from "../session/session.ts";

/** A filter with what is printed of those who subscribed to it. */
type Row = [path: readonly string[], subscriptions: readonly Printed[]];

interface Printed {
  readonly subscriber: Receiver;
  readonly qos: number;
}

/**
 * The subscriptions as Mosquitto prints them at SIGUSR2, line by line: each level of a filter on one, two
 * blanks deeper than the level above, with ` (client, QoS)` for every subscription that ends there. First
 * come those that are not shared, then the shared ones below `$share` and their ShareName.
 */
export function* treeText(tree: SubscriptionTree<Receiver>): Generator<string> {
  // Mosquitto's root is there without any subscription, too.
  const plain: Row[] = [[["", ""], []]], shared: Row[] = [];
  for (const { levels, subscriptions, groups } of tree.filters()) {
    // Mosquitto has two levels above the first: empty, or the first one's name if that begins with $.
    const root = levels[0].startsWith("$") ? levels[0] : "";
    if (subscriptions.length > 0) {
      plain.push([[root, ...root === "" ? [""] : [], ...levels], subscriptions]);
    }
    for (const [name, { members }] of groups) shared.push([["$share", name, ...levels], members]);
  }
  yield* rowsText(plain);
  yield* rowsText(shared.sort(([[, a]], [[, b]]) => a < b ? -1 : a > b ? 1 : 0));
}

/** Levels that stand above already are not printed again. */
function* rowsText(rows: readonly Row[]): Generator<string> {
  let above: readonly string[] = [];
  for (const [path, subscriptions] of rows) {
    let same = 0;
    while (same < above.length && same < path.length - 1 && above[same] === path[same]) same++;
    for (let depth = same; depth < path.length; depth++) {
      const text = " ".repeat((depth + 2) * 2) + printable(path[depth]);
      yield depth < path.length - 1 ? text : text + subscriptions.map(printed).join("");
    }
    above = path;
  }
}

function printed({ subscriber, qos }: Printed): string {
  const clientId = subscriber instanceof Session ? printable(subscriber.clientId) : "";
  return ` (${clientId}, ${qos})`;
}
