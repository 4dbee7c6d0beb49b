import type { Identity } from "../session/ports.ts";
import { Reason } from "../wire/reason.ts";
import type { Policy } from "./policy.ts";

/**
 * The policy, not asked about the topics of clients whose user name or Client Identifier holds `+`, `#`
 * or `/`: put into a pattern, such a name would stand for other topics. They are refused.
 */
export function denySpecialCharacters(policy: Policy): Policy {
  const { mayPublish, mayReceive, maySubscribe } = policy;
  const guarded: { -readonly [Member in keyof Policy]: Policy[Member] } = {
    name: policy.name,
    publishIsRemembered: policy.publishIsRemembered,
    authenticate: policy.authenticate,
    mayUnsubscribe: policy.mayUnsubscribe,
    failed: policy.failed,
  };
  if (mayPublish !== undefined) {
    guarded.mayPublish = (identity, ...asked) =>
      !isSpecial(identity) && mayPublish.call(policy, identity, ...asked);
  }
  if (mayReceive !== undefined) {
    guarded.mayReceive = (identity, topicName) =>
      !isSpecial(identity) && mayReceive.call(policy, identity, topicName);
  }
  if (maySubscribe !== undefined) {
    guarded.maySubscribe = (identity, request) =>
      isSpecial(identity) ? Reason.NotAuthorized : maySubscribe.call(policy, identity, request);
  }
  return guarded;
}

function isSpecial({ clientId, userName = "" }: Identity): boolean {
  return /[+#/]/.test(clientId) || /[+#/]/.test(userName);
}
