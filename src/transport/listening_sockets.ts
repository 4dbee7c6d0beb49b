import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { errorText } from "../error_text.ts";

/** Where a listener listens. */
export interface ListenAt {
  /** 0: a free port, or a Unix domain socket if there is a path. */
  readonly port: number;
  /** An IP address, or a name that may have several; null: every address of the machine. */
  readonly address: string | null;
  readonly unixPath: string | null;
  /** Listen on the addresses of this interface only; null: whatever the address says. */
  readonly bindInterface: string | null;
  readonly socketDomain: "ipv4" | "ipv6" | "both";
}

/** A socket that listens. */
export interface ListeningSocket {
  /** Closing it removes the file of a Unix domain socket. */
  readonly listener: Deno.Listener<Deno.Conn, Deno.Addr>;
  /** On an IPv6 socket IPv4 clients arrive, too: whether they are let in. */
  readonly takesIpv4: boolean;
}

type Log = (type: "information" | "warning", text: string) => void;

/** A path with its closing NUL has this many bytes in the system's structure. */
const UNIX_PATH_MAXIMUM = 107;
/** The owner's group may connect, nobody else. */
const UNIX_UMASK = 0o007;
const FREE_PORT_TRIES = 5;

/** Opens all sockets of a listener, or none. @throws what the system says, or why it cannot be asked */
export async function openSockets(at: ListenAt, log: Log): Promise<ListeningSocket[]> {
  if (at.unixPath !== null) return [openUnix(at.unixPath, log)];
  const addresses = await addressesOf(at, log);
  for (let tries = 1;; tries++) {
    try {
      return openAll(addresses, at.port, log);
    } catch (error) {
      // The port that was free at the first address is taken at another.
      const isTaken = error instanceof Deno.errors.AddrInUse;
      if (!isTaken || at.port !== 0 || tries === FREE_PORT_TRIES) throw error;
    }
  }
}

function openUnix(path: string, log: Log): ListeningSocket {
  if (new TextEncoder().encode(path).length > UNIX_PATH_MAXIMUM) {
    throw new Error(`Path to unix socket is too long "${path}".`);
  }
  removeStale(path);
  const before = Deno.umask(UNIX_UMASK);
  try {
    const listener = Deno.listen({ transport: "unix", path });
    log("information", `Opening unix listen socket on path ${path}.`);
    return { listener, takesIpv4: true };
  } finally {
    Deno.umask(before);
  }
}

/** A broker that was killed leaves its socket behind. Anything else at that place is not ours to remove. */
function removeStale(path: string): void {
  let found: Deno.FileInfo;
  try {
    found = Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  if (!found.isSocket) throw new Error(`${path} is there and is no socket.`);
  Deno.removeSync(path);
}

interface Address {
  readonly hostname: string;
  readonly takesIpv4: boolean;
}

/** Opens the same port at all addresses, or none. */
function openAll(addresses: readonly Address[], port: number, log: Log): ListeningSocket[] {
  const sockets: ListeningSocket[] = [];
  let firstError: unknown;
  try {
    for (const { hostname, takesIpv4 } of addresses) {
      try {
        const listener = Deno.listen({ hostname, port });
        sockets.push({ listener, takesIpv4 });
        port = listener.addr.port;
      } catch (error) {
        // A name may have addresses of a family that this machine does not speak.
        if (error instanceof Deno.errors.AddrInUse || addresses.length === 1) throw error;
        firstError ??= error;
        log("warning", `Warning: ${hostname}: ${errorText(error)}`);
        continue;
      }
      const family = hostname.includes(":") ? "ipv6" : "ipv4";
      log("information", `Opening ${family} listen socket on port ${port} (${hostname}).`);
    }
    if (sockets.length === 0) throw firstError;
    return sockets;
  } catch (error) {
    for (const { listener } of sockets) listener.close();
    throw error;
  }
}

async function addressesOf(at: ListenAt, log: Log): Promise<Address[]> {
  if (at.bindInterface !== null) return await interfaceAddresses(at, at.bindInterface, log);
  if (at.address === null) return [everyAddress(at.socketDomain)];
  return (await resolve(at.address, at.socketDomain)).map(exactly);
}

const exactly = (hostname: string): Address => ({ hostname, takesIpv4: true });

/** An IPv6 socket takes IPv4 clients, too: one is enough, and a second one would find the port taken. */
function everyAddress(domain: ListenAt["socketDomain"]): Address {
  if (domain === "ipv4" || !hasIpv6()) return exactly("0.0.0.0");
  return { hostname: "::", takesIpv4: domain === "both" };
}

function hasIpv6(): boolean {
  try {
    Deno.listen({ hostname: "::", port: 0 }).close();
    return true;
  } catch (error) {
    // The system has no IPv6 at all, or none of its addresses; whatever else is wrong, IPv4 tells.
    if (!(error instanceof Error)) throw error;
    return false;
  }
}

async function resolve(name: string, domain: ListenAt["socketDomain"]): Promise<string[]> {
  const family = domain === "both" ? 0 : domain === "ipv4" ? 4 : 6;
  if (isIP(name) !== 0) {
    if (family !== 0 && isIP(name) !== family) {
      throw new Error(`${name} is no address of socket_domain ${domain}.`);
    }
    return [name];
  }
  try {
    const found = await lookup(name, { all: true, family });
    return [...new Set(found.map(({ address }) => address))];
  } catch (error) {
    throw new Error(`Error creating listener: ${name} has no address.`, { cause: error });
  }
}

/** The first address of each family, as Mosquitto takes it. */
async function interfaceAddresses(at: ListenAt, name: string, log: Log): Promise<Address[]> {
  const wanted = at.address === null ? null : await resolve(at.address, at.socketDomain);
  const own = Deno.networkInterfaces()
    .filter((one) => one.name.toLowerCase() === name.toLowerCase());
  if (own.length === 0) throw new Error(`Interface ${name} does not exist.`);
  const addresses: Address[] = [];
  for (const family of ["IPv4", "IPv6"] as const) {
    if (at.socketDomain !== "both" && at.socketDomain !== family.toLowerCase()) continue;
    if (wanted !== null && !wanted.some((one) => isIP(one) === Number(family[3]))) continue;
    const first = own.find((one) => one.family === family);
    if (first === undefined) {
      log("warning", `Warning: Interface ${name} does not support ${family} configuration.`);
      continue;
    }
    if (wanted !== null && !wanted.includes(first.address)) {
      throw new Error(
        `Interface address for ${name} does not match specified listener address (${at.address}).`,
      );
    }
    // Addresses of one link only are ambiguous without it.
    const scope = first.address.startsWith("fe80:") ? `%${first.name}` : "";
    addresses.push(exactly(first.address + scope));
  }
  if (addresses.length === 0) throw new Error(`Interface ${name} has no address to listen on.`);
  return addresses;
}
