/** What lies before (`older`) or after (`newer`) a place, as a filter that an index on `(field, _id)` can enter. */
export function beyond(
  field: string,
  place: { at: Date; id: string },
  direction: 'older' | 'newer',
): Record<string, unknown> {
  const [bound, strict] = direction === 'older' ? ['$lte', '$lt'] : ['$gte', '$gt'];
  return {
    [field]: { [bound as string]: place.at },
    $or: [{ [field]: { [strict as string]: place.at } }, { _id: { [strict as string]: place.id } }],
  };
}
