import mongoose from 'mongoose';

/** A file as somebody gave it: one row an upload, its name and its place. */
export interface FileRow {
  _id: string;
  workspaceId: string;
  /** SHA-256 of the content, hex. */
  hash: string;
  size: number;
  /** Safe to show and to put into a header. */
  name: string;
  /** Read from the bytes. */
  type: string;
  /** Whose timeline it stands on; null until it is sent. */
  contactId: string | null;
  conversationId: string | null;
  /** The contact's own browser may fetch it: not a note's, not an e-mail's. */
  visibleToVisitor: boolean;
  uploadedBy: { type: 'contact' | 'agent' | 'system'; id: string | null };
  createdAt: Date;
}

/** The content itself, kept once a workspace, with the number of files that hold it. */
export interface BlobRow {
  /** `workspaceId:hash`. */
  _id: string;
  workspaceId: string;
  hash: string;
  size: number;
  refs: number;
  /** Name under which the bytes lie on the disk or in GridFS. */
  storedAs: string;
}

const text = { type: String, required: true } as const;
const options = { versionKey: false, strict: 'throw' } as const;

const fileSchema = new mongoose.Schema<FileRow>(
  {
    _id: text,
    workspaceId: text,
    hash: text,
    size: { type: Number, required: true },
    name: text,
    type: text,
    contactId: { type: String, default: null },
    conversationId: { type: String, default: null },
    visibleToVisitor: { type: Boolean, default: false },
    uploadedBy: {
      type: { type: String, enum: ['contact', 'agent', 'system'], required: true },
      id: { type: String, default: null },
    },
    createdAt: { type: Date, required: true },
  },
  options,
);
fileSchema.index({ workspaceId: 1, contactId: 1 });
fileSchema.index({ workspaceId: 1, createdAt: 1 });

const blobSchema = new mongoose.Schema<BlobRow>(
  {
    _id: text,
    workspaceId: text,
    hash: text,
    size: { type: Number, required: true },
    refs: { type: Number, required: true },
    storedAs: text,
  },
  options,
);
blobSchema.index({ storedAs: 1 }, { unique: true });

export const FileModel = mongoose.model<FileRow>('File', fileSchema, 'files');
export const BlobModel = mongoose.model<BlobRow>('Blob', blobSchema, 'blobs');
