import assert from "node:assert/strict";
import { localTimeFormatter } from "../../src/system/local_time.ts";
import { LINUX } from "./support.ts";

/** What date(1) makes of a pattern. */
function date(pattern: string, unixSeconds: number): string {
  const { stdout } = new Deno.Command("date", {
    args: [`-d@${unixSeconds}`, `+${pattern}`],
    env: { LC_ALL: "C" },
  }).outputSync();
  return new TextDecoder().decode(stdout).replace(/\n$/, "");
}

const PATTERNS = [
  "%Y-%m-%dT%H:%M:%S%z",
  "%a %A %b %B %c %C %d %D %e %F %g %G %h %H %I %j %k %l %m %M",
  "%p %r %R %s %S %T %u %U %V %w %W %x %X %y %Y %z %Z %%",
  "Zeit: %d.%m.%Y – 時刻 %H",
];

Deno.test({ name: "times are written as date(1) writes them", ignore: !LINUX }, () => {
  for (const pattern of PATTERNS) {
    for (const seconds of [0, 1_700_000_000, 1_720_000_000, 4_102_444_799]) {
      assert.equal(localTimeFormatter(pattern)(seconds), date(pattern, seconds), pattern);
    }
  }
});

Deno.test({ name: "the time zone is that of TZ, summer time included", ignore: !LINUX }, () => {
  const module = new URL("../../src/system/local_time.ts", import.meta.url).href;
  const code = `const { localTimeFormatter } = await import(${JSON.stringify(module)});
    const format = localTimeFormatter("%H:%M %Z %z");
    console.log(format(1700000000), format(1720000000));`;
  const { stdout } = new Deno.Command(Deno.execPath(), {
    args: ["eval", code],
    env: { TZ: "CET-1CEST,M3.5.0,M10.5.0/3", NO_COLOR: "1" },
  }).outputSync();
  assert.equal(new TextDecoder().decode(stdout), "23:13 CET +0100 11:46 CEST +0200\n");
});

Deno.test({ name: "a time that is empty or too long is given in seconds", ignore: !LINUX }, () => {
  for (const pattern of ["", "%9999d"]) assert.equal(localTimeFormatter(pattern)(7), "7");
});
