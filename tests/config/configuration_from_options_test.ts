import assert from "node:assert/strict";
import { configurationFromOptions } from "../../src/config/configuration_from_options.ts";
import { ConfigurationError } from "../../src/mistake.ts";
import type { BrokerOptions } from "../../src/config/options.ts";

Deno.test("an embedded broker has no listener and keeps nothing unless asked", () => {
  const { global, listeners, localOnly } = configurationFromOptions({});
  assert.deepEqual(listeners, []);
  assert.equal(localOnly, false);
  assert.equal(global.persistence, false);
  assert.equal(global.adminListener, null);
  assert.equal(global.maxInflightMessages, 20);
});

Deno.test("options are taken in camel case with the types of the table", () => {
  const options = {
    maxInflightMessages: 5,
    persistenceLocation: "/a b",
    persistentClientExpiration: 60,
    allowAnonymous: true,
    durability: "async",
    logType: ["error", "debug"],
    logDest: [],
    adminListener: { port: 0 },
    listeners: [{ port: 0 }, {
      port: 1884,
      address: "::1",
      maxQos: 1,
      acceptProtocolVersions: [5, 4],
    }],
  } as const satisfies BrokerOptions;
  const { global, listeners, origins } = configurationFromOptions(options);
  assert.equal(global.maxInflightMessages, 5);
  assert.equal(global.persistenceLocation, "/a b");
  assert.equal(global.persistentClientExpiration, 60);
  assert.equal(global.allowAnonymous, true);
  assert.equal(global.durability, "async");
  assert.deepEqual(global.logType, ["error", "debug"]);
  assert.deepEqual(global.logDest, []);
  assert.deepEqual(global.adminListener, { port: 0, address: "127.0.0.1" });
  assert.deepEqual(listeners.map(({ port, address, maxQos }) => [port, address, maxQos]), [
    [0, null, 2],
    [1884, "::1", 1],
  ]);
  assert.deepEqual(listeners[1].acceptProtocolVersions, [4, 5]);
  assert.equal(origins.get("max_inflight_messages"), "options");
  assert.equal(origins.get("sys_interval"), "default");
});

Deno.test("values that stand for none are taken back as they are given out", () => {
  const { global } = configurationFromOptions({});
  assert.deepEqual(configurationFromOptions(global).global, global);
});

/** Options that no type forbids at run time, and the message. */
const MISTAKES: [unknown, string][] = [
  [
    { maxInflight: 3, sysIntervall: 3 },
    "Unknown option 'maxInflight'.\n" +
    "Unknown option 'sysIntervall'. (did you mean 'sysInterval'?)",
  ],
  [{ sysInterval: 70_000 }, "Invalid 'sysInterval' value (70000). (0 to 65535)"],
  [{ user: "nobody" }, "'user' is for a process of the broker's own."],
  [{ pidFile: "/run/pid" }, "'pidFile' is for a process of the broker's own."],
  [{ sysInterval: "3" }, "Invalid 'sysInterval' value (3)."],
  [{ sysInterval: 1.5 }, "Invalid 'sysInterval' value (1.5)."],
  [{ sysInterval: NaN }, "Invalid 'sysInterval' value (NaN)."],
  [{ persistence: 1 }, "Invalid 'persistence' value (1)."],
  [{ persistence: null }, "Invalid 'persistence' value (null)."],
  [
    { persistentClientExpiration: -1 },
    "Invalid 'persistentClientExpiration' duration in configuration. " +
    "(write a number and s, h, d, w, m (30 days) or y, for example 14d)",
  ],
  [{ durability: "none" }, "Invalid 'durability' value (none). (one of: sync, async, autosave)"],
  [{ logType: "error" }, "Invalid 'logType' value (error)."],
  [{ logType: [{}] }, "Invalid 'logType' value (an object)."],
  [{ adminListener: { port: -1 } }, "Invalid 'adminListener' value (an object)."],
  [
    { adminListener: { port: 0, address: "0.0.0.0" } },
    "The 'admin_listener' option needs 'admin_token' at the address 0.0.0.0. " +
    "(without a token it can listen on 127.0.0.1 or ::1 only)",
  ],
  [{ listeners: 1883 }, "Invalid 'listeners' value: an array is expected."],
  [{ listeners: [1883] }, "Invalid 'listeners' value: each is an object with a port."],
  [{ listeners: [{}] }, "Invalid 'port' value (undefined). (0 to 65535)"],
  [{ listeners: [{ port: 1, address: 3 }] }, "Invalid 'address' value (3)."],
  [{ listeners: [{ port: 1, maxQos: 3 }] }, "'maxQos' must be between 0 and 2 inclusive. (0 to 2)"],
  [
    { listeners: [{ port: 1, acceptProtocolVersions: [6] }] },
    "Invalid 'acceptProtocolVersions' value (an object).",
  ],
  [
    { listeners: [{ port: 1, acceptProtocolVersions: [] }] },
    "Empty 'acceptProtocolVersions' value in configuration.",
  ],
];
for (const [options, message] of MISTAKES) {
  Deno.test(`options are refused: ${message.slice(0, 60)}`, () => {
    assert.throws(() => configurationFromOptions(options as BrokerOptions), (error) => {
      assert(error instanceof ConfigurationError);
      assert.equal(error.message, message);
      return true;
    });
  });
}
