import { libc } from "./libc.ts";

/** A connected TCP socket of this process, by its ends. */
export interface SocketEnds {
  readonly localPort: number;
  readonly remotePort: number;
}

/** What the runtime cannot set. */
export interface TcpOptions {
  /** Null: as it is. */
  readonly tcpKeepalive: {
    readonly idleSeconds: number;
    readonly intervalSeconds: number;
    readonly probes: number;
  } | null;
  /** Milliseconds; −1: as it is. */
  readonly tcpUserTimeoutMs: number;
}

const SOL_SOCKET = 1, SO_KEEPALIVE = 9;
const IPPROTO_TCP = 6, TCP_KEEPIDLE = 4, TCP_KEEPINTVL = 5, TCP_KEEPCNT = 6, TCP_USER_TIMEOUT = 18;

/**
 * Sets options of a connected socket. Linux: the runtime keeps the file descriptor to itself, so it is
 * looked for under `/proc/self`.
 *
 * @throws {Error} when the socket is not found, or the system refuses
 */
export function setTcpOptions(ends: SocketEnds, options: TcpOptions): void {
  const descriptor = descriptorOf(ends);
  const set = (level: number, option: number, value: number) => {
    const bytes = new Uint8Array(Int32Array.of(value).buffer);
    if (libc().setsockopt(descriptor, level, option, bytes, bytes.length) !== 0) {
      throw new Error(`the system refuses the socket option ${option}`);
    }
  };
  const { tcpKeepalive, tcpUserTimeoutMs } = options;
  if (tcpKeepalive !== null) {
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, tcpKeepalive.idleSeconds);
    set(IPPROTO_TCP, TCP_KEEPINTVL, tcpKeepalive.intervalSeconds);
    set(IPPROTO_TCP, TCP_KEEPCNT, tcpKeepalive.probes);
  }
  if (tcpUserTimeoutMs >= 0) set(IPPROTO_TCP, TCP_USER_TIMEOUT, tcpUserTimeoutMs);
}

function descriptorOf(ends: SocketEnds): number {
  const inodes = inodesOf(ends);
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    let target: string;
    try {
      target = Deno.readLinkSync(`/proc/self/fd/${name}`);
    } catch {
      // The directory's own descriptor, closed by now.
      continue;
    }
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    if (inode !== undefined && inodes.has(inode)) return Number(name);
  }
  throw new Error(`no socket has the ports ${ends.localPort} and ${ends.remotePort}`);
}

/** The inodes of sockets with these ports: of this process there is one. */
function inodesOf({ localPort, remotePort }: SocketEnds): Set<string> {
  const found = new Set<string>();
  const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, "0");
  for (const file of ["/proc/self/net/tcp", "/proc/self/net/tcp6"]) {
    for (const line of Deno.readTextFileSync(file).split("\n").slice(1)) {
      const [, local, remote, , , , , , , inode] = line.trim().split(/\s+/);
      if (!local?.endsWith(`:${hex(localPort)}`) || !remote.endsWith(`:${hex(remotePort)}`)) {
        continue;
      }
      found.add(inode);
    }
  }
  return found;
}
