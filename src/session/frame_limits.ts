import { PacketType } from "../wire/packet_type.ts";
import type { Settings } from "./ports.ts";

/** Ceilings by packet type, so that a bogus packet fails before any of it is gathered. */
const CONTROL_MAXIMUM = 100_000, ACKNOWLEDGEMENT_MAXIMUM = 10_000, ANY = 0xffff_ffff;

/** Largest whole packet by type before CONNECT: nothing else is admitted [MQTT-3.1.0-1]. */
export function limitsBeforeConnect(settings: Settings): Uint32Array {
  const limits = new Uint32Array(16);
  limits[PacketType.Connect] = Math.min(CONTROL_MAXIMUM, settings.maxPacketSize || ANY);
  return limits;
}

/**
 * Largest whole packet by type afterwards. Types that only a server sends are admitted here, since
 * they are answered with a reason; 0 and CONNECT are not [MQTT-3.1.0-2].
 */
export function limitsAfterConnect(settings: Settings): Uint32Array {
  const any = settings.maxPacketSize || ANY;
  const limits = new Uint32Array(16).fill(Math.min(ACKNOWLEDGEMENT_MAXIMUM, any));
  limits[0] = limits[PacketType.Connect] = 0;
  limits[PacketType.Publish] = any;
  limits[PacketType.Subscribe] = limits[PacketType.Unsubscribe] = limits[PacketType.Auth] = Math
    .min(CONTROL_MAXIMUM, any);
  return limits;
}
