import assert from "node:assert/strict";
import { passwdCommand } from "../../src/access/passwd_command.ts";
import { parsePasswordFile } from "../../src/access/password_file.ts";
import { PasswordVerifier } from "../../src/access/password_verifier.ts";
import { FakeIo } from "./command_case.ts";
import { BY_MOSQUITTO, SHA512_ENTRY } from "./password_entries.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** Hands over a file in a directory of its own, which must hold nothing else afterwards. */
async function withFile(
  content: string | null,
  test: (file: string, run: typeof runCommand) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    const file = `${directory}/passwords`;
    if (content !== null) Deno.writeTextFileSync(file, content, { mode: 0o600 });
    await test(file, runCommand);
    const left = Array.from(Deno.readDirSync(directory), ({ name }) => name);
    assert.deepEqual(left.filter((name) => name !== "passwords" && name !== "link"), []);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function runCommand(words: string[], typed?: string[]) {
  const io = new FakeIo(typed);
  return { status: await passwdCommand(words, io), output: io.output, errors: io.errors };
}

/** The file is without mistakes, and these are its users' passwords. */
async function expectPasswords(text: string, passwords: Record<string, string>): Promise<void> {
  const { value: entries, mistakes } = parsePasswordFile(bytes(text), "F");
  assert.deepEqual(mistakes, []);
  assert.deepEqual([...entries.keys()], Object.keys(passwords));
  const verifier = new PasswordVerifier();
  try {
    for (const [name, password] of Object.entries(passwords)) {
      assert.equal(await verifier.verify(entries.get(name)!.hash, bytes(password)), true, name);
    }
  } finally {
    verifier.close();
  }
}

Deno.test("-c makes a file that only its owner may read", () =>
  withFile(null, async (file, run) => {
    const { status, output } = await run(["-c", "-b", file, "alice", "secret"]);
    assert.deepEqual([status, output], [0, "Adding password for user alice\n"]);
    assert.equal(Deno.statSync(file).mode! & 0o777, 0o600);
    const text = Deno.readTextFileSync(file);
    assert.match(text, /^alice:\$7\$1000\$[^$]{88}\$[^$]{88}\n$/, "as Mosquitto 2.1 writes it");
    await expectPasswords(text, { alice: "secret" });
  }));

Deno.test("a user is added at the end or changed in place; all else stays, byte by byte", () =>
  withFile(`# note \xe4\r\nnobody\n${SHA512_ENTRY}\njoe:$1$x\nbob:twice`, async (file, run) => {
    assert.equal((await run(["-b", file, "zoë", "z"])).output, "Adding password for user zoë\n");
    const { output } = await run(["-b", "-H", "sha512", file, "bob", "b"]);
    assert.equal(output, "Updating password for user bob\n");
    const lines = Deno.readTextFileSync(file).split("\n");
    assert.deepEqual(lines.slice(0, 2), ["# note \xe4\r", "nobody"]);
    assert.equal(lines[3], "joe:$1$x");
    assert.equal(lines.length, 6);
    await expectPasswords([lines[2], lines[4]].join("\n"), { bob: "b", zoë: "z" });
  }));

Deno.test("-D deletes one user; one that is not there changes nothing and fails", () =>
  withFile(`a:x\n${SHA512_ENTRY}\n`, async (file, run) => {
    assert.equal((await run(["-D", file, "bob"])).status, 0);
    assert.equal(Deno.readTextFileSync(file), "a:x\n");
    const { status, errors } = await run(["-D", file, "bob"]);
    assert.deepEqual([status, errors], [1, "Warning: User bob not found in password file.\n"]);
  }));

Deno.test("-U hashes plain passwords and leaves hashes as they are", () =>
  withFile(`# plain\njoe:  secret \r\n${SHA512_ENTRY}\n`, async (file, run) => {
    assert.equal((await run(["-U", file])).output, "Passwords hashed: 1\n");
    const text = Deno.readTextFileSync(file);
    assert.ok(text.startsWith("# plain\n") && text.endsWith(`${SHA512_ENTRY}\n`));
    await expectPasswords(text, { joe: "secret", bob: "correct horse" });
  }));

Deno.test("-U changes nothing when a line cannot be hashed, and names all such lines", () => {
  const content = "joe:secret\nann:\nb:a:c\nc:$7$broken\n";
  return withFile(content, async (file, run) => {
    const { status, errors } = await run(["-U", file]);
    assert.equal(status, 1);
    const places = [...errors.matchAll(/^Error found at .*:(\d+)\.$/gm)].map(([, line]) => line);
    assert.deepEqual(places, ["2", "3", "4"]);
    assert.equal(Deno.readTextFileSync(file), content);
  });
});

Deno.test("the password is asked for twice", () =>
  withFile("", async (file, run) => {
    const asked = await run([file, "joe"], ["secret", "secret"]);
    assert.deepEqual([asked.status, asked.errors], [0, "Password: Reenter password: "]);
    await expectPasswords(Deno.readTextFileSync(file), { joe: "secret" });
    const before = Deno.readTextFileSync(file);
    const refused = [["a", "b"], [""], [], ["a"]];
    for (const typed of refused) {
      const { status, errors } = await run([file, "ann"], typed);
      assert.equal(status, 1);
      assert.match(errors, /Error: (Passwords do not match|Empty password|No password was given)/);
    }
    assert.equal(Deno.readTextFileSync(file), before);
  }));

Deno.test("- for the file prints the line", () =>
  withFile(null, async (_file, run) => {
    const { status, output } = await run(["-c", "-b", "-", "joe", "secret"]);
    assert.equal(status, 0);
    await expectPasswords(output, { joe: "secret" });
  }));

const FORMATS: [words: string[], line: RegExp][] = [
  [["-H", "sha512-pbkdf2", "-I", "7"], /^u:\$7\$7\$/],
  [["-H", "sha512"], /^u:\$6\$[^$]{88}\$/],
  [["-H", "argon2id"], /^u:\$argon2id\$v=19\$m=47104,t=1,p=1\$[^$=]{86}\$[^$=]{86}$/m],
  [["--mosquitto-2.0"], /^u:\$7\$101\$[^$]{16}\$/],
  [["--mosquitto-2.0", "-H", "sha512"], /^u:\$6\$[^$]{16}\$/],
];
for (const [words, line] of FORMATS) {
  Deno.test(`passwd ${words.join(" ")} writes that format`, async () => {
    const { output } = await runCommand([...words, "-c", "-b", "-", "u", "secret"]);
    assert.match(output, line);
    await expectPasswords(output, { u: "secret" });
  });
}

Deno.test("owner's and others' rights, and a symbolic link, outlive a change", () =>
  withFile("", async (file, run) => {
    Deno.chmodSync(file, 0o644);
    const link = `${file.slice(0, file.lastIndexOf("/"))}/link`;
    Deno.symlinkSync(file, link);
    const { status, errors } = await run(["-b", link, "joe", "x"]);
    assert.equal(status, 0);
    assert.match(errors, /^Warning: File .* has world readable permissions/);
    assert.equal(Deno.statSync(file).mode! & 0o777, 0o644);
    assert.equal(Deno.lstatSync(link).isSymlink, true);
    await expectPasswords(Deno.readTextFileSync(file), { joe: "x" });
  }));

Deno.test("words that make no sense change nothing", () =>
  withFile("a:b\n", async (file, run) => {
    const cases = [
      ["-b", file, "joe"],
      ["-b", file],
      [file],
      [file, "joe", "password"],
      [],
      ["-D", "-c", file, "a"],
      ["-D", "-b", file, "a", "x"],
      ["-U", "-b", file],
      ["-U", file, "a"],
      ["-c", "-I", "0", "-b", file, "joe", "x"],
      ["-c", "-I", "5", "-H", "sha512", "-b", file, "joe", "x"],
      ["-c", "-H", "md5", "-b", file, "joe", "x"],
      ["-c", "--mosquitto-2.0", "-H", "argon2id", "-b", file, "joe", "x"],
      ["-c", "-x", "-b", file, "joe", "x"],
      ["-b", "-", "joe", "x"],
      ["-b", file, "jo:e", "x"],
      ["-b", file, "jo\ne", "x"],
      ["-b", file, " joe", "x"],
      ["-b", file, "#joe", "x"],
      ["-b", file, "", "x"],
      ["-b", `${file}.none`, "joe", "x"],
      ["-c", "-b", `${file}/none`, "joe", "x"],
    ];
    for (const words of cases) {
      const { status, errors } = await run(words);
      assert.equal(status, 1, words.join(" "));
      assert.match(errors, /^Error: /, words.join(" "));
    }
    assert.equal(Deno.readTextFileSync(file), "a:b\n");
  }));

Deno.test("-h tells how on stdout", async () => {
  const { status, output, errors } = await runCommand(["-h"]);
  assert.deepEqual([status, errors], [0, ""]);
  assert.match(output, /^Usage: sabethes passwd /);
});

Deno.test("an empty password on the command line is written, and warned of", async () => {
  const { status, errors } = await runCommand(["-c", "-b", "-", "u", ""]);
  assert.deepEqual([status, errors], [0, "Warning: An empty password never lets anybody in.\n"]);
});

const TOOL = "mosquitto_passwd";
const HAS_TOOL = await isInstalled(TOOL);

async function isInstalled(name: string): Promise<boolean> {
  try {
    return (await new Deno.Command("which", { args: [name], stdout: "null" }).output()).success;
  } catch {
    return false;
  }
}

Deno.test({
  name: "mosquitto_passwd and passwd edit the same file in turn",
  ignore: !HAS_TOOL,
  fn: () =>
    withFile(null, async (file, run) => {
      const theirs = async (...args: string[]) =>
        assert.ok((await new Deno.Command(TOOL, { args, stderr: "null" }).output()).success);
      await theirs("-c", "-b", file, "joe", "j");
      await run(["-b", file, "ann", "a"]);
      await theirs("-H", "sha512", "-b", file, "zoë", "z");
      await run(["-b", file, "joe", "J"]);
      await expectPasswords(Deno.readTextFileSync(file), { joe: "J", ann: "a", zoë: "z" });
      await theirs("-D", file, "ann");
      await expectPasswords(Deno.readTextFileSync(file), { joe: "J", zoë: "z" });
    }),
});

Deno.test("what Mosquitto's own tool wrote stays when another user is added", () =>
  withFile(BY_MOSQUITTO.map(([, line]) => `${line}\n`).join(""), async (file, run) => {
    const before = Deno.readTextFileSync(file);
    await run(["-b", file, "joe", "x"]);
    assert.ok(Deno.readTextFileSync(file).startsWith(`${before}joe:$7$`));
  }));
