import { mergeContacts, previewUnmerge, unmerge } from '../contacts/merge.js';
import { MergeModel } from '../contacts/model.js';
import { chosenScope, workspaceOption } from './choose.js';
import { type Command, exitCodes, textOption, UsageError } from './command.js';
import { findContact } from './find-contact.js';
import { withStore } from './store.js';

export const mergeTwo: Command = {
  name: 'contacts merge',
  usage: 'A B [--reason TEXT] [--workspace NAME]',
  summary: 'Join contact B to contact A; can be undone exactly.',
  details: 'A and B are ids, e-mail addresses or telephone numbers.',
  options: { ...workspaceOption, reason: { type: 'string' } },
  args: { min: 2, max: 2 },
  async run(input) {
    return withStore(input, async () => {
      const scope = await chosenScope(input);
      const head = await findContact(scope, input.args[0] ?? '');
      const merged = await findContact(scope, input.args[1] ?? '');
      const { mergeId } = await mergeContacts(scope, head.contactId, merged.contactId, {
        reason: textOption(input, 'reason'),
      });
      input.out.data(
        { mergeId, contactId: head.contactId, mergedId: merged.contactId },
        `Joined ${merged.name ?? merged.contactId} to ${head.name ?? head.contactId}. To undo: threadline contacts unmerge ${mergeId}`,
      );
      return exitCodes.ok;
    });
  },
};

export const unmergeOne: Command = {
  name: 'contacts unmerge',
  usage: 'MERGE|CONTACT [--move-all] [--workspace NAME]',
  summary: 'Undo a merge, by its id, or the newest one of a contact.',
  details:
    '--move-all   notes and other events of nobody in particular leave with the contact; default: they stay',
  options: { ...workspaceOption, 'move-all': { type: 'boolean' } },
  args: { min: 1, max: 1 },
  async run(input) {
    return withStore(input, async () => {
      const scope = await chosenScope(input);
      const word = input.args[0] ?? '';
      const named = await MergeModel.findOne({ _id: word, workspaceId: scope.workspaceId }).lean();
      const merge =
        named ?? (await newestMerge(scope.workspaceId, (await findContact(scope, word)).contactId));
      if (!merge) throw new UsageError(`Nothing was merged into "${word}".`);
      const asked = await previewUnmerge(scope, merge._id);
      const movedEventIds = input.options['move-all'] === true ? asked.askAbout.map(({ id }) => id) : [];
      await unmerge(scope, merge._id, { movedEventIds });
      input.out.data(
        {
          mergeId: merge._id,
          contactId: merge.headId,
          unmergedId: merge.mergedId,
          moved: movedEventIds.length,
        },
        `${merge.mergedId} stands by itself again; ${movedEventIds.length} of ${asked.askAbout.length} shared events went with it.`,
      );
      return exitCodes.ok;
    });
  },
};

const newestMerge = (workspaceId: string, headId: string) =>
  MergeModel.findOne({ workspaceId, headId, undoneAt: null }).sort({ mergedAt: -1, _id: -1 }).lean();
