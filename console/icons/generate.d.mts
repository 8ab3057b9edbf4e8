export const names: readonly string[];
/** What sprite.ts holds for those names. */
export function sprite(): string;
