import { type AccessHooks, hookPolicy } from "../../src/access/hooks.ts";
import { PolicyAccess } from "../../src/access/policy_access.ts";

/** An access port that asks these hooks. */
export function hookAccess(
  hooks: AccessHooks,
  allowAnonymous: boolean,
  fault: (error: unknown, doing: string) => void,
): PolicyAccess {
  return new PolicyAccess(
    [{ allowAnonymous, policies: [hookPolicy(hooks, "hooks", fault)] }],
    fault,
  );
}
