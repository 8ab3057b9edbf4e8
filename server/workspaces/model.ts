import mongoose from 'mongoose';

/** A company that uses Threadline. */
export interface WorkspaceRow {
  _id: string;
  name: string;
  /** ISO 3166-1 alpha-2, upper case: how a number without a country code is read. */
  defaultCountry: string;
  /** The number of the newest conversation: #4182. Grows in the transaction that begins one. */
  conversationCount: number;
  createdAt: Date;
}

const workspaceSchema = new mongoose.Schema<WorkspaceRow>(
  {
    _id: { type: String, required: true },
    name: { type: String, required: true },
    defaultCountry: { type: String, required: true },
    conversationCount: { type: Number, required: true, default: 0 },
    createdAt: { type: Date, required: true },
  },
  { versionKey: false, strict: 'throw' },
);

export const WorkspaceModel = mongoose.model<WorkspaceRow>('Workspace', workspaceSchema, 'workspaces');
