import assert from "node:assert/strict";
import { loadAccessFile } from "../../src/access/access_file.ts";
import { parsePskFile } from "../../src/access/psk_file.ts";
import { lineAndText } from "./file_case.ts";

async function inDirectory(test: (directory: string) => void): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    test(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const load = (path: string) => loadAccessFile("psk_file", path, parsePskFile);

Deno.test("a file is read through a symbolic link", () =>
  inDirectory((directory) => {
    Deno.writeTextFileSync(`${directory}/keys`, "a:12\n", { mode: 0o600 });
    Deno.symlinkSync(`${directory}/keys`, `${directory}/link`);
    const { value, mistakes, warnings } = load(`${directory}/link`);
    assert.deepEqual([[...value.keys()], mistakes, warnings], [["a"], [], []]);
  }));

Deno.test("a file that all may read is warned of, and used", () =>
  inDirectory((directory) => {
    const path = `${directory}/keys`;
    Deno.writeTextFileSync(path, "a:12\nx\n");
    Deno.chmodSync(path, 0o644);
    const { value, warnings } = load(path);
    assert.deepEqual([...value.keys()], ["a"]);
    assert.deepEqual(warnings.map(lineAndText), [
      `File ${path} has world readable permissions.`,
      "2: A line without ':' is no identity: ignored.",
    ]);
  }));

Deno.test("a file that is missing, or is a directory, is a mistake and no empty file", () =>
  inDirectory((directory) => {
    for (const path of [`${directory}/none`, directory]) {
      const { mistakes } = load(path);
      assert.deepEqual(mistakes.map(lineAndText), [`Unable to open psk_file "${path}".`]);
    }
  }));
