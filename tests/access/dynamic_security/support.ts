import assert from "node:assert/strict";
import {
  type Concerned,
  DynamicSecurity,
  type DynamicSecurityOptions,
} from "../../../src/access/dynamic_security/dynamic_security.ts";
import { readState } from "../../../src/access/dynamic_security/read_state.ts";
import { SecurityPolicy } from "../../../src/access/dynamic_security/security_policy.ts";
import { PasswordVerifier } from "../../../src/access/password_verifier.ts";
import type { Identity } from "../../../src/session/ports.ts";
import { defaultListener } from "../../support/world.ts";

/** The password "secret", as Mosquitto 2.0 wrote it. */
export const SECRET = {
  password:
    "v/lj6L3NtZzRH+EyeyPkX06ZV2hBBVZqta7rtt0tD+UEtFehuQLthWWy1s9ZSdmRV5IZqoUymx/Udzry8Wtupw==",
  salt: "dHdlbHZlIGJ5dGVz",
  iterations: 101,
};

export function identity(userName: string | undefined, clientId = "id"): Identity {
  return {
    clientId,
    userName,
    remoteAddress: "127.0.0.1:50000",
    isCertified: false,
    version: 5,
    listener: defaultListener,
  };
}

/** The state that a file of these members holds. */
export function stateOf(members: object) {
  const { state, mistakes, warnings } = readState(JSON.stringify(members), "d.json");
  assert.deepEqual([mistakes, warnings], [[], []]);
  return state;
}

/** A policy on a file of these members. */
export function policyOf(members: object): SecurityPolicy {
  return new SecurityPolicy(stateOf(members), new PasswordVerifier());
}

/** An ACL of a role. */
export function acl(acltype: string, topic: string, allow: boolean, priority = 0) {
  return { acltype, topic, allow, priority };
}

/** Dynamic security on a file of its own. */
export interface Scene {
  readonly directory: string;
  readonly file: string;
  readonly security: DynamicSecurity;
  readonly kicked: Concerned[];
  readonly lines: string[];
  /** How often remembered answers were declared void. */
  changes(): number;
  /** Sends a request; the answer's responses. */
  ask(...commands: object[]): Promise<unknown[]>;
  /** The file as it is. */
  saved(): Record<string, unknown>;
}

/** Opens a file with these members, hands it to `act`, and removes it. Null: there is no file yet. */
export async function withSecurity(
  members: object | string | null,
  act: (scene: Scene) => Promise<void>,
  options: Partial<DynamicSecurityOptions> = {},
): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    const file = `${directory}/dynamic-security.json`;
    if (members !== null) {
      const text = typeof members === "string" ? members : JSON.stringify(members);
      await Deno.writeTextFile(file, text);
    }
    const kicked: Concerned[] = [], lines: string[] = [];
    let changes = 0;
    const { security, mistakes } = await DynamicSecurity.open({
      file,
      passwordInitFile: undefined,
      environmentPassword: undefined,
      verifier: new PasswordVerifier(),
      log: (type, text) => void lines.push(`${type}: ${text}`),
      changed: () => void changes++,
      disconnect: (concerned) => void kicked.push(concerned),
      connectionsOf: () => [],
      ...options,
    });
    assert.deepEqual(mistakes, []);
    const ask = async (...commands: object[]) => {
      const payload = new TextEncoder().encode(JSON.stringify({ commands }));
      const answer = await answerOf(security!, payload);
      return JSON.parse(answer).responses;
    };
    const saved = () => JSON.parse(Deno.readTextFileSync(file));
    await act({
      directory,
      file,
      security: security!,
      kicked,
      lines,
      changes: () => changes,
      ask,
      saved,
    });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** The payload of the answer to a request. */
export function answerOf(security: DynamicSecurity, payload: Uint8Array): Promise<string> {
  return new Promise((resolve) => security.handle(payload, identity("admin"), resolve));
}
