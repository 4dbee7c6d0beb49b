import assert from "node:assert/strict";
import type { Broker } from "../../src/broker/broker.ts";
import type { Ledger } from "./ledger.ts";

/** Everything is read, acknowledged and settled: no session holds anything. */
export function assertNothingHeld(broker: Broker, ledger: Ledger): void {
  for (const session of broker.sessions) {
    const { outbound, clientId } = session;
    assert.equal(outbound.inFlight, 0, `${clientId} has messages in flight`);
    assert.equal(outbound.queued, 0, `${clientId} is ready and has messages queued`);
    assert.equal(outbound.queuedBytes, 0, `${clientId} has bytes queued`);
    assert.equal(outbound.heldBytes, 0, `${clientId} has bytes in flight`);
    const unreleased = session.inbound?.count ?? 0;
    // Who has thrown away his state and found an old session again does not release them.
    const { isExact, hasRefused } = ledger.sessions.get(clientId)!;
    const mayBeLeft = !isExact || hasRefused;
    assert.ok(mayBeLeft || unreleased === 0, `${clientId} has QoS 2 messages unreleased`);
    assert.ok(session.connection!.releaseHeld(-1), `${clientId} has acknowledgements held`);
    assert.ok(session.connection!.outbox.isEmpty, `${clientId} has bytes unsent`);
    assert.equal(session.retainedDeliveries, null, `${clientId} has retained messages to come`);
  }
}
