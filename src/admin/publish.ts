import type { Context, Hono } from "hono";
import type { Broker } from "../broker/broker.ts";
import { encodeProperties, type MessageProperties } from "../wire/property_list.ts";
import { json, RequestError } from "./answers.ts";
import { changeSafely } from "./changes.ts";
import { badRequest, changeableBrokerOf, readBody, readQuery } from "./requests.ts";
import { route } from "./route.ts";
import type { AdminSource } from "./source.ts";

const BODY_MAXIMUM_BYTES = 1024 * 1024;
const FIELD_MAXIMUM_BYTES = 0xffff;
const EXPIRY_MAXIMUM_SECONDS = 0xffff_ffff;
const FIELDS = new Set([
  "topic",
  "payload",
  "payloadBase64",
  "qos",
  "retain",
  "messageExpiryInterval",
  "payloadFormatIndicator",
  "contentType",
  "responseTopic",
  "correlationDataBase64",
  "userProperties",
]);

const encoder = new TextEncoder();

/** What {@linkcode Broker.publishMessage} takes. */
type Message = Parameters<Broker["publishMessage"]>[0];

/** `/publish`: a message from outside MQTT. */
export function addPublish(app: Hono, source: AdminSource): void {
  route(app, "/api/v1/publish", {
    POST: async (c) => {
      readQuery(c, []);
      const fields = await readFields(c);
      // Only now, for the broker may have begun to stop while the body came.
      const broker = changeableBrokerOf(source);
      const message = readMessage(fields);
      checkTaken(broker, message);
      const matched = await changeSafely(broker, () => broker.publishMessage(message));
      return json({ matched });
    },
  });
}

async function readFields(c: Context): Promise<ReadonlyMap<string, unknown>> {
  const type = c.req.header("content-type") ?? "";
  // Also because a page of another origin cannot send this type unasked.
  if (!/^application\/json *(;|$)/i.test(type)) {
    throw new RequestError(415, "not_json", "the body has to be application/json");
  }
  const bytes = await readBody(c, BODY_MAXIMUM_BYTES);
  let body: unknown;
  try {
    body = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
    throw badRequest("the body is no JSON");
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw badRequest("the body has to be an object");
  }
  const fields = new Map(Object.entries(body));
  for (const name of fields.keys()) {
    if (!FIELDS.has(name)) throw badRequest(`unknown field '${shortened(name)}'`);
  }
  return fields;
}

function readMessage(fields: ReadonlyMap<string, unknown>): Message {
  const topic = text(fields, "topic");
  if (topic === undefined) throw badRequest("'topic' is missing");
  const properties: MessageProperties = {
    payloadFormatIndicator: integer(fields, "payloadFormatIndicator", 1),
    contentType: text(fields, "contentType"),
    responseTopic: text(fields, "responseTopic"),
    correlationData: base64(fields, "correlationDataBase64", FIELD_MAXIMUM_BYTES),
    userProperties: userProperties(fields.get("userProperties")),
  };
  const { responseTopic } = properties;
  // [MQTT-3.3.2-14]
  if (responseTopic !== undefined && (responseTopic === "" || /[+#]/.test(responseTopic))) {
    throw badRequest("'responseTopic' is not a Topic Name");
  }
  const retain = fields.get("retain") ?? false;
  if (typeof retain !== "boolean") throw badRequest("'retain' is true or false");
  return {
    topic,
    payload: readPayload(fields),
    qos: (integer(fields, "qos", 2) ?? 0) as 0 | 1 | 2,
    retain,
    properties: encodeProperties(properties),
    messageExpirySeconds: integer(fields, "messageExpiryInterval", EXPIRY_MAXIMUM_SECONDS),
  };
}

function readPayload(fields: ReadonlyMap<string, unknown>): Uint8Array {
  const payload = fields.get("payload");
  const bytes = base64(fields, "payloadBase64", BODY_MAXIMUM_BYTES);
  if (payload === undefined) return bytes ?? new Uint8Array();
  if (bytes !== undefined) throw badRequest("'payload' and 'payloadBase64' exclude one another");
  if (typeof payload !== "string" || !payload.isWellFormed()) {
    throw badRequest("'payload' is a text; other bytes go to 'payloadBase64'");
  }
  return encoder.encode(payload);
}

/** The same limits that a client meets. */
function checkTaken(broker: Broker, { topic, payload, retain }: Message) {
  const { settings, topics, retained, journal } = broker;
  const name = encoder.encode(topic);
  if (topics.lookup(name, 0, name.length) === null) throw badRequest("'topic' is no Topic Name");
  if (/^\$(SYS|share)(\/|$)/.test(topic)) {
    throw new RequestError(409, "belongs_to_broker", "the broker alone publishes to this topic");
  }
  if (settings.messageSizeLimit > 0 && payload.length > settings.messageSizeLimit) {
    const message = `the payload is longer than message_size_limit, ${settings.messageSizeLimit}`;
    throw new RequestError(413, "too_large", message);
  }
  if (retain && !settings.retainAvailable) {
    throw new RequestError(409, "retain_not_available", "retain_available is false");
  }
  const maximum = settings.maxRetainedMessages;
  const isFull = maximum > 0 && retained.count >= maximum;
  if (!journal.accepting || retain && payload.length > 0 && isFull && !retained.get(topic)) {
    throw new RequestError(503, "no_room", "there is no room to keep the message");
  }
}

/** A UTF-8 Encoded String as the core lets it pass [MQTT-1.5.4-1], [MQTT-1.5.4-2]. */
function text(fields: ReadonlyMap<string, unknown>, name: string): string | undefined {
  const value = fields.get(name);
  if (value === undefined || isUtf8String(value)) return value;
  throw badRequest(`'${name}' is a text of at most ${FIELD_MAXIMUM_BYTES} bytes, no controls`);
}

function isUtf8String(value: unknown): value is string {
  return typeof value === "string" &&
    !/[\p{Control}\p{Surrogate}\p{Noncharacter_Code_Point}]/u.test(value) &&
    encoder.encode(value).length <= FIELD_MAXIMUM_BYTES;
}

function integer(
  fields: ReadonlyMap<string, unknown>,
  name: string,
  maximum: number,
): number | undefined {
  const value = fields.get(name);
  if (value === undefined) return undefined;
  if (Number.isInteger(value) && value as number >= 0 && value as number <= maximum) {
    return value as number;
  }
  throw badRequest(`'${name}' is a whole number from 0 to ${maximum}`);
}

function base64(
  fields: ReadonlyMap<string, unknown>,
  name: string,
  maximumBytes: number,
): Uint8Array | undefined {
  const value = fields.get(name);
  if (value === undefined) return undefined;
  try {
    const bytes = typeof value === "string" ? Uint8Array.fromBase64(value) : null;
    if (bytes !== null && bytes.length <= maximumBytes) return bytes;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw badRequest(`'${name}' is base64 of at most ${maximumBytes} bytes`);
}

function userProperties(value: unknown): MessageProperties["userProperties"] {
  if (value === undefined) return undefined;
  const isPair = (pair: unknown) =>
    Array.isArray(pair) && pair.length === 2 && pair.every(isUtf8String);
  if (Array.isArray(value) && value.every(isPair)) return value;
  throw badRequest(`'userProperties' is a list of pairs: [["name", "value"], …]`);
}

function shortened(name: string): string {
  return name.length > 40 ? `${name.slice(0, 40)}…` : name;
}
