/** What `promise` resolves with, or `otherwise` if that takes longer. */
export async function withinMs<T>(
  promise: Promise<T>,
  milliseconds: number,
  otherwise: T,
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeOut = new Promise<T>((resolve) => {
    timer = setTimeout(() => resolve(otherwise), milliseconds);
  });
  const first = await Promise.race([promise, timeOut]);
  clearTimeout(timer);
  return first;
}
