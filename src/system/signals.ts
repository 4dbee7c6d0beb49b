/**
 * The signals a broker answers. SIGUSR1 needs a way of its own: Deno opens its inspector when it
 * comes, which would let every local user run code in this process, and no flag turns that off.
 */
export interface SignalHandlers {
  /** SIGINT, SIGTERM. */
  stop(): void;
  /** SIGUSR1. */
  save(): void;
  /** SIGHUP. */
  reload(): void;
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
  const stopWatching = Deno.build.os === "linux" ? watchSigusr1(() => handlers.save()) : () => {};
  return () => {
    for (const [signal, listener] of listeners) Deno.removeSignalListener(signal, listener);
    stopWatching();
  };
}

/**
 * Watches SIGUSR1 without JavaScript in a signal handler: the handler is libc's own `sigignore`,
 * which sets the disposition to "ignore" when it runs. Asking for the disposition tells that, and
 * arms it again, in the same call.
 */
function watchSigusr1(act: () => void): () => void {
  const library = Deno.dlopen(libc(), {
    dlsym: { parameters: ["pointer", "buffer"], result: "pointer" },
    signal: { parameters: ["i32", "pointer"], result: "pointer" },
  });
  const { symbols } = library;
  const sigignore = symbols.dlsym(null, new TextEncoder().encode("sigignore\0"));
  // Deno asks for the signal half a second after the start, which must not replace our handler: it
  // sets the process's only when a signal is asked for the first time, so that is done here.
  const first = () => {};
  Deno.addSignalListener("SIGUSR1", first);
  symbols.signal(SIGUSR1, sigignore);
  const poll = setInterval(() => {
    if (Deno.UnsafePointer.value(symbols.signal(SIGUSR1, sigignore)) === SIG_IGN) act();
  }, POLL_MS);
  return () => {
    clearInterval(poll);
    Deno.removeSignalListener("SIGUSR1", first);
    library.close();
  };
}

function libc(): string {
  return (Deno.build.env as string | undefined) === "musl" ? "libc.so" : "libc.so.6";
}
