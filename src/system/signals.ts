import { libc } from "./libc.ts";

/**
 * The signals a broker answers. SIGRTMIN and SIGUSR1 need a way of their own: the first Deno does not
 * know, so that it would end the process, and when the second comes Deno opens its inspector, which would
 * let every local user run code in this process; no flag turns that off. SIGPIPE Deno itself ignores.
 */
export interface SignalHandlers {
  /** SIGINT, SIGTERM. */
  stop(): void;
  /** SIGUSR1. */
  save(): void;
  /** SIGHUP. */
  reload(): void;
  /** SIGRTMIN. */
  reopenLogs(): void;
  /** SIGUSR2. */
  printTree(): void;
}

const SIGUSR1 = 10;
/** What `signal` returns when the disposition was to ignore. */
const SIG_IGN = 1n;
const POLL_MS = 500;

/** Installs the handlers; the returned function removes them. */
export function installSignals(handlers: SignalHandlers): () => void {
  const listeners: [Deno.Signal, () => void][] = [
    ["SIGINT", () => handlers.stop()],
    ["SIGTERM", () => handlers.stop()],
    ["SIGHUP", () => handlers.reload()],
    ["SIGUSR2", () => handlers.printTree()],
  ];
  for (const [signal, listener] of listeners) Deno.addSignalListener(signal, listener);
  const stopWatching = Deno.build.os === "linux" ? watchOthers(handlers) : () => {};
  return () => {
    for (const [signal, listener] of listeners) Deno.removeSignalListener(signal, listener);
    stopWatching();
  };
}

/**
 * Watches signals without JavaScript in a signal handler: the handler is libc's own `sigignore`, which
 * sets the disposition to "ignore" when it runs. Asking for the disposition tells that, and arms it
 * again, in the same call.
 */
function watchOthers(handlers: SignalHandlers): () => void {
  const { dlsym, signal, __libc_current_sigrtmin } = libc();
  const sigignore = dlsym(null, new TextEncoder().encode("sigignore\0"));
  const watched: [number: number, act: () => void][] = [
    [SIGUSR1, () => handlers.save()],
    [__libc_current_sigrtmin(), () => handlers.reopenLogs()],
  ];
  // Deno asks for SIGUSR1 half a second after the start, which must not replace our handler: it sets
  // the process's only when a signal is asked for the first time, so that is done here.
  const first = () => {};
  Deno.addSignalListener("SIGUSR1", first);
  for (const [number] of watched) signal(number, sigignore);
  const poll = setInterval(() => {
    for (const [number, act] of watched) {
      if (Deno.UnsafePointer.value(signal(number, sigignore)) === SIG_IGN) act();
    }
  }, POLL_MS);
  return () => {
    clearInterval(poll);
    Deno.removeSignalListener("SIGUSR1", first);
  };
}
