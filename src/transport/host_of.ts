/**
 * The host in `host:port`. Mosquitto names it alone where a connection fails or is denied, and so do
 * the patterns of programs that watch its log for whom to lock out.
 */
export function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(":"));
}
