/** A queue with both ends, in one ring that grows. All methods cost O(1), amortized. */
export class Deque<T> {
  #items: (T | undefined)[] = [];
  #head = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(item: T): void {
    this.#room();
    this.#items[(this.#head + this.#size++) & this.#items.length - 1] = item;
  }

  unshift(item: T): void {
    this.#room();
    this.#head = (this.#head - 1) & this.#items.length - 1;
    this.#items[this.#head] = item;
    this.#size++;
  }

  peek(): T | undefined {
    return this.#size === 0 ? undefined : this.#items[this.#head];
  }

  shift(): T | undefined {
    if (this.#size === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head = (this.#head + 1) & this.#items.length - 1;
    this.#size--;
    return item;
  }

  *[Symbol.iterator](): Generator<T, void, void> {
    for (let index = 0; index < this.#size; index++) {
      yield this.#items[(this.#head + index) & this.#items.length - 1]!;
    }
  }

  #room() {
    const items = this.#items;
    if (this.#size < items.length) return;
    const grown = new Array<T | undefined>(Math.max(8, items.length * 2));
    for (let index = 0; index < this.#size; index++) {
      grown[index] = items[(this.#head + index) & items.length - 1];
    }
    this.#items = grown;
    this.#head = 0;
  }
}
