import type { CallParty } from '../../../shared/events/call.js';
import { createContact } from '../../contacts/create.js';
import { ContactModel } from '../../contacts/model.js';
import { type Resolved, resolveOrCreate } from '../../contacts/resolve.js';
import type { Scope } from '../../workspaces/scope.js';

export interface CallArrival {
  inboxId: string;
  callId: string;
  /** The outside end; null for a call between two of our own telephones. */
  customer: CallParty | null;
  direction: 'in' | 'out' | 'internal';
  /** The operator answers for the numbers in this log. */
  vouch: boolean;
  importId: string;
  at: Date;
}

/**
 * Whose timeline a call stands on. A number leads to whoever proved it, and to one unproved contact otherwise. A caller
 * who withheld the number is a person of their own each time; calls between colleagues gather on one contact an inbox.
 */
export async function whoseCall(scope: Scope, call: CallArrival): Promise<Resolved> {
  const { customer, inboxId, importId } = call;
  if (customer === null) {
    return gathered(scope, `${inboxId}:phone:internal`, 'Internal calls', importId);
  }
  if (customer.anonymous) {
    return gathered(scope, `${inboxId}:anonymous:${call.callId}`, customer.name, importId);
  }
  return resolveOrCreate(scope, {
    inboxId,
    type: 'phone',
    value: customer.e164 ?? customer.shown,
    // What a caller's telephone says of itself. A number that we dialled comes with our own colleague's name.
    name: call.direction === 'in' ? customer.name : undefined,
    proved: call.vouch && customer.e164 !== undefined ? 'agent' : undefined,
    source: 'call',
    importId,
    at: call.at,
  });
}

/** The contact that gathers under this key, made once: two that make it at once end with one. */
async function gathered(
  scope: Scope,
  gathers: string,
  name: string | undefined,
  importId: string,
): Promise<Resolved> {
  const find = () => ContactModel.findOne({ workspaceId: scope.workspaceId, gathers }, { _id: 1 }).lean();
  const found = await find();
  if (found) return { contactId: found._id, verified: false };
  try {
    return { contactId: await createContact(scope, { given: { name }, gathers, importId }), verified: false };
  } catch (error) {
    const rival = await find();
    if (rival) return { contactId: rival._id, verified: false };
    throw error;
  }
}
