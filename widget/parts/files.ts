import type { FileRef } from '../../shared/events/parts.js';
import type { Kit } from '../extras.js';
import { type ExtrasTexts, localesOf } from '../texts/text.js';
import type { fileAddresses } from '../upload.js';

const sizeOf = (bytes: number, locale: string): string => {
  const isLarge = bytes >= 1_000_000;
  return new Intl.NumberFormat(localesOf(locale), {
    style: 'unit',
    unit: isLarge ? 'megabyte' : 'kilobyte',
    maximumFractionDigits: isLarge ? 1 : 0,
  }).format(bytes / (isLarge ? 1_000_000 : 1_000));
};

/** Images that no browser runs scripts in; everything else is a row to download. */
const pictures = /^image\/(png|jpeg|gif|webp|avif)$/;

export interface FilesView {
  addresses: ReturnType<typeof fileAddresses>;
  words: ExtrasTexts;
  locale: string;
  onFailure: () => void;
  /** A picture has come. */
  onLoad: () => void;
}

export function files(refs: readonly FileRef[], from: string, { html, icon }: Kit, view: FilesView): unknown {
  const { addresses, words } = view;
  const save = async (ref: FileRef): Promise<void> => {
    try {
      const link = document.createElement('a');
      link.href = await addresses.load(ref.fileId, true);
      link.download = ref.name;
      link.click();
    } catch {
      view.onFailure();
    }
  };
  return refs.map((ref) => {
    const isPicture = pictures.test(ref.type);
    const row = html`${icon('clip')}<span class="cut">${ref.name}</span
      ><small>${sizeOf(ref.size, view.locale)}</small>`;
    const known = addresses.known(ref.fileId);
    // What cannot be shown stays a row; pressing it tries again.
    if (isPicture && known === undefined) addresses.load(ref.fileId).then(view.onLoad, () => undefined);
    const content = isPicture && known ? html`<img src=${known} alt=${words.imageFrom(from)} />` : row;
    return html`<button
      type="button"
      class=${isPicture && known ? 'pic' : 'file'}
      aria-label=${words.fileCalled(ref.name)}
      @click=${() => save(ref)}
    >
      ${content}
    </button>`;
  });
}
