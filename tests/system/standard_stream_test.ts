import assert from "node:assert/strict";
import { StandardStream } from "../../src/system/standard_stream.ts";

/** Runs with a stderr of our own; returns the pieces it was given. */
function withStderr(
  run: (stream: { canTake: boolean }) => void,
  write: (bytes: Uint8Array) => number = (bytes) => bytes.length,
): string[] {
  const pieces: string[] = [];
  const original = Deno.stderr.writeSync;
  Deno.stderr.writeSync = (bytes) => {
    const count = write(bytes);
    pieces.push(new TextDecoder().decode(bytes.subarray(0, count)));
    return count;
  };
  try {
    run({ canTake: true });
  } finally {
    Deno.stderr.writeSync = original;
  }
  return pieces;
}

Deno.test("a line is written in the call", () => {
  const pieces = withStderr(() => {
    const stream = new StandardStream("stderr", () => true);
    stream.write("notice", "first");
    stream.write("notice", "second");
  });
  assert.deepEqual(pieces, ["first\n", "second\n"]);
});

Deno.test("what is not taken at once is written on", () => {
  const pieces = withStderr(
    () => new StandardStream("stderr", () => true).write("error", "abcd"),
    (bytes) => Math.min(bytes.length, 2),
  );
  assert.deepEqual(pieces, ["ab", "cd", "\n"]);
});

Deno.test("a long line goes in pieces of what a pipe takes at a time", () => {
  const pieces = withStderr(() =>
    new StandardStream("stderr", () => true).write("error", "x".repeat(10_000))
  );
  assert.deepEqual(pieces.map(({ length }) => length), [4096, 4096, 1809]);
});

Deno.test("a reader that is gone does not end the broker", () => {
  withStderr(() => new StandardStream("stderr", () => true).write("error", "x"), () => {
    throw new Deno.errors.BrokenPipe("gone");
  });
});

Deno.test("lines wait for a pipe that is full, in order, and are written at the end", () => {
  const pieces = withStderr((pipe) => {
    const stream = new StandardStream("stderr", () => pipe.canTake);
    stream.write("notice", "first");
    pipe.canTake = false;
    stream.write("notice", "second");
    pipe.canTake = true;
    stream.write("notice", "third");
    stream.close();
  });
  assert.deepEqual(pieces, ["first\n", "second\n", "third\n"]);
});

Deno.test("lines beyond 1 MiB that wait are lost and counted", () => {
  const line = "x".repeat(1000);
  const pieces = withStderr((pipe) => {
    const stream = new StandardStream("stderr", () => pipe.canTake);
    pipe.canTake = false;
    for (let written = 0; written < 2000; written++) stream.write("debug", line);
    pipe.canTake = true;
    stream.close();
  });
  assert.equal(pieces.filter((piece) => piece === `${line}\n`).length, 1048);
  assert.equal(pieces.at(-1), "952 lines were lost here.\n");
});

Deno.test("lines that wait are written when the pipe has room, without a further line", async () => {
  const pieces: string[] = [];
  const original = Deno.stderr.writeSync;
  let canTake = false;
  const written = new Promise<void>((resolve) => {
    Deno.stderr.writeSync = (bytes) => {
      pieces.push(new TextDecoder().decode(bytes));
      resolve();
      return bytes.length;
    };
  });
  // Only what holds the process open waits for a timer that does not.
  const open = setInterval(() => {}, 1000);
  try {
    new StandardStream("stderr", () => canTake).write("notice", "late");
    canTake = true;
    await written;
  } finally {
    clearInterval(open);
    Deno.stderr.writeSync = original;
  }
  assert.deepEqual(pieces, ["late\n"]);
});
