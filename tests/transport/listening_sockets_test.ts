import assert from "node:assert/strict";
import { type ListenAt, openSockets } from "../../src/transport/listening_sockets.ts";
import { Scene } from "./listener_scene.ts";

const anywhere: ListenAt = {
  port: 0,
  address: null,
  unixPath: null,
  bindInterface: null,
  socketDomain: "both",
};

/** Addresses that were opened, and what was logged with ports left out. */
async function opened(at: Partial<ListenAt>): Promise<{ addresses: string[]; lines: string[] }> {
  const lines: string[] = [];
  const sockets = await openSockets(
    { ...anywhere, ...at },
    (type, text) => void lines.push(`${type}: ${text.replace(/port \d+/, "port N")}`),
  );
  const addresses = sockets.map(({ listener: { addr } }) =>
    addr.transport === "tcp" ? addr.hostname : "unix"
  );
  const ports = new Set(
    sockets.map(({ listener: { addr } }) => addr.transport === "tcp" ? addr.port : 0),
  );
  assert.equal(ports.size, 1, "one port at all addresses");
  for (const { listener } of sockets) listener.close();
  return { addresses, lines };
}

const loopbacks = (family: "IPv4" | "IPv6") =>
  Deno.networkInterfaces().filter((one) => one.name === "lo" && one.family === family);
const hasIpv6 = loopbacks("IPv6").length > 0;

Deno.test("without an address every address is listened on, of the version that is asked for", async () => {
  assert.deepEqual((await opened({ socketDomain: "ipv4" })).addresses, ["0.0.0.0"]);
  if (!hasIpv6) return;
  assert.deepEqual((await opened({})).addresses, ["::"]);
  assert.deepEqual((await opened({ socketDomain: "ipv6" })).addresses, ["::"]);
});

Deno.test("an address is listened on, and a line says so", async () => {
  assert.deepEqual(await opened({ address: "127.0.0.1" }), {
    addresses: ["127.0.0.1"],
    lines: ["information: Opening ipv4 listen socket on port N (127.0.0.1)."],
  });
});

Deno.test("a name is looked up", async () => {
  const { addresses } = await opened({ address: "localhost", socketDomain: "ipv4" });
  assert.deepEqual(addresses, ["127.0.0.1"]);
  await assert.rejects(openSockets({ ...anywhere, address: "no.such.name.invalid" }, () => {}), {
    message: "Error creating listener: no.such.name.invalid has no address.",
  });
});

Deno.test("an address of the other version of IP is refused", async () => {
  const at = { ...anywhere, address: "127.0.0.1", socketDomain: "ipv6" } as const;
  await assert.rejects(openSockets(at, () => {}), {
    message: "127.0.0.1 is no address of socket_domain ipv6.",
  });
});

Deno.test("an interface is listened on at its first address of each version of IP", async () => {
  const { addresses } = await opened({ bindInterface: "lo" });
  const first = [loopbacks("IPv4")[0]?.address, loopbacks("IPv6")[0]?.address];
  assert.deepEqual(addresses, first.filter((address) => address !== undefined));
  const { addresses: ipv4 } = await opened({ bindInterface: "LO", socketDomain: "ipv4" });
  assert.deepEqual(ipv4, ["127.0.0.1"]);
  const { addresses: both } = await opened({ bindInterface: "lo", address: "127.0.0.1" });
  assert.deepEqual(both, ["127.0.0.1"]);
});

Deno.test("an interface that is not there, or has another address, is refused", async () => {
  await assert.rejects(openSockets({ ...anywhere, bindInterface: "eth77" }, () => {}), {
    message: "Interface eth77 does not exist.",
  });
  await assert.rejects(
    openSockets({ ...anywhere, bindInterface: "lo", address: "192.0.2.1" }, () => {}),
    { message: "Interface address for lo does not match specified listener address (192.0.2.1)." },
  );
});

// IPv6 alone

Deno.test({
  name: "with socket_domain ipv6 an IPv4 client is closed, an IPv6 client is served",
  ignore: !hasIpv6,
  fn: async () => {
    await using scene = await Scene.start({ address: null, socketDomain: "ipv6" });
    const ipv4 = await scene.dial("127.0.0.1");
    const length = await ipv4.read(new Uint8Array(1)).catch((error) => {
      assert.ok(error instanceof Deno.errors.ConnectionReset);
      return null;
    });
    assert.equal(length, null);
    await scene.dial("::1");
    const core = await scene.broker.connection(0);
    assert.match(core.link.remoteAddress, /^::1:\d+$/);
    assert.equal(scene.broker.accepted.length, 1);
  },
});

// Unix domain sockets

async function inDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await run(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("a Unix domain socket is its group's, has the listener's name in the log, and goes away", () =>
  inDirectory(async (directory) => {
    const unixPath = `${directory}/socket`;
    const before = Deno.umask();
    {
      await using scene = await Scene.open({ unixPath, address: null });
      assert.equal(Deno.umask(), before);
      assert.equal(Deno.statSync(unixPath).mode! & 0o777, 0o770);
      assert.equal(scene.port, 0);
      scene.start();
      await scene.dialUnix(unixPath);
      const core = await scene.broker.connection(0);
      assert.equal(core.link.remoteAddress, `${unixPath}:0`);
      assert.deepEqual(scene.broker.lines, [
        `information: Opening unix listen socket on path ${unixPath}.`,
        `notice: New connection from ${unixPath}:0 on port 0.`,
      ]);
    }
    assert.deepEqual([...Deno.readDirSync(directory)], []);
  }));

Deno.test("a socket that a killed broker has left behind is replaced", () =>
  inDirectory(async (directory) => {
    const unixPath = `${directory}/socket`;
    const killed = Deno.listen({ transport: "unix", path: `${directory}/killed` });
    // What is not called by its own name is not removed with it.
    Deno.renameSync(`${directory}/killed`, unixPath);
    killed.close();
    await using scene = await Scene.start({ unixPath, address: null });
    await scene.dialUnix(unixPath);
    await scene.broker.connection(0);
  }));

Deno.test("a file that is no socket is not replaced", () =>
  inDirectory(async (directory) => {
    const unixPath = `${directory}/file`;
    Deno.writeTextFileSync(unixPath, "precious");
    await assert.rejects(openSockets({ ...anywhere, unixPath }, () => {}), {
      message: `${unixPath} is there and is no socket.`,
    });
    assert.equal(Deno.readTextFileSync(unixPath), "precious");
  }));

Deno.test("a path may have 107 bytes", () =>
  inDirectory(async (directory) => {
    const longest = `${directory}/`.padEnd(107, "x");
    const [{ listener }] = await openSockets({ ...anywhere, unixPath: longest }, () => {});
    listener.close();
    for (const unixPath of [`${longest}x`, `${longest.slice(0, -1)}é`]) {
      await assert.rejects(openSockets({ ...anywhere, unixPath }, () => {}), {
        message: `Path to unix socket is too long "${unixPath}".`,
      });
    }
  }));

Deno.test("a path in a directory that is not there is the system's error", async () => {
  const unixPath = "/nonexistent/socket";
  await assert.rejects(openSockets({ ...anywhere, unixPath }, () => {}), Deno.errors.NotFound);
});
