import { html, nothing, type PropertyValues, svg } from 'lit';
import type { TimelinePicture } from '../../shared/api.js';
import { channelColour, channelIcon, channelKnot } from '../parts/icon.js';
import { View } from '../parts/view.js';
import { t } from '../texts/text.js';
import { monthLabel, shortDate } from '../texts/time.js';
import { layOutPicture, type PictureShape, type PictureStyle, summarise, timeAt } from './picture.js';

/**
 * Twelve months at a glance. A click or a drag goes to that time; with the keyboard, arrows go from event to event,
 * Home and End to the first and last.
 *
 * @event jump - `detail` is the time to go to, ISO 8601
 */
class Glance extends View {
  static override properties = {
    ...View.properties,
    marks: { attribute: false },
    range: { attribute: false },
    style_: { attribute: false },
    window: { attribute: false },
    width: { state: true },
    at: { state: true },
  };
  declare marks: TimelinePicture['marks'];
  declare range: { from: Date; to: Date };
  declare style_: PictureStyle;
  /** What of the timeline is on screen. */
  declare window: { from: string; to: string } | null;
  declare width: number;
  /** The event the keyboard stands on. */
  declare at: number | null;

  #size: ResizeObserver | undefined;
  #isDragging = false;

  constructor() {
    super();
    this.marks = [];
    this.window = null;
    this.width = 384;
    this.at = null;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#size = new ResizeObserver(([entry]) => {
      const width = Math.round(entry?.contentRect.width ?? 0);
      // In a frame of its own: to draw anew within the observation would be observed again.
      if (width > 60 && width !== this.width)
        requestAnimationFrame(() => {
          this.width = width;
        });
    });
  }
  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#size?.disconnect();
  }
  protected override firstUpdated(_changed: PropertyValues): void {
    const figure = this.querySelector('.glance-box');
    if (figure) this.#size?.observe(figure);
  }

  #sorted(): TimelinePicture['marks'] {
    return [...this.marks].sort((a, b) => (a.at < b.at ? -1 : 1));
  }

  #jump(at: string): void {
    this.dispatchEvent(new CustomEvent('jump', { detail: at, bubbles: true }));
  }

  #onKeyDown = (event: KeyboardEvent) => {
    const marks = this.#sorted();
    if (marks.length === 0) return;
    const now = this.at ?? marks.length;
    const to =
      event.key === 'ArrowLeft' || event.key === 'ArrowDown'
        ? now - 1
        : event.key === 'ArrowRight' || event.key === 'ArrowUp'
          ? now + 1
          : event.key === 'Home'
            ? 0
            : event.key === 'End'
              ? marks.length - 1
              : null;
    if (to === null) return;
    event.preventDefault();
    event.stopPropagation();
    this.at = Math.min(marks.length - 1, Math.max(0, to));
    const mark = marks[this.at];
    if (mark) this.#jump(mark.at);
  };

  #onPointer = (event: PointerEvent & { currentTarget: Element }) => {
    if (event.type === 'pointerdown') {
      this.#isDragging = true;
      event.currentTarget.setPointerCapture(event.pointerId);
    }
    if (!this.#isDragging) return;
    if (event.type === 'pointerup' || event.type === 'pointercancel') this.#isDragging = false;
    if (event.type === 'pointercancel') return;
    const box = event.currentTarget.getBoundingClientRect();
    this.#jump(timeAt(event.clientX - box.left, this.range, this.width).toISOString());
  };

  protected override render() {
    const now = new Date(this.app.clock.get());
    const layout = layOutPicture(this.marks, this.range, {
      width: this.width,
      style: this.style_,
      now,
      window: this.window,
    });
    const sum = summarise(this.marks);
    const label = t('picture.label', {
      chat: t('picture.chat', { count: sum.chat }),
      email: t('picture.email', { count: sum.email }),
      phone: t('picture.phone', { count: sum.phone }),
    });
    const sorted = this.#sorted();
    const current = this.at === null ? undefined : sorted[this.at];
    const glyph = this.style_ === 'strip' ? 11 : 13;
    return html`<div class="glance-box"><svg
        viewBox="0 0 ${layout.width} ${layout.height}"
        width=${layout.width}
        height=${layout.height}
        role="slider"
        tabindex="0"
        aria-label=${label}
        aria-valuemin="0"
        aria-valuemax=${Math.max(0, sorted.length - 1)}
        aria-valuenow=${this.at ?? Math.max(0, sorted.length - 1)}
        aria-valuetext=${current ? t('picture.at', { channel: t(`channel.${current.channel}`), date: shortDate(current.at, now, true), place: (this.at ?? 0) + 1, count: sorted.length }) : t('picture.now')}
        @keydown=${this.#onKeyDown}
        @pointerdown=${this.#onPointer}
        @pointermove=${this.#onPointer}
        @pointerup=${this.#onPointer}
        @pointercancel=${this.#onPointer}
      >${layout.rows.map(
        ({ channel, y }) =>
          svg`<path class="g-base" d="M${layout.left} ${y}H${layout.width}" /><svg class="g-ic ${channelKnot[channel]} ${channelColour[channel]}" x="0" y=${y - glyph / 2} width=${glyph} height=${glyph} viewBox="0 0 24 24"><use href="#i-${channelIcon[channel]}" /></svg>`,
      )}${layout.months.map(
        (month) =>
          svg`<path class="g-line" d="M${month.x.toFixed(1)} 2V${layout.bottom}" /><text x=${(month.x + month.width / 2).toFixed(1)} y=${layout.height - 3} text-anchor="middle" class=${month.isCurrent ? 'cur' : ''}>${monthLabel(month.first, this.style_ === 'wide' && month.width >= 44 ? 'short' : 'narrow')}</text>`,
      )}<path class="g-line" d="M${layout.width} 2V${layout.bottom}" />${
        layout.window
          ? svg`<rect class="g-win" x=${layout.window.x.toFixed(1)} y="1.5" width=${layout.window.width.toFixed(1)} height=${layout.bottom - 1} rx="3" />`
          : nothing
      }${layout.shapes.map(drawShape)}${
        current
          ? svg`<circle class="g-at" cx=${markX(layout.shapes, current.id)} cy=${layout.rows.find((row) => row.channel === current.channel)?.y ?? 0} r="7" />`
          : nothing
      }${layout.nowX === null ? nothing : svg`<path class="g-now" d="M${layout.nowX.toFixed(1)} 0V${layout.bottom + 2}" />`}</svg></div>`;
  }
}
customElements.define('tl-glance', Glance);

const markX = (shapes: readonly PictureShape[], id: string) =>
  shapes.find((shape) => shape.marks.some((mark) => mark.id === id))?.x ?? -20;

function drawShape(shape: PictureShape) {
  const out = shape.out ? 'g-out' : '';
  switch (shape.channel) {
    case 'chat':
      return svg`<circle class="g-chat ${out}" cx=${shape.x.toFixed(1)} cy=${shape.y.toFixed(1)} r=${shape.size.toFixed(1)} stroke-width=${shape.out ? 1.4 : 0} />`;
    case 'email':
      return svg`<rect class="g-mail ${out}" x=${(shape.x - shape.size / 2).toFixed(1)} y=${(shape.y - shape.size / 2).toFixed(1)} width=${shape.size.toFixed(1)} height=${shape.size.toFixed(1)} rx="1" stroke-width=${shape.out ? 1.4 : 0} />`;
    case 'phone':
      return svg`<rect class="g-phone ${out}" x=${(shape.x - 1.6).toFixed(1)} y=${(shape.y - shape.size / 2).toFixed(1)} width="3.2" height=${shape.size.toFixed(1)} rx="1.2" stroke-width=${shape.out ? 1.2 : 0} />`;
  }
}
