import type { CommandIo } from "../../src/access/command_io.ts";

/** Keeps what a command says, and types what is handed over. */
export class FakeIo implements CommandIo {
  output = "";
  errors = "";
  readonly #typed: string[];

  constructor(typed: readonly string[] = []) {
    this.#typed = [...typed];
  }

  out(text: string): void {
    this.output += text;
  }

  err(text: string): void {
    this.errors += text;
  }

  readHidden(prompt: string): Uint8Array | null {
    this.errors += prompt;
    const typed = this.#typed.shift();
    return typed === undefined ? null : new TextEncoder().encode(typed);
  }
}
