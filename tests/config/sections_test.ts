import assert from "node:assert/strict";
import { configurationFromOptions } from "../../src/config/configuration_from_options.ts";
import type { Configuration } from "../../src/config/configuration.ts";
import type { BrokerOptions } from "../../src/config/options.ts";
import { load, mistakesIn } from "./support.ts";

const BRIDGES = "connection one\naddress h\ntopic #\nremote_clientid r\n" +
  "listener 1\nconnection two\naddresses i:5 j\ntopic a out 1\ntopic b in\ntopic a out 1\n" +
  "cleansession true\nclientid s\n";

Deno.test("a bridge has what follows its connection line, whatever listener stands between", () => {
  const { bridges, notices, origins } = load({ "a.conf": BRIDGES });
  assert.deepEqual(
    bridges.map(({ name, address, topic, remoteClientid, localCleansession }) => [
      name,
      address.map(({ address, port }) => `${address} ${port}`),
      topic.map(({ pattern, direction }) => `${pattern} ${direction}`),
      remoteClientid,
      localCleansession,
    ]),
    [
      ["one", ["h 1883"], ["# out"], "r", false],
      ["two", ["i 5", "j 1883"], ["a out", "b in"], "s", true],
    ],
  );
  assert.equal(bridges[1].place.line, 6);
  assert.equal(bridges[1].places.get("topic")?.line, 9);
  assert.equal(origins.get("bridge[1].address"), "a.conf:7");
  assert(notices.includes("Duplicate 'topic' line, skipping. (a.conf:10)"));
});

Deno.test("INI has a section for each bridge", () => {
  const { bridges } = load({
    "a.ini": '[bridge one]\naddress = h\ntopic[] = "#"\n' +
      "topic[] = '\"a b\" in 1'\ntopic[] = '\"\" out 0 l r'\nlocal_cleansession = true\n",
  });
  assert.deepEqual(bridges[0].topic.map(({ pattern, localPrefix }) => [pattern, localPrefix]), [
    ["#", ""],
    ["a b", ""],
    ["", "l"],
  ]);
  assert.equal(bridges[0].localCleansession, true);
});

/** Texts and the mistakes that only the whole shows. */
const RELATIONS: [string, string, string[]][] = [
  ["a bridge without address", "connection c\ntopic #", [
    "1: Invalid bridge configuration: no remote addresses defined.",
  ]],
  ["a bridge without topics", "connection c\naddress h", [
    "1: Invalid bridge configuration: no topics defined.",
  ]],
  ["a bridge without name", "connection\naddress h", [
    "1: Empty 'connection' value in configuration.",
  ]],
  ["two bridges of one name", "connection c\naddress h\ntopic #\nconnection c\naddress i", [
    "4: Duplicate bridge name 'c'.",
  ]],
  ["two addresses lines", "connection c\naddress h\naddress i\ntopic #", [
    "3: Invalid bridge configuration, 'address' only allowed once.",
  ]],
  [
    "two bridges of one local id",
    "connection c\naddress h\ntopic #\nremote_clientid r\n" +
    "connection d\naddress h\ntopic #\nlocal_clientid local.r",
    [
      "8: Bridge local_clientid 'local.r' is not unique. Try changing or setting the local_clientid value for one of the bridges.",
    ],
  ],
  ["a key without identity", "connection c\naddress h\ntopic #\nbridge_psk 00", [
    "4: Invalid bridge configuration: missing bridge_identity.",
  ]],
  ["an identity without key", "connection c\naddress h\ntopic #\nbridge_identity i", [
    "4: Invalid bridge configuration: missing bridge_psk.",
  ]],
  [
    "key and certificate in a bridge",
    "connection c\naddress h\ntopic #\nbridge_psk 00\nbridge_identity i\nbridge_cafile f",
    ["6: 'bridge_cafile': Cannot use both certificate and psk encryption in a single bridge."],
  ],
  ["a certificate without key", "listener 1\ncertfile c", [
    "2: Both certfile and keyfile must be provided to enable a TLS listener.",
  ]],
  ["authorities without certificate", "listener 1\ncapath c", [
    "2: capath specified without certfile and keyfile.",
  ]],
  ["certificate and hint", "listener 1\ncertfile c\nkeyfile k\npsk_hint h", [
    "4: Cannot use both certificate and psk encryption in a single listener.",
  ]],
  ["PROXY 2 with a certificate", "listener 1\nenable_proxy_protocol 2\ncertfile c\nkeyfile k", [
    "3: certfile and keyfile cannot be used with `enable_proxy_protocol 2`.",
  ]],
  [
    "PROXY 2 with the subject as user name",
    "listener 1\nenable_proxy_protocol 2\nuse_subject_as_username true",
    ["3: use_subject_as_username cannot be used with `enable_proxy_protocol 2`."],
  ],
  ["PROXY 1 with a certificate", "listener 1\nenable_proxy_protocol 1\ncertfile c\nkeyfile k", []],
  ["per_listener_settings too late", "allow_anonymous true\nper_listener_settings true", [
    "2: per_listener_settings must be set before any other security settings.",
  ]],
  ["an access option before any listener", "per_listener_settings true\nacl_file a\nplugin p", [
    "2: The 'acl_file' option requires a listener to be defined first.",
    "3: The 'plugin' option requires a listener to be defined first.",
  ]],
  ["a plugin option without plugin", "plugin_opt_a b\nauth_plugin_deny_special_chars true", [
    "1: The 'plugin_opt_a' option requires plugin/global_plugin/plugin_load to be defined first.",
    "2: The 'auth_plugin_deny_special_chars' option requires plugin/global_plugin/plugin_load to be defined first.",
  ]],
  ["a plugin option without name or value", "plugin a.so\nplugin_opt_ x\nauth_opt_test", [
    "2: Invalid 'plugin_opt_' config option.",
    "3: Empty 'test' value in configuration.",
  ]],
  ["plugins without path", "plugin\nplugin_load n\nplugin_load\nplugin_opt_a b", [
    "1: Empty 'plugin' value in configuration.",
    "2: Missing plugin path for plugin name 'n'.",
    "3: Empty 'plugin_load' value in configuration.",
  ]],
  ["two plugins of one name", "plugin_load n a\nplugin_load n b", [
    "2: Duplicate plugin name 'n'.",
  ]],
];
for (const [what, text, expected] of RELATIONS) {
  Deno.test(`settings are looked at together: ${what}`, () => {
    if (expected.length === 0) load({ "a.conf": text });
    else assert.deepEqual(mistakesIn(text), expected);
  });
}

Deno.test("plugins have the settings below them, in order", () => {
  const { plugins, listeners } = load({
    "a.conf": "auth_plugin /a b.so\nplugin_opt_x 1 2\nauth_opt_x 3\n" +
      "plugin_load n /c.so\nglobal_plugin /d.so\nauth_plugin_deny_special_chars true\n" +
      "listener 1\nplugin_use n\nplugin_opt_y 4\n",
  });
  assert.deepEqual(
    plugins.map(({ kind, path, name, listener, options, denySpecialChars }) => [
      kind,
      path,
      name,
      listener,
      options,
      denySpecialChars,
    ]),
    [
      ["plugin", "/a b.so", null, null, [["x", "1 2"], ["x", "3"]], false],
      ["plugin_load", "/c.so", "n", null, [["y", "4"]], false],
      ["global_plugin", "/d.so", null, null, [], true],
    ],
  );
  assert.deepEqual(listeners[0].pluginUse, ["n"]);
});

Deno.test("INI takes plugins line by line, too", () => {
  const { plugins } = load({
    "a.ini": "plugin = a.so\nplugin_opt_x = 1\nplugin_opt_y = 2\nplugin = b.so\nplugin_opt_x = 3",
  });
  assert.deepEqual(plugins.map(({ path, options }) => [path, options]), [
    ["a.so", [["x", "1"], ["y", "2"]]],
    ["b.so", [["x", "3"]]],
  ]);
});

/** What each listener makes of the access options. */
function accessOf({ listeners }: Configuration): unknown[] {
  return listeners.map((one) => [
    one.hasOwnAccess,
    one.allowAnonymous,
    one.allowZeroLengthClientid,
    one.autoIdPrefix,
    one.passwordFile,
    one.aclFile,
  ]);
}

Deno.test("without per_listener_settings access options hold for all listeners", () => {
  const configuration = load({
    "a.conf": "listener 1\npassword_file p\nlistener 2\nallow_anonymous true\nauto_id_prefix x\n" +
      "listener_allow_anonymous false\nlistener_auto_id_prefix y\nallow_zero_length_clientid false\n",
  });
  assert.deepEqual(accessOf(configuration), [
    [false, true, false, "x", "p", ""],
    [false, false, false, "y", "p", ""],
  ]);
  assert.equal(configuration.origins.get("listener[0].password_file"), "a.conf:2");
  assert.equal(configuration.origins.get("listener[1].allow_anonymous"), "a.conf:6");
});

Deno.test("with per_listener_settings each listener has its own", () => {
  const configuration = load({
    "a.conf": "per_listener_settings true\nlistener 1\npassword_file p\nplugin a.so\n" +
      "listener 2\nper_listener_settings false\nallow_anonymous true\nauto_id_prefix x\nacl_file a\n",
  });
  assert.deepEqual(accessOf(configuration), [
    [true, false, true, "auto-", "p", ""],
    [true, true, true, "x", "", "a"],
  ]);
  assert.deepEqual(configuration.plugins.map(({ listener }) => listener), [0]);
  assert.equal(configuration.origins.get("listener[1].acl_file"), "a.conf:9");
  assert(
    configuration.notices.some((notice) => /replace.*'listener_allow_anonymous'/.test(notice)),
  );
});

Deno.test("per_listener_settings in INI lets sections have access options", () => {
  const configuration = load({
    "a.ini": "per_listener_settings = true\n[listener a]\nport = 1\npassword_file = p\n" +
      "plugin = a.so\nplugin_opt_k = v\n[listener b]\nport = 2\nallow_anonymous = true\n",
  });
  assert.deepEqual(accessOf(configuration), [
    [true, false, true, "auto-", "p", ""],
    [true, true, true, "auto-", "", ""],
  ]);
  assert.deepEqual(configuration.plugins.map(({ listener, options }) => [listener, options]), [
    [0, [["k", "v"]]],
  ]);
});

Deno.test("a listener can be a Unix domain socket", () => {
  for (
    const texts of [
      { "a.conf": "listener 0 /run/s # here\nlistener 1 ::1\n" },
      {
        "a.ini":
          "[listener a]\nport = 0\nbind_address = /run/s\n[listener b]\nport=1\nbind_address=::1",
      },
    ]
  ) {
    const { listeners } = load(texts as unknown as Record<string, string>);
    assert.deepEqual(listeners.map(({ port, address, unixPath }) => [port, address, unixPath]), [
      [0, null, "/run/s"],
      [1, "::1", null],
    ]);
  }
});

Deno.test("an embedding program gives bridges as objects", () => {
  const options: BrokerOptions = {
    bridges: [{
      name: "a",
      address: [{ address: "::1", port: 5 }],
      topic: [{ pattern: "a b/#" }, { pattern: "", localPrefix: "l", remotePrefix: "r", qos: 2 }],
      remotePassword: "p",
      restartTimeout: { baseSeconds: 1, capSeconds: 2, stableSeconds: 3 },
    }],
  };
  assert.deepEqual(messagesOf(options), []);
  const wrong = {
    name: "a",
    address: [{ address: "h", port: 70_000 }],
    topic: [{ pattern: "#/" }],
  };
  assert.deepEqual(messagesOf({ bridges: [wrong] }), [
    "Invalid bridge port value (70000). (1 to 65535)",
    "Invalid bridge topic local prefix and pattern combination '#/'. (+ is a whole level, # the whole last one)",
    "Invalid bridge configuration: no remote addresses defined.",
    "Invalid bridge configuration: no topics defined.",
  ]);
  assert.deepEqual(messagesOf({ bridges: [{}, 3] } as unknown as BrokerOptions), [
    "Invalid 'name' value (undefined). (each bridge has a name)",
    "Invalid 'bridges' value: each is an object with a name.",
  ]);
});

/** The mistakes of options. */
function messagesOf(options: BrokerOptions): string[] {
  try {
    configurationFromOptions(options);
    return [];
  } catch (error) {
    assert(error instanceof Error);
    return error.message.split("\n");
  }
}
