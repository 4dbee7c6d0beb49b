/** Topic Names and Topic Filters: MQTT 5.0 section 4.7. */
import assert from "node:assert/strict";
import { conformance } from "../support/conformance.ts";
import { heard } from "../support/exchange.ts";
import { hex, publish, subscribe, unsubscribe } from "../support/packets.ts";
import { World } from "../support/world.ts";

/** Whether a message of that name reaches that filter: live, retained, and in a shared subscription. */
function assertMatches(filter: string, name: string, matches: boolean): void {
  const world = new World();
  const payload = new Uint8Array(1);
  const get = (filter: string, clientId: string) => {
    const client = world.connect(5, { clientId });
    client.subscribe(filter);
    return client;
  };
  const live = get(filter, "live"), shared = get(`$share/g/${filter}`, "shared");
  world.broker.publishMessage({ topic: name, payload, retain: true });
  world.run();
  const late = world.connect(5, { clientId: "late" });
  late.send(subscribe(5, { filters: [[filter, 0]] }));
  for (const client of [live, shared, late]) {
    const topics = client.receiveOf("publish").map(({ topic }) => topic);
    assert.deepEqual(topics, matches ? [name] : [], `${filter} and ${name}`);
  }
}

/** Filter, the names it matches, the names it does not. */
const matching: [filter: string, matches: string[], others: string[]][] = [
  ["sport/tennis/player1/#", [
    "sport/tennis/player1",
    "sport/tennis/player1/ranking",
    "sport/tennis/player1/score/wimbledon",
  ], ["sport/tennis", "sport/tennis/player10", "sport/tennis/player"]],
  ["sport/#", ["sport", "sport/", "sport//"], ["sports", "/sport"]],
  ["#", ["a", "/", "a/b/c", "//", " "], ["$SYS/a", "$x", "$"]],
  ["sport/tennis/+", ["sport/tennis/player1", "sport/tennis/"], [
    "sport/tennis",
    "sport/tennis/player1/ranking",
  ]],
  ["sport/+", ["sport/"], ["sport"]],
  ["+", ["finance", " "], ["/finance", "$x", "$SYS"]],
  ["+/+", ["/finance", "a/b", "/"], ["finance", "$SYS/a"]],
  ["/+", ["/finance", "/"], ["finance", "/a/b"]],
  ["+/tennis/#", ["a/tennis", "/tennis/b/c"], ["tennis", "$a/tennis"]],
  ["sport/+/player1", ["sport//player1", "sport/a/player1"], [
    "sport/player1",
    "sport/a/b/player1",
  ]],
  ["+/monitor/Clients", ["a/monitor/Clients"], ["$SYS/monitor/Clients"]],
  ["$SYS/#", ["$SYS", "$SYS/a/b"], ["SYS/a", "$SYSTEM"]],
  ["$SYS/monitor/+", ["$SYS/monitor/Clients"], ["$SYS/monitor", "$SYS/monitor/a/b"]],
  ["$x/+/#", ["$x/a", "$x/a/b"], ["$x", "x/a"]],
  ["a/+", ["a/$b"], []],
  ["a/#", ["a/$b", "a/$SYS/c"], []],
  ["a//b", ["a//b"], ["a/b", "a///b"]],
  ["a", ["a"], ["a/", "/a", "A", "a "]],
];

conformance(
  ["MQTT-4.7.1-1", "MQTT-4.7.1-2"],
  "wildcards match whole levels, # the parent too",
  () => {
    for (const [filter, matches, others] of matching) {
      for (const name of matches) assertMatches(filter, name, true);
      for (const name of others) assertMatches(filter, name, false);
    }
  },
);

conformance(
  "MQTT-4.7.2-1",
  "a filter that begins with a wildcard matches no topic that begins with $, and other filters do",
  () => {
    for (const name of ["$SYS/a", "$SYS", "$other/a/b", "$"]) {
      for (const filter of ["#", "+/#", "+", "+/a", "+/+", "+/+/+", "+/a/+"]) {
        assertMatches(filter, name, false);
      }
      assertMatches(name, name, true);
      assertMatches(`${name}/#`, name, true);
    }
  },
);

conformance(
  ["MQTT-4.7.1-1", "MQTT-4.7.1-2"],
  "a wildcard beside other characters, or # before the end, makes no filter",
  () => {
    const bad = [
      "sport/tennis#",
      "sport/#/ranking",
      "#/",
      "##",
      "#+",
      "sport+",
      "+a/b",
      "a/b+",
      "++",
    ];
    for (const version of [3, 4, 5] as const) {
      for (const filter of bad) {
        for (
          const send of [
            subscribe(version, { filters: [[filter, 0]] }),
            subscribe(version, { filters: [["good", 0], [filter, 0]] }),
            unsubscribe(version, { filters: [filter] }),
          ]
        ) {
          const client = new World().connect(version).send(send);
          assert.deepEqual(heard(client), version === 5 ? ["DISCONNECT 0x81"] : [], filter);
          client.expectClosed();
        }
      }
    }
  },
);

conformance("MQTT-4.7.0-1", "wildcards stand in filters, never in names", () => {
  for (const version of [3, 4, 5] as const) {
    for (const topic of ["#", "+", "a/#", "a/+/b", "a+", "a#b", "+a"]) {
      const client = new World().connect(version).send(publish(version, { topic }));
      assert.deepEqual(heard(client), version === 5 ? ["DISCONNECT 0x81"] : [], topic);
      client.expectClosed();
    }
  }
});

conformance(
  ["MQTT-4.7.3-1", "MQTT-4.7.3-2"],
  "names and filters have at least one character and no U+0000",
  () => {
    for (const version of [3, 4, 5] as const) {
      for (const text of ["", hex("00"), hex("61 00"), hex("61 2f 00 2f 62")]) {
        for (
          const send of [
            publish(version, { topic: text }),
            subscribe(version, { filters: [[text, 0]] }),
            unsubscribe(version, { filters: [text] }),
          ]
        ) {
          const client = new World().connect(version).send(send);
          assert.deepEqual(heard(client), version === 5 ? ["DISCONNECT 0x81"] : [], `${text}`);
          client.expectClosed();
        }
      }
    }
  },
);

conformance(
  "MQTT-4.7.3-3",
  "names and filters of 65,535 bytes are used whole, and differ in their last byte",
  () => {
    const client = new World().connect(5);
    const start = "ü".repeat(32_767);
    client.subscribe(`${start}a`);
    for (const end of ["a", "b"]) {
      client.publish({ topic: start + end, qos: 1 });
      const [first, second] = client.receive();
      if (end === "a") {
        assert.equal(first.topic, `${start}a`);
        assert.deepEqual([second.type, second.reason], ["puback", 0]);
      } else assert.deepEqual([first.type, first.reason], ["puback", 0x10]);
    }
  },
);

conformance("MQTT-4.7.3-3", "200 slashes are allowed, 201 are too many", () => {
  for (const version of [4, 5] as const) {
    const client = new World().connect(version);
    const deep = "/".repeat(200);
    client.subscribe(deep);
    client.publish({ topic: deep });
    assert.equal(client.expect("publish").topic, deep);
    client.publish({ topic: deep + "/" });
    assert.deepEqual(heard(client), version === 5 ? ["DISCONNECT 0x81"] : []);
    client.expectClosed();
  }
});

conformance(
  "MQTT-4.7.3-4",
  "matching compares characters: no case, no form, no blank, no slash is taken for another",
  () => {
    const names = [
      "ACCOUNTS",
      "Accounts",
      "caf\u00e9",
      "cafe\u0301",
      "\ufeffAccounts",
      "Accounts ",
      "Accounts payable",
      "/Accounts",
      "Accounts/",
      "\u212b",
      "\u00c5",
      "constructor",
      "__proto__",
      "\u{1f600}",
    ];
    const client = new World().connect(5);
    for (const filter of names) client.subscribe(filter);
    for (const name of names) {
      client.publish({ topic: name });
      assert.deepEqual(client.receive().map(({ topic }) => topic), [name]);
    }
    client.send(unsubscribe(5, { filters: ["Accounts"] }));
    heard(client);
    client.publish({ topic: "Accounts" });
    assert.deepEqual(heard(client), []);
    client.publish({ topic: "ACCOUNTS" });
    assert.equal(client.receive().length, 1);
  },
);
