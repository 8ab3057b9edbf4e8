/** What a check of the doctor found. */
export interface Finding {
  check: string;
  state: 'ok' | 'warning' | 'failed';
  found: string;
  /** What to do about it; absent when all is well. */
  remedy?: string;
}
