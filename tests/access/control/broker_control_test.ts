import assert from "node:assert/strict";
import { BrokerControl } from "../../../src/access/control/broker_control.ts";
import { identity } from "../dynamic_security/support.ts";

const description = {
  plugins: [
    { name: "dynamic-security", controlEndpoints: ["$CONTROL/dynamic-security/v1"] },
    { name: "other", version: "1.2", port: 1884, controlEndpoints: [] },
  ],
  listeners: [
    { port: 1883, protocol: "mqtt" as const, tls: false, bindAddress: "127.0.0.1" },
    { port: 0, protocol: "mqtt+websockets" as const, tls: true, socketPath: "/run/x" },
    { port: 8080, protocol: undefined, tls: false },
  ],
};

/** Requests and answers of Mosquitto 2.1. */
const answers: [request: string, responses: object[]][] = [
  ["not valid json", [{ command: "Unknown command", error: "Payload not valid JSON" }]],
  ["\xff", [{ command: "Unknown command", error: "Payload not valid JSON" }]],
  ["{}", [{ command: "Unknown command", error: "Invalid/missing commands" }]],
  ["[]", [{ command: "Unknown command", error: "Invalid/missing commands" }]],
  ["null", [{ command: "Unknown command", error: "Invalid/missing commands" }]],
  ['{"commands":["command"]}', [{ command: "Unknown command", error: "Command not an object" }]],
  ['{"commands":[{}]}', [{ command: "Unknown command", error: "Missing command" }]],
  ['{"commands":[{"command":1}]}', [{ command: "Unknown command", error: "Missing command" }]],
  ['{"commands":[{"command":"unknown command","correlationData":"c"}]}', [
    { command: "unknown command", error: "Unknown command", correlationData: "c" },
  ]],
  ['{"commands":[{"command":"listListeners","correlationData":true}]}', [
    { command: "listListeners", error: "Invalid correlationData data type." },
  ]],
  ['{"commands":[{"command":"listPlugins","correlationData":"c"}]}', [{
    command: "listPlugins",
    data: {
      plugins: [
        { name: "dynamic-security", "control-endpoints": ["$CONTROL/dynamic-security/v1"] },
        { name: "other", version: "1.2", port: 1884, "control-endpoints": [] },
      ],
    },
    correlationData: "c",
  }]],
  ['{"commands":[{"command":"LISTLISTENERS"},{"command":"x"},1,{"command":"y"}]}', [
    {
      command: "listListeners",
      data: {
        listeners: [
          { port: 1883, protocol: "mqtt", "bind-address": "127.0.0.1", tls: false },
          { port: 0, protocol: "mqtt+websockets", "socket-path": "/run/x", tls: true },
          { port: 8080, tls: false },
        ],
      },
    },
    { command: "x", error: "Unknown command" },
    { command: "Unknown command", error: "Command not an object" },
  ]],
];

Deno.test("the broker tells of its plugins and listeners, and what is wrong with a request", () => {
  const lines: string[] = [];
  const control = new BrokerControl(
    () => description,
    (type, text) => lines.push(`${type}: ${text}`),
  );
  for (const [request, responses] of answers) {
    const payload = Uint8Array.from(request, (character) => character.charCodeAt(0));
    const answer = control.handle(payload, identity(undefined, "admin\n"));
    assert.equal(answer, JSON.stringify({ responses }), request);
  }
  assert.deepEqual(lines, [
    "information: Broker: admin?/(null) | listPlugins",
    "information: Broker: admin?/(null) | listListeners",
  ]);
});

Deno.test("of ten thousand commands in one request no more are done", () => {
  let lines = 0;
  const control = new BrokerControl(() => description, () => lines++);
  const commands = Array(10_500).fill({ command: "listPlugins" });
  const payload = new TextEncoder().encode(JSON.stringify({ commands }));
  const { responses } = JSON.parse(control.handle(payload, identity(undefined)));
  assert.equal(lines, 10_000);
  assert.deepEqual(responses.slice(10_000), [
    { command: "Unknown command", error: "Too many commands" },
  ]);
});
