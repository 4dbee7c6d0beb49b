/**
 * Statements that bind servers and have no test yet. The list may only shrink: whoever writes a test
 * for one takes it off here, and the matrix test insists on it.
 */
export const untested: readonly string[] = [
  "MQTT-3.1.2-24",
  "MQTT-3.1.2-25",
  "MQTT-3.3.1-5",
  "MQTT-3.3.1-6",
  "MQTT-3.3.1-7",
  "MQTT-3.3.1-8",
  "MQTT-3.3.4-2",
  "MQTT-3.3.4-3",
  "MQTT-3.3.4-4",
  "MQTT-3.3.4-5",
  "MQTT-3.3.4-9",
  "MQTT-3.3.4-10",
  "MQTT-4.9.0-1",
  "MQTT-4.9.0-3",
  "MQTT-3.3.1-5 v3",
  "MQTT-3.3.1-6 v3",
  "MQTT-3.3.1-7 v3",
  "MQTT-3.3.1-8 v3",
  "MQTT-3.3.1-9 v3",
  "MQTT-3.3.5-1 v3",
];
