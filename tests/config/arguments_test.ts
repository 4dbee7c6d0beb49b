import assert from "node:assert/strict";
import { type Arguments, parseArguments, USAGE } from "../../src/config/arguments.ts";

const none = { ports: [], verbose: false, quiet: false, expandEnv: false };
const examine = { action: "examine", file: "a.ini", json: false, expandEnv: false } as const;
const refusal = (message: string, showUsage = false): Arguments => ({
  action: "refuse",
  message,
  showUsage,
});

/** Command lines and what they ask for. */
const CASES: [string, Arguments][] = [
  ["", { action: "run", ...none }],
  ["-c a.conf", { action: "run", ...none, file: "a.conf" }],
  ["--config-file a.conf -v", { action: "run", ...none, file: "a.conf", verbose: true }],
  ["-p 1 --port 65535 -q", { action: "run", ...none, ports: [1, 65_535], quiet: true }],
  ["-v --quiet --verbose", { action: "run", ...none, verbose: true, quiet: true }],
  ["-d", { action: "run", ...none, daemon: true }],
  ["-c a.conf --daemon", { action: "run", ...none, file: "a.conf", daemon: true }],
  ["-h", { action: "help" }],
  ["-v --help", { action: "help" }],
  ["--version", { action: "version" }],
  ["-c a.conf --version -x", { action: "version" }],
  ["-c a.conf --test-config", { action: "check", ...none, file: "a.conf" }],
  ["--test-config -c a.conf", { action: "check", ...none, file: "a.conf" }],
  ["check-config a.ini", examine],
  ["check-config -c a.ini", examine],
  ["check-config --config-file a.ini", examine],
  ["check-config --json --expand-env a.ini", { ...examine, json: true, expandEnv: true }],
  ["check-config a.ini --json", { ...examine, json: true }],
  ["-c a.conf --expand-env", { action: "run", ...none, file: "a.conf", expandEnv: true }],
  ["config show", { action: "show", ...none, json: false }],
  ["config show --json -c a.conf -p 5 -v", {
    action: "show",
    ...none,
    ports: [5],
    verbose: true,
    file: "a.conf",
    json: true,
  }],
  ["config show -d", refusal("Error: Unknown option '-d'.", true)],
  ["config", refusal("Error: Unknown option 'config'.", true)],
  ["--json", refusal("Error: Unknown option '--json'.", true)],
  ["passwd -c -h", { action: "passwd", words: ["-c", "-h"] }],
  ["acl explain --user u --expand-env", {
    action: "explain",
    words: ["--user", "u"],
    expandEnv: true,
  }],
  ["check-config --help", { action: "help" }],
  ["check-config", refusal("Please provide a configuration file to test.")],
  ["check-config -c", refusal("Error: -c argument given, but no config file specified.")],
  ["check-config a b", refusal("Error: Unknown option 'b'.", true)],
  ["check-config -x", refusal("Error: Unknown option '-x'.", true)],
  ["--test-config", refusal("Please provide a configuration file to test.")],
  ["-x", refusal("Error: Unknown option '-x'.", true)],
  ["file.conf", refusal("Error: Unknown option 'file.conf'.", true)],
  ["-c", refusal("Error: -c argument given, but no config file specified.")],
  ["-c a -c b", refusal("Error: -c can be given once only.")],
  ["-p", refusal("Error: -p argument given, but no port specified.")],
  ["-p 0", refusal("Error: Invalid port specified (0).")],
  ["-p 65536", refusal("Error: Invalid port specified (65536).")],
  ["-p x", refusal("Error: Invalid port specified (x).")],
  [
    "-p 1 ".repeat(11).trim(),
    refusal("Error: Only 10 ports can be specified on the command line."),
  ],
  ["--tls-keylog", refusal("Error: --tls-keylog argument given, but no file specified.")],
  ["--tls-keylog a", { action: "run", ...none, tlsKeylog: "a" }],
];
for (const [line, expected] of CASES) {
  Deno.test(`the command line '${line}' means ${expected.action}`, () => {
    assert.deepEqual(parseArguments(line === "" ? [] : line.split(" ")), expected);
  });
}

Deno.test("the usage names every option that is taken", () => {
  for (
    const option of [
      ...["-c", "-d", "-h", "-p", "-q", "-v", "--expand-env", "--test-config", "--tls-keylog"],
      ...["--version", "check-config", "config show", "passwd", "acl explain", "--json"],
    ]
  ) {
    assert(USAGE.includes(option), option);
  }
});
