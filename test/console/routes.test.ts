import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressOf, type Route, readRoute } from '../../console/router.js';

const read = (address: string) => readRoute(new URL(address, 'https://desk.example'));

describe('addresses', () => {
  test('every place reads back from its own address', () => {
    const id = fc.stringMatching(/^[0-9a-zA-Z_-]{1,40}$/);
    const route: fc.Arbitrary<Route> = fc.oneof(
      fc.record(
        {
          page: fc.constant('inbox' as const),
          workspaceId: id,
          view: fc.constantFrom(
            'mine' as const,
            'unassigned' as const,
            'all' as const,
            'closed' as const,
            'spam' as const,
          ),
          sort: fc.constantFrom('waiting' as const, 'recent' as const),
          conversationId: id,
          inboxId: id,
          timeline: fc.constant(true as const),
        },
        { requiredKeys: ['page', 'workspaceId', 'view', 'sort'] },
      ),
      fc.record({ page: fc.constant('contacts' as const), workspaceId: id, query: fc.string() }),
      fc.record({ page: fc.constant('contact' as const), workspaceId: id, contactId: id }),
      fc.record({
        page: fc.constant('settings' as const),
        workspaceId: id,
        section: fc.constantFrom('profile' as const, 'inboxes' as const, 'agents' as const),
      }),
    );
    fc.assert(
      fc.property(route, (one) => {
        expect(read(addressOf(one))).toEqual(one);
      }),
    );
  });

  test('a one-time token stands after the #', () => {
    const token = 'abcdefghijklmnopqrstuvwxyz';
    expect(read(`/#setup=${token}`)).toEqual({ page: 'setup', token });
    expect(read(`/#invitation=${token}`)).toEqual({ page: 'invitation', token });
    expect(read('/#setup=short')).toEqual({ page: 'home' });
  });

  test('what is no place of ours is unknown, never an error', () => {
    fc.assert(
      fc.property(fc.webPath(), (path) => {
        expect(readRoute({ pathname: path, search: '' }).page).toBeTypeOf('string');
      }),
    );
    expect(read('/w/a/inbox/everything').page).toBe('unknown');
    expect(read('/w/a/inbox/all/..%2f..').page).toBe('unknown');
  });
});
