import type { Context, Hono } from "hono";
import type { Broker } from "../broker/broker.ts";
import { decodeProperties } from "../wire/property_list.ts";
import { literalLevels, matchesFilter } from "../wire/topic_filter.ts";
import { isTopicFilter, utf8Text } from "../wire/utf8.ts";
import { answer, json, RequestError } from "./answers.ts";
import { changeSafely } from "./changes.ts";
import type { Listings } from "./listings.ts";
import {
  badRequest,
  brokerOf,
  changeableBrokerOf,
  nameInPath,
  notFound,
  readQuery,
} from "./requests.ts";
import { route } from "./route.ts";
import type { AdminSource } from "./source.ts";

type Message = NonNullable<ReturnType<Broker["retained"]["get"]>>;

const PATH = "/api/v1/retained/";
/** A payload that is longer is not part of the JSON: turning it into text would hold up the rest. */
const PAYLOAD_SHOWN_BYTES = 256 * 1024;
const CHUNK_BYTES = 64 * 1024;

/** `/retained`: the retained messages. */
export function addRetained(app: Hono, source: AdminSource, listings: Listings): void {
  route(app, "/api/v1/retained", {
    GET: (c) => {
      const query = readQuery(c, ["limit", "cursor", "prefix", "filter"]);
      const broker = brokerOf(source);
      const chosen = chosenBy(query.get("prefix"), query.get("filter"));
      return listings.page(c, "retained", query, () => ({
        entries: () => chosen.entries(broker.retained),
        view: (message) =>
          chosen.matches(message.topic.name) && !message.isExpiredAt(broker.nowMs)
            ? messageView(broker, message)
            : null,
      }));
    },
  });
  route(app, `${PATH}*`, {
    GET: (c) => {
      const raw = readQuery(c, ["raw"]).get("raw") ?? "false";
      if (raw !== "true" && raw !== "false") throw badRequest("'raw' is true or false");
      const broker = brokerOf(source);
      const message = find(broker, nameInPath(c, PATH));
      return raw === "true" ? rawPayload(message) : json(wholeMessage(broker, message));
    },
    DELETE: (c) => remove(c, changeableBrokerOf(source)),
  });
}

async function remove(c: Context, broker: Broker): Promise<Response> {
  readQuery(c, []);
  const topicName = nameInPath(c, PATH);
  if (topicName.startsWith("$SYS/")) {
    throw new RequestError(409, "belongs_to_broker", "the broker itself keeps what is in $SYS");
  }
  const removed = await changeSafely(broker, () => broker.removeRetained(topicName));
  if (!removed) throw notFound("nothing is retained under this topic");
  return answer(null, null, 204);
}

/**
 * The messages a prefix or a filter chooses. The tree is entered where both of them are literal; what
 * it yields there is looked at one by one, so that no single step takes long, whatever the filter.
 */
function chosenBy(prefix: string | undefined, filter: string | undefined) {
  if (prefix !== undefined && filter !== undefined) {
    throw badRequest("'prefix' and 'filter' exclude one another");
  }
  if (filter !== undefined && !isTopicFilter(filter)) throw badRequest("no valid Topic Filter");
  const levels = filter === undefined
    ? (prefix ?? "").split("/").slice(0, -1)
    : literalLevels(filter);
  // In a prefix these are no wildcards, and no Topic Name has them.
  const isNever = filter === undefined && /[+#]/.test(prefix ?? "");
  return {
    entries: (retained: Broker["retained"]): Iterator<Message> => {
      if (isNever) return [].values();
      return levels.length === 0 ? retained.all() : retained.matching(`${levels.join("/")}/#`);
    },
    matches: (topicName: string) =>
      filter === undefined ? topicName.startsWith(prefix ?? "") : matchesFilter(topicName, filter),
  };
}

function find(broker: Broker, topicName: string): Message {
  const message = broker.retained.get(topicName);
  if (message === null || message.isExpiredAt(broker.nowMs)) {
    throw notFound("nothing is retained under this topic");
  }
  return message;
}

function messageView(broker: Broker, message: Message) {
  const expirySeconds = message.expirySecondsAt(broker.nowMs);
  return {
    topic: message.topic.name,
    qos: message.publish.qos,
    payloadBytes: message.publish.payloadLength,
    messageExpiryInterval: expirySeconds < 0 ? null : expirySeconds,
    publisher: message.clientId === "" ? null : message.clientId,
  };
}

function wholeMessage(broker: Broker, message: Message) {
  const payload = message.publish.payload();
  const isShown = payload.length <= PAYLOAD_SHOWN_BYTES;
  return {
    ...messageView(broker, message),
    payloadBase64: isShown ? payload.toBase64() : null,
    payloadText: isShown ? utf8Text(payload) : null,
    properties: propertiesView(message.publish.forwarded()),
  };
}

/** The payload as it is, of whatever length. */
function rawPayload(message: Message): Response {
  const payload = message.publish.payload();
  let at = 0;
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      if (at >= payload.length) return controller.close();
      controller.enqueue(payload.slice(at, at += CHUNK_BYTES));
    },
  });
  return answer(body, "application/octet-stream", 200, {
    "Content-Disposition": "attachment",
    "Content-Length": String(payload.length),
  });
}

/** The properties as JSON shows them: correlation data in base64. */
function propertiesView(bytes: Uint8Array) {
  const { correlationData, ...properties } = decodeProperties(bytes);
  return correlationData === undefined
    ? properties
    : { ...properties, correlationDataBase64: correlationData.toBase64() };
}
