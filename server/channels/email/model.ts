import mongoose from 'mongoose';

/**
 * Which thread a Message-ID belongs to, as one contact knows it in one inbox. A stranger who names the same id writes
 * rows of their own, so that an id that is known proves nothing and reveals nothing.
 */
export interface LetterLinkRow {
  /** Hash of workspace, inbox, contact and id. */
  _id: string;
  workspaceId: string;
  contactId: string;
  /** The key that the thread's conversation was, or will be, begun under. */
  key: string;
  /** A letter that we wrote here: a copy of it found elsewhere is no other letter. */
  ours: boolean;
}

const text = { type: String, required: true } as const;

const letterLinkSchema = new mongoose.Schema<LetterLinkRow>(
  { _id: text, workspaceId: text, contactId: text, key: text, ours: { type: Boolean, default: false } },
  { versionKey: false, strict: 'throw' },
);
letterLinkSchema.index({ workspaceId: 1, contactId: 1 });

export const LetterLinkModel = mongoose.model<LetterLinkRow>('LetterLink', letterLinkSchema, 'letter_links');
