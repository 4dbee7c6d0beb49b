import assert from "node:assert/strict";
import { BrokerProcess, persistent, withDirectory, within } from "../support/broker_process.ts";

/** Runs a program to its end; returns what it printed. */
async function run(program: string, ...args: string[]): Promise<string> {
  return await start(program, ...args).output();
}

/** A program that runs beside the test. */
function start(program: string, ...args: string[]) {
  const child = new Deno.Command(program, { args, stdout: "piped", stderr: "piped" }).spawn();
  return {
    async output(): Promise<string> {
      const { code, stdout, stderr } = await within(child.output(), () => {
        child.kill("SIGKILL");
        return `${program} ${args.join(" ")} does not end`;
      });
      const decoder = new TextDecoder();
      assert.equal(code, 0, `${program} ${args.join(" ")}: ${decoder.decode(stderr)}`);
      return decoder.decode(stdout);
    },
  };
}

function isInstalled(...programs: string[]): boolean {
  return programs.every((program) => {
    try {
      return Deno.statSync(program).isFile;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  });
}

const PUB = "/usr/bin/mosquitto_pub", SUB = "/usr/bin/mosquitto_sub", RR = "/usr/bin/mosquitto_rr";

/** A test with Mosquitto's own clients; without them there is nothing to test with. */
function testWithClients(name: string, test: (broker: BrokerProcess) => Promise<void>): void {
  Deno.test({
    name,
    ignore: !isInstalled(PUB, SUB, RR),
    fn: () =>
      withDirectory(async (directory) => {
        await using broker = await BrokerProcess.start(directory, {
          // Lines that tell of subscriptions.
          configuration: [...persistent(directory), "log_type all"],
        });
        await test(broker);
        broker.assertNoDefect();
        assert.equal(await broker.end(), 0);
      }),
  });
}

for (const version of ["mqttv31", "mqttv311", "mqttv5"]) {
  testWithClients(
    `mosquitto_pub and mosquitto_sub, ${version}: retained and live messages`,
    async (broker) => {
      const at = ["-p", String(broker.port), "-V", version];
      await run(PUB, ...at, "-t", "sensors/a", "-m", "21.5", "-q", "1", "-r");
      assert.equal(
        await run(SUB, ...at, "-t", "sensors/#", "-v", "-C", "1"),
        "sensors/a 21.5\n",
      );
      for (const qos of ["0", "1", "2"]) {
        const id = `sub${qos}`;
        const sub = start(
          SUB,
          ...at,
          "-i",
          id,
          "-t",
          "live/#",
          "-q",
          qos,
          "-C",
          "2",
          "-F",
          "%t %q %r %p",
        );
        await broker.line(new RegExp(`: ${id} ${qos} live/#$`));
        await run(PUB, ...at, "-t", "live/x", "-m", "one", "-q", qos, "--repeat", "2");
        assert.equal(await sub.output(), `live/x ${qos} 0 one\n`.repeat(2));
      }
    },
  );

  testWithClients(`mosquitto_sub -c, ${version}: a lasting session`, async (broker) => {
    const at = ["-p", String(broker.port), "-V", version];
    const lasting = [...at, "-i", "lasting", "-c", "-t", "kept/#", "-q", "2"];
    // With -E it ends as soon as the subscription is acknowledged.
    await run(SUB, ...lasting, "-E", ...(version === "mqttv5" ? ["-x", "3600"] : []));
    for (const qos of ["1", "2"]) await run(PUB, ...at, "-t", "kept/a", "-m", qos, "-q", qos);
    assert.equal(
      await run(SUB, ...lasting, "-C", "2", "-F", "%p at %q"),
      "1 at 1\n2 at 2\n",
    );
  });

  testWithClients(`mosquitto_rr, ${version}: request and response`, async (broker) => {
    const at = ["-p", String(broker.port), "-V", version];
    const answering = start(SUB, ...at, "-i", "answering", "-t", "question", "-C", "1");
    await broker.line(/: answering 0 question$/);
    const asking = start(
      RR,
      ...at,
      "-i",
      "asking",
      "-t",
      "question",
      "-e",
      "answer",
      "-m",
      "why",
      "-q",
      "1",
    );
    assert.equal(await answering.output(), "why\n");
    await run(PUB, ...at, "-t", "answer", "-m", "because", "-q", "1");
    assert.equal(await asking.output(), "because\n");
  });
}

testWithClients(
  "mosquitto_pub and mosquitto_sub: properties, large payloads, many lines",
  async (broker) => {
    const at = ["-p", String(broker.port), "-V", "mqttv5"];
    const sub = start(
      SUB,
      ...at,
      "-i",
      "reading",
      "-t",
      "p",
      "-q",
      "1",
      "-C",
      "1",
      "-F",
      "%C %R %P %p",
    );
    await broker.line(/: reading 1 p$/);
    await run(
      PUB,
      ...at,
      "-t",
      "p",
      "-m",
      "x",
      "-q",
      "1",
      "-D",
      "publish",
      "content-type",
      "text/plain",
      "-D",
      "publish",
      "response-topic",
      "answers",
      "-D",
      "publish",
      "user-property",
      "name",
      "value",
    );
    assert.equal(await sub.output(), "text/plain answers name:value x\n");

    await withDirectory(async (directory) => {
      Deno.writeTextFileSync(`${directory}/large`, "0123456789abcdef".repeat(65_536));
      await run(PUB, ...at, "-t", "large", "-f", `${directory}/large`, "-q", "2", "-r");
      const came = await run(SUB, ...at, "-t", "large", "-C", "1", "-N");
      assert.ok(came === Deno.readTextFileSync(`${directory}/large`));
    });
  },
);

testWithClients("mosquitto_sub sees the $SYS tree", async (broker) => {
  const at = ["-p", String(broker.port)];
  const version = await run(SUB, ...at, "-t", "$SYS/broker/version", "-C", "1");
  assert.match(version, /^sabethes version /);
});

const PYTHON = "/usr/bin/python3";

/** Python with Paho, for one of its two APIs. */
const HAS_PAHO = isInstalled(PYTHON) &&
  new Deno.Command(PYTHON, { args: ["-c", "import paho.mqtt.client"], stderr: "null" })
    .outputSync().success;

/** Waits for messages with a list and a condition, as Paho calls back on a thread of its own. */
const PAHO = `
import sys, threading
import paho.mqtt.client as mqtt
port, version = int(sys.argv[1]), int(sys.argv[2])

def client(name, **options):
    if hasattr(mqtt, "CallbackAPIVersion"):
        made = mqtt.Client(mqtt.CallbackAPIVersion.VERSION1, name, protocol=version, **options)
    else:
        made = mqtt.Client(name, protocol=version, **options)
    made.messages, made.changed, made.subscribed = [], threading.Condition(), False
    def took(c, _, message):
        with made.changed:
            made.messages.append((message.topic, message.payload, message.qos, message.retain))
            made.changed.notify_all()
    def granted(*_):
        with made.changed:
            made.subscribed = True
            made.changed.notify_all()
    made.on_message, made.on_subscribe = took, granted
    return made

def wait(one, holds):
    with one.changed:
        assert one.changed.wait_for(holds, 30), one.messages

sub = client("sub")
sub.connect("127.0.0.1", port)
sub.loop_start()
sub.subscribe("paho/#", 2)
wait(sub, lambda: sub.subscribed)
pub = client("pub")
pub.will_set("paho/will", "gone", 1)
pub.connect("127.0.0.1", port)
pub.loop_start()
large = bytes(range(256)) * 4096
for qos in (0, 1, 2):
    pub.publish("paho/%d" % qos, "text", qos).wait_for_publish()
    pub.publish("paho/%d" % qos, large, qos, retain=True).wait_for_publish()
wait(sub, lambda: len(sub.messages) == 6)
for qos in (0, 1, 2):
    assert ("paho/%d" % qos, b"text", qos, False) in sub.messages
    assert ("paho/%d" % qos, large, qos, False) in sub.messages
late = client("late")
late.connect("127.0.0.1", port)
late.loop_start()
late.subscribe("paho/+", 1)
wait(late, lambda: len(late.messages) == 3)
assert all(payload == large and retain for _, payload, _, retain in late.messages)
pub.loop_stop()
pub._sock_close() if hasattr(pub, "_sock_close") else pub.socket().close()
wait(sub, lambda: len(sub.messages) == 7)
assert sub.messages[6] == ("paho/will", b"gone", 1, False), sub.messages[6]
for one in (sub, late):
    one.disconnect()
    one.loop_stop()
print("well")
`;

for (const version of [3, 4, 5]) {
  Deno.test({
    name: `Paho for Python, MQTT version ${version}: QoS, retained messages, Will, 1 MiB`,
    ignore: !HAS_PAHO,
    fn: () =>
      withDirectory(async (directory) => {
        await using broker = await BrokerProcess.start(directory, {
          configuration: persistent(directory),
        });
        const output = await run(PYTHON, "-c", PAHO, String(broker.port), String(version));
        assert.equal(output, "well\n");
        broker.assertNoDefect();
      }),
  });
}
