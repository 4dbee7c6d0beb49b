import assert from "node:assert/strict";
import { replaceFile } from "../../src/access/replace_file.ts";

const isRoot = Deno.uid() === 0;
/** An account that owns nothing. */
const NOBODY = 65_534;

async function withDirectory(test: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await test(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const namesIn = (directory: string) =>
  [...Deno.readDirSync(directory)].map(({ name }) => name).sort();

Deno.test("a file that was not there is its owner's alone", () =>
  withDirectory(async (directory) => {
    await replaceFile(`${directory}/new`, "text", "stays");
    assert.equal(Deno.readTextFileSync(`${directory}/new`), "text");
    assert.equal(Deno.statSync(`${directory}/new`).mode! & 0o7777, 0o600);
    assert.deepEqual(namesIn(directory), ["new"]);
  }));

Deno.test("the mode and a symbolic link outlive a replacement", () =>
  withDirectory(async (directory) => {
    Deno.writeTextFileSync(`${directory}/file`, "old");
    Deno.chmodSync(`${directory}/file`, 0o644);
    Deno.symlinkSync("file", `${directory}/link`);
    await replaceFile(`${directory}/link`, "new", "may change");
    assert.equal(Deno.readTextFileSync(`${directory}/file`), "new");
    assert.equal(Deno.statSync(`${directory}/file`).mode! & 0o7777, 0o644);
    assert.equal(Deno.readLinkSync(`${directory}/link`), "file");
    assert.deepEqual(namesIn(directory), ["file", "link"]);
  }));

Deno.test("what cannot be replaced stays as it was, and nothing is left beside it", () =>
  withDirectory(async (directory) => {
    Deno.mkdirSync(`${directory}/folder`);
    Deno.symlinkSync("nowhere", `${directory}/link`);
    await assert.rejects(replaceFile(`${directory}/folder`, "text", "stays"), /EISDIR|EEXIST|ENOT/);
    await assert.rejects(replaceFile(`${directory}/link`, "text", "stays"), /ENOENT/);
    await assert.rejects(replaceFile(`${directory}/none/file`, "text", "stays"), /ENOENT/);
    assert.deepEqual(namesIn(directory), ["folder", "link"]);
  }));

Deno.test({
  name: "owner and group stay where root replaces a file",
  ignore: !isRoot,
  fn: () =>
    withDirectory(async (directory) => {
      Deno.writeTextFileSync(`${directory}/file`, "old");
      Deno.chownSync(`${directory}/file`, NOBODY, NOBODY);
      await replaceFile(`${directory}/file`, "new", "may change");
      const { uid, gid } = Deno.statSync(`${directory}/file`);
      assert.deepEqual([uid, gid], [NOBODY, NOBODY]);
    }),
});

Deno.test({
  name: "who may not give files away keeps the owner or the promise, as asked",
  ignore: !isRoot,
  fn: () =>
    withDirectory(async (directory) => {
      Deno.chmodSync(directory, 0o777);
      Deno.writeTextFileSync(`${directory}/file`, "old");
      Deno.chmodSync(`${directory}/file`, 0o644);
      const module = new URL("../../src/access/replace_file.ts", import.meta.url).href;
      for (const owner of ["stays", "may change"]) {
        const program = `import { replaceFile } from ${JSON.stringify(module)};
          await replaceFile(${JSON.stringify(`${directory}/file`)}, "new", "${owner}");`;
        const { success, stderr } = await new Deno.Command(Deno.execPath(), {
          args: ["eval", "--no-config", program],
          uid: NOBODY,
          gid: NOBODY,
          env: { DENO_DIR: `${directory}/cache`, HOME: directory },
        }).output();
        assert.equal(success, owner === "may change", new TextDecoder().decode(stderr));
        const content = Deno.readTextFileSync(`${directory}/file`);
        assert.equal(content, owner === "may change" ? "new" : "old");
      }
      assert.equal(Deno.statSync(`${directory}/file`).uid, NOBODY);
    }),
});
