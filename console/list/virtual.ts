import { virtualize } from '@lit-labs/virtualizer/virtualize.js';
import type { TemplateResult } from 'lit';

/** The one place that knows how long lists are drawn: only the rows near the screen are in the page. */
export function virtualRows(
  ids: readonly string[],
  row: (id: string, index: number) => TemplateResult,
): unknown {
  return virtualize({
    items: [...ids],
    keyFunction: (id: string) => id,
    renderItem: row,
    scroller: false,
  });
}
