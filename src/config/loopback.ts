/** Whether only this machine can reach an address. */
export function isLoopback(address: string): boolean {
  return /^(127(\.\d{1,3}){3}|::1|localhost)$/i.test(address);
}
