const c = await Deno.connect({ hostname: "127.0.0.1", port: 23456 });
c.setNoDelay(true);
const b = new Uint8Array(65536), o = new Uint8Array(1600);
const N = 100000;
const t = performance.now();
for (let i = 0; i < N; i++) {
  await c.write(o);
  await c.read(b);
}
console.log(((performance.now() - t) / N * 1000).toFixed(1), "us per round");
c.close();
let k = 0;
const t2 = performance.now();
await new Promise<void>((r) => {
  const f = () => {
    if (++k === 1000) return r();
    setTimeout(f, 0);
  };
  f();
});
console.log("setTimeout0", (performance.now() - t2).toFixed(1), "us each");
const { setImmediate } = await import("node:timers");
k = 0;
const t3 = performance.now();
await new Promise<void>((r) => {
  const f = () => {
    if (++k === 1000) return r();
    setImmediate(f);
  };
  f();
});
console.log("setImmediate", (performance.now() - t3).toFixed(1), "us each");
