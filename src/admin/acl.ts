import type { Hono } from "hono";
import { isTopicNameText } from "../wire/utf8.ts";
import { json } from "./answers.ts";
import { badRequest, brokerOf, readQuery } from "./requests.ts";
import { route } from "./route.ts";
import type { AdminSource } from "./source.ts";

/** `/acl/explain`: what the rules say to a client's reading or writing, and where it stands. */
export function addAcl(app: Hono, source: AdminSource): void {
  route(app, "/api/v1/acl/explain", {
    GET: (c) => {
      const query = readQuery(c, ["clientId", "userName", "topic", "action"]);
      const clientId = query.get("clientId"), topic = query.get("topic");
      const action = query.get("action");
      if (clientId === undefined || clientId === "") throw badRequest("clientId is missing");
      if (topic === undefined || !isTopicNameText(topic)) {
        throw badRequest("topic is no Topic Name: it is missing, empty or holds a wildcard");
      }
      if (action !== "read" && action !== "write") throw badRequest("action is read or write");
      brokerOf(source);
      const userName = query.get("userName");
      return json({ answers: source.explainAcl({ clientId, userName, topic, action }) });
    },
  });
}
