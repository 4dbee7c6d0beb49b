import assert from "node:assert/strict";
import { type Arguments, parseArguments, USAGE } from "../../src/config/arguments.ts";

const none = { ports: [], verbose: false, quiet: false };
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
  ["-p 1 --port 65535 -q", { action: "run", ports: [1, 65_535], verbose: false, quiet: true }],
  ["-v --quiet --verbose", { action: "run", ports: [], verbose: true, quiet: true }],
  ["-d", { action: "run", ...none, daemon: true }],
  ["-c a.conf --daemon", { action: "run", ...none, file: "a.conf", daemon: true }],
  ["-h", { action: "help" }],
  ["-v --help", { action: "help" }],
  ["--version", { action: "version" }],
  ["-c a.conf --version -x", { action: "version" }],
  ["-c a.conf --test-config", { action: "check", ...none, file: "a.conf" }],
  ["--test-config -c a.conf", { action: "check", ...none, file: "a.conf" }],
  ["check-config a.ini", { action: "check", ...none, file: "a.ini" }],
  ["check-config -c a.ini", { action: "check", ...none, file: "a.ini" }],
  ["check-config --config-file a.ini", { action: "check", ...none, file: "a.ini" }],
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
  ["--tls-keylog a", refusal("Error: --tls-keylog is not supported yet.")],
];
for (const [line, expected] of CASES) {
  Deno.test(`the command line '${line}' means ${expected.action}`, () => {
    assert.deepEqual(parseArguments(line === "" ? [] : line.split(" ")), expected);
  });
}

Deno.test("the usage names every option that is taken", () => {
  for (
    const option of ["-c", "-h", "-p", "-q", "-v", "--test-config", "--version", "check-config"]
  ) {
    assert(USAGE.includes(option), option);
  }
});
