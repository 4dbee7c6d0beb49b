/**
 * Statements that bind servers and have no test yet. The list may only shrink: whoever writes a test
 * for one takes it off here, and the matrix test insists on it.
 */
export const untested: readonly string[] = [];
