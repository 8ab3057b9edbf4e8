import { describe, expect, it } from 'vitest';
import { changeContact, contactDetail } from '../../../server/contacts/contacts.js';
import { createContact } from '../../../server/contacts/create.js';
import { resolveOrCreate } from '../../../server/contacts/resolve.js';
import { dismissSuggestion } from '../../../server/contacts/suggestions.js';
import { aCompany, withStore } from '../store.js';

withStore();

describe('suggestions', () => {
  it('name the reason, from both sides, and stay away once they were dismissed or merged', async () => {
    const company = await aCompany();
    const { scope, agent, agentId } = company;
    const names = ['Daniel Okafor', 'D. Okafor', 'Maria Silva'];
    const [a = '', b = '', c = ''] = await Promise.all(
      names.map((name) => createContact(scope, { given: { name } })),
    );
    for (const id of [a, b, c]) await changeContact(agent, id, { fields: { company: 'Wheelhouse Ltd.' } });
    const of = async (id: string) => (await contactDetail(scope, id, agentId)).suggestions;
    expect(await of(a)).toMatchObject([
      { contactId: a, otherId: b, otherName: 'D. Okafor', reason: 'similar_name' },
    ]);
    expect(await of(b)).toMatchObject([{ contactId: b, otherId: a, reason: 'similar_name' }]);
    expect(await of(c)).toEqual([]);
    await dismissSuggestion(scope, b, a);
    await dismissSuggestion(scope, a, b);
    expect([await of(a), await of(b)]).toEqual([[], []]);
  });

  it('find the same number of a caller and a customer', async () => {
    const company = await aCompany();
    const { scope, agentId, phone } = company;
    const number = '+442079460018';
    const caller = await resolveOrCreate(scope, {
      inboxId: phone._id,
      type: 'phone',
      value: number,
      source: 'call',
    });
    const other = await resolveOrCreate(scope, {
      inboxId: phone._id,
      type: 'phone',
      value: number,
      source: 'import',
      proved: 'agent',
    });
    const detail = await contactDetail(scope, other.contactId, agentId);
    expect(detail.suggestions).toMatchObject([
      { otherId: caller.contactId, reason: 'same_phone', value: number },
    ]);
  });
});
