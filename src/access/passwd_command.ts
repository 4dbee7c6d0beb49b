import { existsSync, readFileSync, statSync } from "node:fs";
import { Buffer } from "node:buffer";
import { formatMistakes } from "../mistake.ts";
import { trimBlanks } from "./access_file.ts";
import type { CommandIo } from "./command_io.ts";
import { isPasswdTask, type PasswdTask, readPasswdArguments } from "./passwd_arguments.ts";
import { isUserName } from "./password_file.ts";
import { makePasswordHash } from "./password_making.ts";
import { PasswordLines } from "./password_lines.ts";
import { replaceFile } from "./replace_file.ts";

const PASSWD_USAGE = `Usage: sabethes passwd [-H HASH] [-I N] [-c | -D] FILE USER
       sabethes passwd [-H HASH] [-I N] [-c] -b FILE USER PASSWORD
       sabethes passwd [-H HASH] [-I N] -U FILE
 -b : take the password from the command line, where other users may see it.
 -c : create the file; one that exists is replaced. With - for FILE, print the line instead.
 -D : delete the user.
 -H : sha512-pbkdf2 (default), argon2id or sha512.
 -I : iterations of sha512-pbkdf2 (default 1000).
 -U : hash the plain passwords of the file.
 --mosquitto-2.0 : write what Mosquitto 2.0 and 1.6 can read.
`;

const EXIT_DONE = 0;
const EXIT_FAILED = 1;
const OTHERS_MAY_READ = 0o004;

/** Said to whoever typed the command, instead of a stack. */
class Refusal extends Error {}

/**
 * `sabethes passwd`: makes and edits password files as mosquitto_passwd does. A file changes as a whole
 * or not at all. 0: done; 1: refused or failed, with the reason on stderr.
 *
 * @param words what follows `passwd`
 */
export async function passwdCommand(words: readonly string[], io: CommandIo): Promise<number> {
  if (words[0] === "-h" || words[0] === "--help") {
    io.out(PASSWD_USAGE);
    return EXIT_DONE;
  }
  const task = readPasswdArguments(words);
  if (!isPasswdTask(task)) {
    io.err(`Error: ${task}\n\n${PASSWD_USAGE}`);
    return EXIT_FAILED;
  }
  try {
    await perform(task, io);
    return EXIT_DONE;
  } catch (error) {
    if (error instanceof Refusal) io.err(`${error.message}\n`);
    else if (isSystemError(error)) io.err(`Error: ${error.message}\n`);
    else throw error;
    return EXIT_FAILED;
  }
}

async function perform(task: PasswdTask, io: CommandIo): Promise<void> {
  switch (task.name) {
    case "set":
      return await set(task, io);
    case "delete": {
      const lines = read(task.file);
      if (!lines.has(task.userName)) {
        throw new Refusal(`Warning: User ${task.userName} not found in password file.`);
      }
      lines.remove(task.userName);
      await write(task.file, lines, io);
      return;
    }
    case "hash": {
      const lines = read(task.file);
      const { hashed, mistakes } = await lines.hashPlain(
        task.file,
        (password) => makePasswordHash(password, task.making),
      );
      if (mistakes.length > 0) throw new Refusal(formatMistakes(mistakes).trimEnd());
      if (hashed > 0) await write(task.file, lines, io);
      io.out(`Passwords hashed: ${hashed}\n`);
    }
  }
}

async function set(task: Extract<PasswdTask, { name: "set" }>, io: CommandIo): Promise<void> {
  const { file, userName } = task;
  if (!isUserName(userName) || userName.includes(":") || trimBlanks(userName) !== userName) {
    throw new Refusal("Error: Invalid user name: no ':', control characters or blanks around it.");
  }
  if (userName.startsWith("#")) throw new Refusal("Error: Invalid user name: # begins a comment.");
  // Before anything is typed.
  const lines = task.create ? new PasswordLines(new Uint8Array(0)) : read(file);
  const password = task.password === undefined
    ? askTwice(io)
    : new TextEncoder().encode(task.password);
  if (password.length === 0) {
    io.err("Warning: An empty password never lets anybody in.\n");
  }
  const updates = lines.has(userName);
  lines.set(userName, await makePasswordHash(password, task.making));
  if (file === "-") {
    io.out(Buffer.from(lines.toBytes()).toString());
    return;
  }
  await write(file, lines, io);
  io.out(`${updates ? "Updating" : "Adding"} password for user ${userName}\n`);
}

function askTwice(io: CommandIo): Uint8Array {
  const first = io.readHidden("Password: ");
  if (first === null) throw new Refusal("Error: No password was given.");
  if (first.length === 0) throw new Refusal("Error: Empty password.");
  const second = io.readHidden("Reenter password: ");
  if (second === null || !Buffer.from(first).equals(second)) {
    throw new Refusal("Error: Passwords do not match.");
  }
  return first;
}

function read(file: string): PasswordLines {
  if (!existsSync(file)) {
    throw new Refusal(`Error: Unable to open password file ${file} for reading. -c creates it.`);
  }
  return new PasswordLines(readFileSync(file));
}

async function write(file: string, lines: PasswordLines, io: CommandIo): Promise<void> {
  await replaceFile(file, lines.toBytes(), "stays");
  if ((statSync(file).mode & OTHERS_MAY_READ) !== 0) {
    io.err(`Warning: File ${file} has world readable permissions: chmod o-rwx ${file}\n`);
  }
}

/** The file cannot be read or written: the user's business, not a bug. */
function isSystemError(error: unknown): error is Error {
  return error instanceof Error && "syscall" in error;
}
