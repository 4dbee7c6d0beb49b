/** No option is longer, and the cost grows with the square. */
const LENGTH_MAXIMUM = 64;

/**
 * The candidate that was probably meant by `word`: at most a third of it mistyped, counting
 * insertions, deletions, replacements and swapped neighbours; upper case and `-` count as nothing.
 */
export function nearestName(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length > LENGTH_MAXIMUM) return undefined;
  const given = plain(word);
  let nearest: string | undefined;
  let smallest = Math.max(1, Math.floor(given.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(given, plain(candidate), smallest);
    if (distance < smallest) {
      smallest = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

/** `did you mean 'X'?` for the nearest candidate, or nothing. */
export function nearestHint(word: string, candidates: Iterable<string>): string | undefined {
  const nearest = nearestName(word, candidates);
  return nearest === undefined ? undefined : `did you mean '${nearest}'?`;
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll("-", "_");
}

/** Optimal string alignment; any number ≥ `limit` if the distance is not below it. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = last[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(replaced, last[j] + 1, row[j - 1] + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        row[j] = Math.min(row[j], beforeLast[j - 2] + 1);
      }
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length];
}
