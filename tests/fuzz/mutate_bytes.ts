import type { Chance } from "../simulation/chance.ts";

/** Bytes changed, cut off, put behind, blotted out; lengths that lie. The argument stays as it is. */
export function mutateBytes(bytes: Uint8Array, chance: Chance): Uint8Array<ArrayBuffer> {
  const copy = bytes.slice() as Uint8Array<ArrayBuffer>;
  if (copy.length < 2) return copy;
  const at = chance.below(copy.length - 1);
  return chance.pick([
    () => {
      for (let count = 1 + chance.below(4); count > 0; count--) {
        copy[chance.below(copy.length)] = chance.below(256);
      }
      return copy;
    },
    () => {
      copy[at] ^= 1 << chance.below(8);
      return copy;
    },
    () => copy.slice(0, at),
    () => {
      const longer = new Uint8Array(copy.length + 1 + chance.below(64));
      longer.set(copy);
      for (let rest = copy.length; rest < longer.length; rest++) longer[rest] = chance.below(256);
      return longer;
    },
    () => copy.fill(chance.pick([0, 0xff]), at, at + chance.below(16)),
    () => {
      const view = new DataView(copy.buffer);
      view.setUint16(at, view.getUint16(at) + chance.pick([-1, 1]) * (1 + chance.below(300)));
      return copy;
    },
  ])();
}
