import assert from "node:assert/strict";
import { examine } from "../../src/config/examination.ts";
import { type Finding, findingsToJson, formatFindings } from "../../src/config/finding.ts";
import { Authority, type Certificate } from "../support/certificates.ts";

/** Files in a directory of their own, which `@DIR@` in their texts stands for. */
class Files implements Disposable {
  readonly directory = Deno.makeTempDirSync();

  write(name: string, text: string, mode = 0o600): string {
    const path = `${this.directory}/${name}`;
    Deno.writeTextFileSync(path, text.replaceAll("@DIR@", this.directory), { mode });
    return path;
  }

  /** What is found in a configuration. */
  examine(text: string, name = "a.conf"): Finding[] {
    return examine({ file: this.write(name, text) });
  }

  [Symbol.dispose]() {
    Deno.removeSync(this.directory, { recursive: true });
  }
}

const shortened = (files: Files, findings: readonly Finding[]) =>
  findings.map(({ severity, file, line, message }) =>
    `${severity} ${file.replace(`${files.directory}/`, "")}:${line} ${message}`
      .replaceAll(`${files.directory}/`, "")
  );

const LISTENER = "listener 1883\nallow_anonymous true\n";

Deno.test("nothing is found in a good configuration", () => {
  using files = new Files();
  assert.deepEqual(files.examine(LISTENER), []);
});

Deno.test("the mistakes of all files are found at once, each with its place", () => {
  using files = new Files();
  files.write("passwords", "joe:$7$x\nbad\nann:plain\n");
  files.write("acl", "topic raed a/b\nuser x\ntopic read a/#/b\n");
  files.write("psk", "a:00zz\n");
  Deno.mkdirSync(`${files.directory}/d`);
  files.write("d/x.conf", "sys_intervall 3\n");
  const findings = files.examine(
    "listener 1883\npassword_file @DIR@/passwords\nacl_file @DIR@/acl\npsk_file @DIR@/psk\n" +
      "max_qeued_messages 5\ninclude_dir @DIR@/d\n",
  );
  const places = shortened(files, findings).map((text) => text.split(" ").slice(0, 2).join(" "));
  for (
    const place of [
      "mistake a.conf:5",
      "mistake d/x.conf:1",
      "mistake passwords:1",
      "warning passwords:2",
      "mistake passwords:3",
      "mistake acl:1",
      "mistake acl:3",
      "mistake psk:1",
    ]
  ) assert(places.includes(place), `${place} in\n${places.join("\n")}`);
});

/** Texts that name what is not there, and what is found. */
const MISSING: [string, string][] = [
  ["password_file @DIR@/none", 'mistake a.conf:3 Unable to open password_file "none".'],
  ["acl_file @DIR@/none", 'mistake a.conf:3 Unable to open acl_file "none".'],
  [
    "pid_file @DIR@/none/pid",
    "mistake a.conf:3 There is no directory for the file of 'pid_file': \"none/pid\".",
  ],
  [
    "log_dest file @DIR@/none/log",
    "mistake a.conf:3 There is no directory for the file of 'log_dest': \"none/log\".",
  ],
  ["http_dir @DIR@/none", 'mistake a.conf:3 Unable to open http_dir "none": it is no directory.'],
  ["crlfile @DIR@/none", 'mistake a.conf:3 Unable to open crlfile "none".'],
  ["listener 1883", "mistake a.conf:3 Two listeners on port 1883."],
  ["listener 1883 ::1", "warning a.conf:3 Port 1883 may be taken by another listener."],
  [
    "require_certificate true",
    "warning a.conf:3 No client can connect: 'require_certificate' needs 'cafile' or 'capath'.",
  ],
  [
    "use_identity_as_username true",
    "warning a.conf:3 'use_identity_as_username' has no effect without 'require_certificate true'.",
  ],
  ["psk_hint h", "warning a.conf:3 No client can connect: 'psk_hint' needs 'psk_file'."],
  [
    "log_timestamp_format ${WHERE}",
    "notice a.conf:3 What 'log_timestamp_format' has in '${…}' is filled in with --expand-env only.",
  ],
  ["maximum_qos 1", "notice a.conf:3 'maximum_qos' is an older name of 'max_qos'."],
  [
    "plugin @DIR@/none.ts",
    'mistake a.conf:3 Unable to open plugin "none.ts".',
  ],
  ["plugin other.so", 'mistake a.conf:3 Unable to load plugin "other.so".'],
  [
    "plugin mosquitto_acl_file.so\nplugin_opt_acl_file @DIR@/none",
    'mistake a.conf:3 Unable to open acl_file "none".',
  ],
  [
    "plugin mosquitto_password_file.so\nplugin_opt_password_file @DIR@/none",
    'mistake a.conf:3 Unable to open password_file "none".',
  ],
  [
    "plugin mosquitto_dynamic_security.so\nplugin_opt_config_file @DIR@",
    "mistake a.conf:3 Error loading Dynamic security plugin config: File is not readable.",
  ],
];
for (const [text, expected] of MISSING) {
  Deno.test(`a check finds what is wrong with: ${text}`, () => {
    using files = new Files();
    const found = shortened(files, files.examine(LISTENER + text));
    assert(found.includes(expected), found.join("\n"));
  });
}

Deno.test("certificates are read: whether they can be used, belong together and are in time", () => {
  using files = new Files();
  using authority = new Authority();
  const good = authority.issue("good");
  const other = authority.issue("other");
  const old = authority.issue("old", {
    notBefore: "20200101000000Z",
    notAfter: "20210101000000Z",
  });
  const find = ({ certfile, keyfile }: Certificate, further = "") =>
    files.examine(`${LISTENER}certfile ${certfile}\nkeyfile ${keyfile}\n${further}`)
      .map(({ severity, line, message }) => `${severity} ${line} ${message}`);
  assert.deepEqual(find(good).filter((text) => !text.includes("expires soon")), []);
  assert(
    find({ certfile: good.certfile, keyfile: other.keyfile }).includes(
      "mistake 4 The key of 'keyfile' is not that of the certificate of 'certfile'.",
    ),
  );
  assert.match(
    find(old).join("\n"),
    /^warning 3 The certificate '.*' of 'certfile' has expired on/m,
  );
  const text = files.write("text", "no PEM");
  assert.deepEqual(find({ certfile: text, keyfile: text }), [
    "mistake 3 The file of 'certfile' holds no certificate (PEM).",
    "mistake 4 The file of 'keyfile' holds no private key (PEM) that can be read.",
  ]);
  const damaged = files.write(
    "damaged",
    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
  );
  assert(
    find(good, `cafile ${damaged}\ncrlfile ${text}\nrequire_certificate true\n`).join("\n")
      .includes(
        "mistake 5 Certificate 1 in the file of 'cafile' cannot be read.\n" +
          "mistake 6 The file of 'crlfile' holds no list of revocations (PEM).",
      ),
  );
  const locked = files.write("locked", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n");
  assert.match(find({ ...good, keyfile: locked }).join("\n"), /^mistake 4 .*is encrypted/m);
});

/** Texts and the one notice about a changed meaning that they are for. */
const CHANGED: [string, RegExp][] = [
  ["listener 1883", /^No client can connect: 'allow_anonymous' is false unless/],
  ["port 1883\nallow_anonymous true", /^'max_queued_messages' is 1000 unless it is set/],
  ["port 1883\nallow_anonymous true", /^'max_packet_size' is 2000000 bytes/],
  ["listener 1883\nacl_file @DIR@/acl\nallow_anonymous true", /^'check_retain_source' is off/],
  ["connection c\naddress h\ntopic a", /^A bridge without 'remote_clientid' connects as/],
  ["connection c\naddress h\ntopic a\nclientid x", /^'restart_timeout' is 5 to 30 seconds/],
  ["listener 1\ntls_version tlsv1.2\nallow_anonymous true", /^'tls_version' is the lowest/],
  ["", /^Starting in local only mode/],
];
for (const [text, expected] of CHANGED) {
  Deno.test(`a check says what changed since 1.x and 2.0: ${expected.source.slice(0, 50)}`, () => {
    using files = new Files();
    files.write("acl", "topic #\n");
    const messages = files.examine(text).map(({ message }) => message);
    assert(messages.some((message) => expected.test(message)), messages.join("\n"));
    const without = files.examine(`${LISTENER}max_queued_messages 5\n`);
    assert(!without.some(({ message }) => expected.test(message)));
  });
}

Deno.test("a bridge whose messages come back is used, and noticed", () => {
  using files = new Files();
  const bridge = `${LISTENER}connection c\naddress h\ntopic a both\n`;
  const messages = (text: string) => files.examine(text).map(({ message }) => message);
  const [notice] = messages(`${bridge}try_private false\n`)
    .filter((message) =>
      message.startsWith("Messages of bridge c come back once: a goes out as a")
    );
  assert(notice !== undefined);
  assert(files.examine(`${bridge}try_private false\n`).every((one) => one.severity !== "mistake"));
  assert(!messages(bridge).includes(notice));
});

Deno.test("parts of a level that ACL patterns no longer replace are warned of", () => {
  using files = new Files();
  files.write("acl", "pattern read a-%c/b\n");
  const findings = files.examine(`${LISTENER}acl_file @DIR@/acl\n`);
  assert(
    findings.some(({ severity, file, message }) =>
      severity === "warning" && file.endsWith("/acl") && message.includes("%c")
    ),
    formatFindings(findings),
  );
});

/** Every option that Mosquitto 1.1 had. */
const OPTIONS_1_1 = ("acl_file address allow_anonymous autosave_interval autosave_on_changes " +
  "bind_address bridge_cafile bridge_capath bridge_certfile bridge_keyfile cafile capath certfile " +
  "ciphers cleansession clientid clientid_prefixes connection connection_messages idle_timeout " +
  "include_dir keepalive_interval keyfile log_dest log_timestamp log_type max_connections " +
  "max_inflight_messages max_queued_messages notification_topic notifications password " +
  "password_file persistence persistence_file persistence_location persistent_client_expiration " +
  "pid_file port psk_file psk_hint require_certificate restart_timeout retry_interval start_type " +
  "store_clean_interval sys_interval topic use_identity_as_username user username").split(" ");

Deno.test("a file with every option of Mosquitto 1.1 passes with warnings only", () => {
  using files = new Files();
  using authority = new Authority();
  const { certfile, keyfile } = authority.issue("server");
  Deno.mkdirSync(`${files.directory}/ca`);
  Deno.mkdirSync(`${files.directory}/conf.d`);
  Deno.copyFileSync(authority.cafile, `${files.directory}/ca.crt`);
  Deno.copyFileSync(certfile, `${files.directory}/server.crt`);
  Deno.copyFileSync(keyfile, `${files.directory}/server.key`);
  files.write(
    "passwords",
    "bob:$6$9wtbvVxrVkbRnSwU$I9ibRd4lEJEtChK0rYHsGdM3FXauihWkHyd6hBoVJwzBt+tQ0UTJKwFgZohtveUfNkA6YWbQA2F7jv8FLnLc5w==\n",
  );
  files.write("acl", "topic read $SYS/#\nuser bob\ntopic #\npattern write %c/x\n");
  files.write("psk", "sensor:00ff12ab34cd56ef\n");
  const fixture = new URL("fixtures/mosquitto-1.1.conf", import.meta.url);
  const text = Deno.readTextFileSync(fixture);
  for (const name of OPTIONS_1_1) assert.match(text, new RegExp(`^${name} `, "m"), name);
  const findings = examine({ file: files.write("old.conf", text) });
  const mistakes = findings.filter(({ severity }) => severity === "mistake");
  assert.deepEqual(mistakes, []);
  const said = findings.map(({ message }) => message).join("\n");
  for (
    const part of ["retry_interval", "store_clean_interval", "'port'", "'clientid'", "'username'"]
  ) {
    assert(said.includes(part), part);
  }
});

Deno.test("of a dropped option it is said what it did", () => {
  using files = new Files();
  const [finding] = files.examine(`retry_interval 20\n${LISTENER}`);
  assert.equal(finding.severity, "warning");
  assert.match(finding.hint ?? "", /which MQTT forbids\. Leave it out\.$/);
});

Deno.test("findings are written for people and for programs", () => {
  using files = new Files();
  const findings = files.examine(`${LISTENER}max_qeued_messages 5\nmaximum_qos 1\n`);
  const text = formatFindings(findings);
  assert.match(text, /^Error: Unknown configuration variable 'max_qeued_messages'\.$/m);
  assert.match(text, /^ {2}.*a\.conf:3:1: did you mean 'max_queued_messages'\?$/m);
  assert.match(text, /^Notice: 'maximum_qos' is an older name of 'max_qos'\. \(.*a\.conf:4:1\)$/m);
  const { ok, findings: given } = JSON.parse(findingsToJson(findings));
  assert.equal(ok, false);
  const { severity, line, column, hint } = given[0];
  assert.deepEqual([severity, line, column, hint], [
    "mistake",
    3,
    1,
    "did you mean 'max_queued_messages'?",
  ]);
  assert.equal(JSON.parse(findingsToJson(findings.slice(1))).ok, true);
});

Deno.test("what was filled in is not shown by a finding", () => {
  using files = new Files();
  const file = files.write("a.conf", "listener 1\npassword_file ${SECRET}\n");
  const findings = examine({ file, variable: () => "/none/s3cret" });
  assert(findings.length > 0);
  assert(!formatFindings(findings).includes("s3cret"));
});
