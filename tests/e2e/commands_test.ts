import assert from "node:assert/strict";
import {
  BrokerProcess,
  configurationText,
  freePort,
  persistent,
  withDirectory,
} from "../support/broker_process.ts";
import { publish } from "../support/packets.ts";
import { TcpClient } from "../support/tcp_client.ts";

/** Runs the program to its end. */
async function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string[] }> {
  await using broker = BrokerProcess.spawn({ port: 0, args });
  const code = await broker.exitStatus();
  return { code, stdout: broker.stdout, stderr: [...broker.lines] };
}

function write(path: string, lines: readonly string[]): string {
  Deno.writeTextFileSync(path, `${lines.join("\n")}\n`);
  return path;
}

Deno.test("check-config looks at what a file names; --test-config does not", () =>
  withDirectory(async (directory) => {
    const file = write(`${directory}/a.conf`, ["listener 1883", `acl_file ${directory}/none`]);
    assert.equal((await run("-c", file, "--test-config")).code, 0);
    const { code, stdout, stderr } = await run("check-config", file);
    assert.deepEqual([code, stdout], [3, ""]);
    assert.match(stderr.join("\n"), /^Error: Unable to open acl_file ".*none"\.$/m);
    assert.match(stderr.join("\n"), /^Error found at .*a\.conf:2\.$/m);
  }));

Deno.test("check-config --json tells programs; warnings alone end with status 0", () =>
  withDirectory(async (directory) => {
    const file = write(`${directory}/a.conf`, ["listener 1883"]);
    const { code, stdout, stderr } = await run("check-config", "--json", file);
    assert.deepEqual([code, stderr], [0, []]);
    const { ok, findings } = JSON.parse(stdout);
    assert.deepEqual([ok, findings.length, findings[0].severity], [true, 1, "warning"]);
  }));

Deno.test("a broker runs with the permissions that config show prints, and with none less", () =>
  withDirectory(async (directory) => {
    const [port, other] = [freePort(), freePort()];
    const passwords = `${directory}/passwords`;
    await run("passwd", "-c", "-b", "-H", "argon2id", passwords, "joe", "secret");
    write(`${directory}/acl`, ["topic #", "user joe", "topic #"]);
    const file = `${directory}/a.conf`;
    const lines = [
      ...[...persistent(directory), "user root", `pid_file ${directory}/pid`],
      ...[`log_dest file ${directory}/log`, "log_dest stderr"],
      ...[`password_file ${passwords}`, `acl_file ${directory}/acl`],
      ...[`admin_listener ${freePort()}`, `listener ${other} ::1`],
    ];
    Deno.writeTextFileSync(file, configurationText(port, lines));
    const shown = await run("config", "show", "--json", "-c", file);
    assert.equal(shown.code, 0);
    const [, , ...words]: string[] = JSON.parse(shown.stdout).command;
    const flags = words.filter((word) => word.startsWith("--allow-"));
    assert(!flags.some((flag) => /^--allow-(read|write|net|env|sys|run|all)$/.test(flag)));
    {
      await using broker = BrokerProcess.spawn({
        port,
        permissions: ["--no-prompt", ...flags],
        args: ["-c", file],
      });
      await broker.line(/ running$/);
      await using client = await TcpClient.connect(port, 4, {
        clientId: "joe",
        clean: false,
        userName: "joe",
        password: "secret",
      });
      void client.send(publish(4, { topic: "a", payload: "b", qos: 1, retain: true }));
      await client.next("puback");
      assert.equal(await broker.end(), 0);
      broker.assertNoDefect();
    }
    // Run is for a damaged store only.
    for (const flag of flags.filter((flag) => !flag.startsWith("--allow-run"))) {
      const fewer = flags.filter((kept) => kept !== flag);
      await using broker = BrokerProcess.spawn({
        port,
        permissions: ["--no-prompt", ...fewer],
        args: ["-c", file],
      });
      assert.notEqual(await broker.exitStatus(), 0, `it runs without ${flag}`);
    }
  }));

Deno.test("values are filled in from the environment with --expand-env only", () =>
  withDirectory(async (directory) => {
    const file = write(`${directory}/a.conf`, ["listener 1883", "max_keepalive ${SECONDS_UNSET}"]);
    for (const command of [["-c", file, "--test-config"], ["check-config", file]]) {
      const plain = await run(...command);
      assert.equal(plain.code, 3);
      assert.match(plain.stderr.join("\n"), /^Error: 'max_keepalive' value not a number\.$/m);
      const expanded = await run(...command, "--expand-env");
      assert.equal(expanded.code, 3);
      assert.match(
        expanded.stderr.join("\n"),
        /^Error: Environment variable 'SECONDS_UNSET' is not/m,
      );
    }
    write(file, ["listener 1883", "auto_id_prefix ${HOME}"]);
    const shown = await run("config", "show", "--expand-env", "-c", file);
    assert.equal(shown.code, 0);
    assert.match(shown.stdout, /^auto_id_prefix \$\{HOME\} +# .*a\.conf:2$/m);
  }));

Deno.test("acl explain reads the ACL files of the configuration", () =>
  withDirectory(async (directory) => {
    write(`${directory}/acl`, ["user joe", "topic read a/#"]);
    const file = write(`${directory}/a.conf`, ["listener 1883", `acl_file ${directory}/acl`]);
    const question = ["--user", "joe", "--clientid", "c", "--topic", "a/b"];
    const read = await run("acl", "explain", "-c", file, ...question, "--action", "read");
    assert.equal(read.code, 0);
    assert.match(read.stdout, /^allowed.*acl:2/m);
    const write_ = await run("acl", "explain", "-c", file, ...question, "--action", "write");
    assert.match(write_.stdout, /^denied/m);
  }));
