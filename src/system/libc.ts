/**
 * What Mosquitto takes from libc and Deno lacks, by FFI. Declared once for the whole layer; opened when
 * the first of it is used. Structures are those of 64-bit Linux, glibc and musl alike.
 */
const DECLARATIONS = {
  dlsym: { parameters: ["pointer", "buffer"], result: "pointer" },
  signal: { parameters: ["i32", "pointer"], result: "pointer" },
  __libc_current_sigrtmin: { parameters: [], result: "i32" },
  getpwnam: { parameters: ["buffer"], result: "pointer" },
  initgroups: { parameters: ["buffer", "u32"], result: "i32" },
  setgroups: { parameters: ["usize", "buffer"], result: "i32" },
  setgid: { parameters: ["u32"], result: "i32" },
  setuid: { parameters: ["u32"], result: "i32" },
  setegid: { parameters: ["u32"], result: "i32" },
  seteuid: { parameters: ["u32"], result: "i32" },
  getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  setrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  sendto: {
    parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"],
    result: "isize",
  },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  open: { parameters: ["buffer", "i32"], result: "i32" },
  dup2: { parameters: ["i32", "i32"], result: "i32" },
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  close: { parameters: ["i32"], result: "i32" },
  poll: { parameters: ["buffer", "u64", "i32"], result: "i32" },
  localtime_r: { parameters: ["buffer", "buffer"], result: "pointer" },
  strftime: { parameters: ["buffer", "usize", "buffer", "buffer"], result: "usize" },
} as const;

type Libc = Deno.DynamicLibrary<typeof DECLARATIONS>["symbols"];

let opened: Libc | null = null;

/** The C library of this process. Linux. @throws {Error} elsewhere, and without the right to use FFI */
export function libc(): Libc {
  if (opened !== null) return opened;
  if (Deno.build.os !== "linux") throw new Error("this needs Linux");
  const isMusl = (Deno.build.env as string | undefined) === "musl";
  // Never closed: it is the process's own.
  return opened = Deno.dlopen(isMusl ? "libc.so" : "libc.so.6", DECLARATIONS).symbols;
}

/** Text as C takes it. @throws {TypeError} with a NUL in it, which would end it early */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  if (text.includes("\0")) throw new TypeError(`a text with a NUL: ${JSON.stringify(text)}`);
  return new TextEncoder().encode(`${text}\0`);
}
