import assert from "node:assert/strict";
import { BY_MOSQUITTO, PASSWORD, SHA512_ENTRY } from "../access/password_entries.ts";
import { BrokerProcess, freePort, withDirectory } from "../support/broker_process.ts";

Deno.test("guessing passwords by the HTTP API is slowed down as by MQTT, and stands in the log", () =>
  withDirectory(async (directory) => {
    const file = `${directory}/passwords`;
    Deno.writeTextFileSync(file, `${BY_MOSQUITTO[0][1]}\n${SHA512_ENTRY}\n`, { mode: 0o600 });
    const port = freePort();
    await using broker = await BrokerProcess.start(directory, {
      configuration: [
        `listener ${port} 127.0.0.1`,
        "protocol http_api",
        `password_file ${file}`,
        "login_failures_per_minute 5",
        "user root",
      ],
    });
    const ask = async (userName: string, password: string) => {
      const answer = await fetch(`http://127.0.0.1:${port}/api/v1/version`, {
        headers: { Authorization: `Basic ${btoa(`${userName}:${password}`)}` },
      });
      await answer.body?.cancel();
      return answer.status;
    };
    const good = new TextDecoder().decode(PASSWORD);
    assert.equal(await ask("alice", good), 200);
    const statuses: number[] = [];
    for (let guess = 0; guess < 20; guess++) statuses.push(await ask("alice", `${guess}`));
    assert.deepEqual(statuses.slice(0, 5), [401, 401, 401, 401, 401]);
    assert.equal(statuses.at(-1), 429);
    assert.equal(await ask("bob", good), 200, "others do not wait");
    await broker.line(/Client http-api \[127\.0\.0\.1:\d+\] disconnected: not authorised\.$/);
    broker.assertNoDefect();
    assert.equal(await broker.end(), 0);
  }));
