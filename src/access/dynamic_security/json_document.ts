/** A value of a JSON text that knows where it stands, so that a mistake in it can be shown. */
export type JsonNode =
  | { readonly kind: "object"; readonly at: number; readonly members: readonly JsonMember[] }
  | { readonly kind: "array"; readonly at: number; readonly items: readonly JsonNode[] }
  | { readonly kind: "string"; readonly at: number; readonly value: string }
  | { readonly kind: "number"; readonly at: number; readonly value: number }
  | { readonly kind: "boolean"; readonly at: number; readonly value: boolean }
  | { readonly kind: "null"; readonly at: number };

export interface JsonMember {
  readonly name: string;
  readonly at: number;
  readonly value: JsonNode;
}

/** The text is no JSON. `at` counts characters. */
export class JsonError extends Error {
  override readonly name = "JsonError";
  constructor(readonly at: number, message: string) {
    super(message);
  }
}

/** Deeper than anything that is meant. */
const DEPTH_MAXIMUM = 100;

/** Reads a JSON text. @throws {JsonError} */
export function parseJson(text: string): JsonNode {
  return new Parser(text).document();
}

/** The value without its places, as `JSON.parse` gives it. */
export function plainValue(node: JsonNode): unknown {
  switch (node.kind) {
    case "object":
      return Object.fromEntries(node.members.map(({ name, value }) => [name, plainValue(value)]));
    case "array":
      return node.items.map(plainValue);
    case "null":
      return null;
    default:
      return node.value;
  }
}

/** Line and column of a character, both counted from 1. */
export function placeOf(text: string, at: number): { line: number; column: number } {
  const before = text.slice(0, at);
  const lineStart = before.lastIndexOf("\n") + 1;
  return { line: before.split("\n").length, column: at - lineStart + 1 };
}

const SCALAR = /"[^"\\]*(?:\\.[^"\\]*)*"|-?[0-9][0-9.eE+-]*|[a-z]+/y;
const BLANKS = /[ \t\r\n]*/y;

/** Finds the structure; what stands between is left to `JSON.parse`, which knows all its rules. */
class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): JsonNode {
    const value = this.#value(0);
    this.#skipBlanks();
    if (this.#at < this.#text.length) throw this.#unexpected("the end");
    return value;
  }

  #value(depth: number): JsonNode {
    if (depth > DEPTH_MAXIMUM) throw new JsonError(this.#at, "nested too deeply");
    this.#skipBlanks();
    const at = this.#at;
    const character = this.#text[at];
    if (character === "{") return { kind: "object", at, members: this.#members(depth) };
    if (character === "[") return { kind: "array", at, items: this.#items(depth) };
    return this.#scalar();
  }

  #members(depth: number): JsonMember[] {
    return this.#list("}", () => {
      this.#skipBlanks();
      const at = this.#at;
      const name = this.#scalar();
      if (name.kind !== "string") throw new JsonError(at, "expected a name in quotes");
      this.#skipBlanks();
      if (this.#text[this.#at] !== ":") throw this.#unexpected("a colon");
      this.#at++;
      return { name: name.value, at, value: this.#value(depth + 1) };
    });
  }

  #items(depth: number): JsonNode[] {
    return this.#list("]", () => this.#value(depth + 1));
  }

  #list<T>(end: string, read: () => T): T[] {
    this.#at++;
    this.#skipBlanks();
    if (this.#text[this.#at] === end) {
      this.#at++;
      return [];
    }
    const found: T[] = [];
    for (;;) {
      found.push(read());
      this.#skipBlanks();
      const character = this.#text[this.#at];
      if (character !== "," && character !== end) throw this.#unexpected(`a comma or ${end}`);
      this.#at++;
      if (character === end) return found;
    }
  }

  #scalar(): JsonNode {
    const at = this.#at;
    SCALAR.lastIndex = at;
    const found = SCALAR.exec(this.#text);
    if (found === null) throw this.#unexpected("a value");
    let value: unknown;
    try {
      value = JSON.parse(found[0]);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      throw this.#unexpected("a value");
    }
    this.#at = SCALAR.lastIndex;
    switch (typeof value) {
      case "string":
        return { kind: "string", at, value };
      case "number":
        return { kind: "number", at, value };
      case "boolean":
        return { kind: "boolean", at, value };
      default:
        return { kind: "null", at };
    }
  }

  #skipBlanks() {
    BLANKS.lastIndex = this.#at;
    BLANKS.exec(this.#text);
    this.#at = BLANKS.lastIndex;
  }

  #unexpected(expected: string): JsonError {
    const found = this.#text[this.#at];
    return new JsonError(
      this.#at,
      `expected ${expected}, found ${found === undefined ? "the end" : JSON.stringify(found)}`,
    );
  }
}
