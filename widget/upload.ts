import type { ErrorReply } from '../shared/errors.js';
import type { FileRef } from '../shared/events/parts.js';
import type { Shell } from './shell.js';

/** A file on its way to the server, or there. */
export interface Upload {
  id: string;
  name: string;
  /** From 0 to 1. */
  progress: number;
  file?: FileRef;
  failed?: boolean;
  retry: () => void;
  abort: () => void;
}

/**
 * Uploads one file and tells its progress. `fetch` cannot tell how much has left, so this is an XMLHttpRequest.
 * @returns the upload, changed in place before each `onChange`
 */
export function upload({ base, token }: Shell, blob: File, onChange: () => void): Upload {
  let request: XMLHttpRequest;
  const made: Upload = {
    id: crypto.randomUUID(),
    name: blob.name,
    progress: 0,
    retry: start,
    abort: () => request.abort(),
  };
  function start(): void {
    made.failed = false;
    made.progress = 0;
    request = new XMLHttpRequest();
    request.open('POST', `${base}v1/visitor/files`);
    request.setRequestHeader('authorization', `Bearer ${token()}`);
    request.setRequestHeader('content-type', blob.type || 'application/octet-stream');
    request.setRequestHeader('x-file-name', encodeURIComponent(blob.name));
    request.responseType = 'json';
    request.upload.onprogress = ({ loaded, total }) => {
      made.progress = total ? loaded / total : 0;
      onChange();
    };
    request.onload = () => {
      const answer: (FileRef & { error?: ErrorReply }) | null = request.response;
      if (request.status < 300 && answer) made.file = answer;
      else made.failed = true;
      onChange();
    };
    request.onerror = () => {
      made.failed = true;
      onChange();
    };
    request.send(blob);
    onChange();
  }
  start();
  return made;
}

/** A stored file as a blob's address; the visitor's secret never stands in an address. Remembered for the page's life. */
export function fileAddresses({ base, token }: Shell) {
  const addresses = new Map<string, string>();
  const loading = new Map<string, Promise<string>>();
  const fetchOne = async (fileId: string): Promise<string> => {
    const answer = await fetch(`${base}v1/visitor/files/${fileId}`, {
      headers: { authorization: `Bearer ${token()}` },
    });
    if (!answer.ok) throw new Error(`The file could not be read (${answer.status}).`);
    const address = URL.createObjectURL(await answer.blob());
    addresses.set(fileId, address);
    return address;
  };
  /** One request a file, however often it is drawn; one that failed is asked for again when it is pressed. */
  const load = (fileId: string, again = false): Promise<string> => {
    const known = again && !addresses.has(fileId) ? undefined : loading.get(fileId);
    const made = known ?? fetchOne(fileId);
    loading.set(fileId, made);
    return made;
  };
  return {
    known: (fileId: string): string | undefined => addresses.get(fileId),
    load,
    forget(): void {
      for (const address of addresses.values()) URL.revokeObjectURL(address);
      addresses.clear();
      loading.clear();
    },
  };
}
