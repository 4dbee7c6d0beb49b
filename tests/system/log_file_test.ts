import assert from "node:assert/strict";
import { LogFile, type WritableFile } from "../../src/system/log_file.ts";
import { withDirectory } from "./support.ts";

const none = () => assert.fail("nothing was to be told");

Deno.test("lines are appended to the file, which is its owner's alone", () =>
  withDirectory((directory) => {
    const path = `${directory}/log`;
    for (const line of ["first", "second"]) {
      const file = new LogFile(path, none);
      file.write("notice", line);
      assert.equal(Deno.readTextFileSync(path).split("\n").at(-2), line, "there at once");
      file.close();
    }
    assert.equal(Deno.readTextFileSync(path), "first\nsecond\n");
    assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
  }));

Deno.test("after a rotation lines go to a new file", () =>
  withDirectory((directory) => {
    const path = `${directory}/log`;
    const file = new LogFile(path, none);
    file.write("notice", "first");
    Deno.renameSync(path, `${path}.1`);
    file.write("notice", "second");
    file.reopen();
    file.write("notice", "third");
    file.close();
    assert.equal(Deno.readTextFileSync(`${path}.1`), "first\nsecond\n");
    assert.equal(Deno.readTextFileSync(path), "third\n");
  }));

Deno.test("a file that cannot be opened is told of, and swallows its lines", () => {
  const told: string[] = [];
  const file = new LogFile("/nonexistent/log", (text) => void told.push(text));
  file.write("notice", "x");
  assert.equal(told.length, 1);
  assert.match(told[0], /^Error: Unable to open log file \/nonexistent\/log for writing: /);
});

Deno.test("a file that cannot be opened again is written on", () =>
  withDirectory((directory) => {
    const told: string[] = [];
    Deno.mkdirSync(`${directory}/logs`);
    const file = new LogFile(`${directory}/logs/log`, (text) => void told.push(text));
    Deno.renameSync(`${directory}/logs`, `${directory}/old`);
    file.reopen();
    file.write("notice", "still there");
    file.close();
    assert.equal(told.length, 1);
    assert.equal(Deno.readTextFileSync(`${directory}/old/log`), "still there\n");
  }));

/** A file on a disk with room for so many bytes. */
class SmallDisk implements WritableFile {
  room: number;
  text = "";
  constructor(room: number) {
    this.room = room;
  }
  writeSync(bytes: Uint8Array): number {
    const taken = Math.min(bytes.length, this.room);
    if (taken === 0) throw new Error("No space left on device (os error 28)");
    this.room -= taken;
    this.text += new TextDecoder().decode(bytes.subarray(0, taken));
    return taken;
  }
  close() {}
}

Deno.test("lines that a full disk does not take are counted where there is room again", () => {
  const disk = new SmallDisk(8);
  const file = new LogFile("log", none, () => disk);
  for (const line of ["first", "second", "third"]) file.write("notice", line);
  assert.equal(disk.text, "first\nse");
  disk.room = 1000;
  file.write("notice", "fourth");
  assert.equal(disk.text, "first\nse\n2 lines were lost here.\nfourth\n");
});
