/** What client ids look like; anything else is not repeated into a log. */
const clientIdShape = /^[\w-]{8,64}$/;

/**
 * The one id that leads from a click to its delivery: what the client itself calls that which it sends. It is made at the
 * click, stands in the event's body, and so is known to whoever has the event: the door, the sockets, a job days later.
 */
export function correlationOf(body: unknown): string | undefined {
  if (typeof body !== 'object' || body === null || !('clientId' in body)) return undefined;
  const { clientId } = body;
  return typeof clientId === 'string' && clientIdShape.test(clientId) ? clientId : undefined;
}
