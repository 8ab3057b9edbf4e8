import { AppError } from './errors.js';
import { limits } from './limits.js';

const unsafeKeys = new Set(['__proto__', 'constructor', 'prototype']);

/**
 * Refuses data that is dangerous to walk, before anything else touches it: nesting over the limit (an array
 * nested 5,000 deep, emitted again, ends a Socket.IO process), too many keys, keys that reach a prototype.
 * Iterative, so that it cannot itself run out of stack.
 * @throws AppError `too_deep`, `unsafe_key`, `too_large`
 */
export function guardShape(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  let level: object[] = [value];
  let keys = 0;
  for (let depth = 1; level.length > 0; depth += 1) {
    if (depth > limits.jsonDepth) throw new AppError('too_deep', { limit: limits.jsonDepth });
    const next: object[] = [];
    for (const node of level) {
      if (ArrayBuffer.isView(node) || node instanceof ArrayBuffer) continue;
      const isArray = Array.isArray(node);
      for (const key of Object.keys(node)) {
        keys += 1;
        if (keys > limits.jsonKeys) throw new AppError('too_large', { limit: limits.jsonKeys });
        if (!isArray && unsafeKeys.has(key)) throw new AppError('unsafe_key', { key });
        const child: unknown = (node as Record<string, unknown>)[key];
        if (typeof child === 'object' && child !== null) next.push(child);
      }
    }
    level = next;
  }
}
