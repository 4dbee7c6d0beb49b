/// <reference lib="deno.worker" />
import { argon2id, type Argon2Parameters } from "./argon2id.ts";

export interface Argon2Question {
  readonly password: Uint8Array;
  readonly parameters: Argon2Parameters;
}

export type Argon2Answer = { readonly tag: Uint8Array } | { readonly error: string };

self.onmessage = ({ data: question }: MessageEvent<Argon2Question>) => {
  self.postMessage(answer(question));
};

function answer({ password, parameters }: Argon2Question): Argon2Answer {
  try {
    return { tag: argon2id(password, parameters) };
  } catch (error) {
    return { error: String(error) };
  }
}
