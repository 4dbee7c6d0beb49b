/**
 * Mosquitto and Sabethes on scripts that chance writes. A script that comes out differently is cut
 * down to the shortest that still does. `SEED=7 SEEDS=1000` runs others, and more.
 */
import fc from "fast-check";
import { BrokerPair } from "./broker_pair.ts";
import { type Setting, whyNoMosquitto } from "./broker_under_test.ts";
import { Comparison } from "./comparison.ts";
import { type KnownRule, knownRules } from "./known_differences.ts";
import { type Intent, intents, scriptOf } from "./random_script.ts";
import { OPEN } from "./scenario.ts";
import { restart, type Step, stepInWords } from "./script.ts";

const SEED = Number(Deno.env.get("SEED") ?? 1);
const SEEDS = Number(Deno.env.get("SEEDS") ?? 100);

/** Mosquitto's order of retained messages depends on which topics there once were. */
const anyOrderOfRetained: KnownRule = {
  reason: "In which order the retained messages of several topics come is nobody's promise.",
  theirs: sortRetained,
  ours: sortRetained,
};

/** Of which the scenario of wills has an example. */
const ownWillAtTakeOver: KnownRule = {
  reason: "2.0.11 sends some clients that are replaced their own Will.",
  theirs: (theirs) =>
    theirs.at(-1) === "the end" ? theirs.filter((line) => !/"will \d+"/.test(line)) : theirs,
};

/** A Will of the end is never sent to who is disconnected then: it is no duplicate later on. */
const willOfTheEnd: KnownRule = {
  reason: "2.0.11 takes Wills that it publishes as it ends for sent to those it disconnects.",
  theirs: withoutDupOfWills,
  ours: withoutDupOfWills,
};

const obstacle = whyNoMosquitto();

// So many that the window is never full: 2.0.11 exceeds it.
const ROOMY = [...OPEN, "max_inflight_messages 200"];

const settings: Record<string, Setting> = {
  "in general": { configuration: ROOMY },
  "with all that queues and upgrades": {
    configuration: [...ROOMY, "queue_qos0_messages true", "upgrade_outgoing_qos true"],
  },
  "under rules": {
    configuration: [...ROOMY, "acl_file {directory}/acl"],
    sweeper: "sweeper",
    files: {
      acl: "topic read x/#\ntopic deny x/2\ntopic write y\ntopic readwrite $z/#\n" +
        "topic readwrite shared/#\npattern read %c/#\npattern readwrite own/#\n" +
        "user sweeper\ntopic readwrite #\n",
    },
  },
};

for (const [about, setting] of Object.entries(settings)) {
  compare(about, setting, SEEDS, intents.map(scriptOf));
}

compare(
  "over a restart",
  {
    configuration: [...ROOMY, "persistence true", "persistence_location {directory}/"],
    // So that acknowledgements come in their step.
    ours: ["durability async"],
  },
  // A start takes its time.
  Math.ceil(SEEDS / 25),
  fc.tuple(intents, intents).map(([before, after]) => {
    const whole = [...before, ...after].map(withoutCleanExpiry);
    const steps = scriptOf(whole);
    return [...steps.slice(0, before.length), restart(), ...steps.slice(before.length)];
  }),
);

/** Sessions that begin clean but are to last are lost on 2.0.11 when it ends. */
function withoutCleanExpiry(intent: Intent): Intent {
  return intent.do === "connect" && intent.clean ? { ...intent, expires: false } : intent;
}

function compare(
  about: string,
  setting: Setting,
  scripts: number,
  script: fc.Arbitrary<readonly Step[]>,
): void {
  Deno.test({
    name: `as Mosquitto: random scripts ${about}${obstacle === null ? "" : ` (${obstacle})`}`,
    ignore: obstacle !== null,
    fn: async () => {
      await using pair = await BrokerPair.start(setting);
      const rules = [...knownRules, anyOrderOfRetained, ownWillAtTakeOver, willOfTheEnd];
      const agree = fc.asyncProperty(script, async (steps) => {
        const found = new Comparison(rules).compare(...await pair.run(steps));
        if (found.length === 0) return;
        throw new Error([...steps.map(stepInWords), "", ...found].join("\n"));
      });
      // With a restart in each, cutting a script down takes too long.
      const endOnFailure = scripts < SEEDS;
      await fc.assert(agree, { seed: SEED, numRuns: scripts, endOnFailure });
    },
  });
}

/** Sorts each run of retained messages and deals out their Packet Identifiers anew. */
function sortRetained(lines: readonly string[]): string[] {
  const sorted: string[] = [];
  let run: string[] = [];
  const endRun = () => {
    const packetIds = run.flatMap((line) => /#\d+/.exec(line) ?? []);
    for (const line of run.map((line) => line.replace(/#\d+/, "#")).sort()) {
      sorted.push(line.replace("#", () => packetIds.shift()!));
    }
    run = [];
  };
  for (const line of lines) {
    if (/^PUBLISH .* retain\b/.test(line)) run.push(line);
    else {
      endRun();
      sorted.push(line);
    }
  }
  endRun();
  return sorted;
}

function withoutDupOfWills(lines: readonly string[]): string[] {
  return lines.map((line) => line.replace(/("will \d+" .*) dup\b/, "$1"));
}
