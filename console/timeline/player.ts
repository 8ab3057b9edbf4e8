import { html, svg } from 'lit';
import { icon } from '../parts/icon.js';
import { View } from '../parts/view.js';
import { t } from '../texts/text.js';
import { length } from '../texts/time.js';
import { waveOf } from './wave.js';

const bars = 64;
/** A bar and the gap after it. */
const pitch = 3;
const height = 18;
const stepSeconds = 5;

/** The one that plays: another that begins silences it. */
let playing: Player | null = null;

/**
 * The recording of a call, in a line of the timeline. Nothing is fetched before it is played. The bars are flat until
 * the sound has been read, and stay so where its host does not let it be read.
 */
class Player extends View {
  static override properties = {
    ...View.properties,
    url: { attribute: false },
    seconds: { attribute: false },
    state: { state: true },
    at: { state: true },
    peaks: { state: true },
  };
  declare url: string;
  /** How long was talked; the sound itself knows better once it is there. */
  declare seconds: number;
  declare state: 'still' | 'playing' | 'failed';
  declare at: number;
  declare peaks: readonly number[] | null;

  #sound: HTMLAudioElement | null = null;
  /** The whole recording, once it has been read. */
  #bytes: Blob | null = null;
  #address = '';

  constructor() {
    super();
    this.state = 'still';
    this.at = 0;
    this.peaks = null;
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#sound?.pause();
    if (playing === this) playing = null;
    URL.revokeObjectURL(this.#address);
  }

  #length(): number {
    const known = this.#sound?.duration;
    return known !== undefined && Number.isFinite(known) && known > 0 ? known : this.seconds;
  }

  /** The sound, made on first use. */
  #open(): HTMLAudioElement {
    if (this.#sound) return this.#sound;
    const sound = new Audio();
    sound.preload = 'auto';
    sound.addEventListener('timeupdate', () => {
      this.at = sound.currentTime;
    });
    sound.addEventListener('durationchange', () => this.requestUpdate());
    sound.addEventListener('play', () => {
      this.state = 'playing';
    });
    for (const end of ['pause', 'ended'])
      sound.addEventListener(end, () => {
        if (this.state === 'playing') this.state = 'still';
      });
    sound.addEventListener('error', () => {
      this.state = 'failed';
    });
    sound.src = this.url;
    this.#sound = sound;
    void waveOf(this.url, this.seconds, bars).then((wave) => {
      this.peaks = wave?.peaks ?? null;
      this.#bytes = wave?.bytes ?? null;
    });
    return sound;
  }

  async #toggle(): Promise<void> {
    const sound = this.#open();
    if (this.state === 'playing') {
      sound.pause();
      return;
    }
    if (playing !== this) playing?.pause();
    playing = this;
    if (this.at >= this.#length() - 0.05) sound.currentTime = 0;
    try {
      await sound.play();
    } catch (error) {
      // Paused before it began is no failure.
      if (!(error instanceof DOMException && error.name === 'AbortError')) this.state = 'failed';
    }
  }

  pause(): void {
    this.#sound?.pause();
  }

  #seek(seconds: number): void {
    const at = Math.min(this.#length(), Math.max(0, seconds));
    const sound = this.#open();
    const { seekable } = sound;
    const canSeek = seekable.length > 0 && seekable.end(seekable.length - 1) >= at;
    if (!canSeek && this.#bytes) this.#playBytes(sound, this.#bytes);
    sound.currentTime = at;
    this.at = at;
  }

  /** Some hosts send a recording from its beginning only: what was read of it can be played from anywhere. */
  #playBytes(sound: HTMLAudioElement, bytes: Blob): void {
    if (this.#address !== '') return;
    this.#address = URL.createObjectURL(bytes);
    const wasPlaying = this.state === 'playing';
    sound.src = this.#address;
    if (wasPlaying) void sound.play().catch(() => undefined);
  }

  #onPointer = (event: PointerEvent & { currentTarget: Element }) => {
    if (event.type === 'pointerdown') event.currentTarget.setPointerCapture(event.pointerId);
    else if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
    const box = event.currentTarget.getBoundingClientRect();
    this.#seek(((event.clientX - box.left) / box.width) * this.#length());
  };

  #onKeyDown = (event: KeyboardEvent) => {
    const to: Record<string, number> = {
      ArrowLeft: this.at - stepSeconds,
      ArrowDown: this.at - stepSeconds,
      ArrowRight: this.at + stepSeconds,
      ArrowUp: this.at + stepSeconds,
      Home: 0,
      End: this.#length(),
    };
    const seconds = to[event.key];
    if (seconds === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.#seek(seconds);
  };

  protected override render() {
    if (this.state === 'failed')
      return html`<div class="player"><span class="grow cut">${t('call.not_playable')}</span><a class="link" href=${this.url} target="_blank" rel="noopener noreferrer">${t('call.open_recording')}</a></div>`;
    const whole = this.#length();
    const share = whole === 0 ? 0 : this.at / whole;
    const isPlaying = this.state === 'playing';
    const name = t(isPlaying ? 'call.pause' : 'call.play');
    const now = length(Math.floor(this.at));
    return html`<div class="player">
      <button class="ib" type="button" title=${name} aria-label=${name} @click=${() => void this.#toggle()}>${icon(isPlaying ? 'pause' : 'play', 's')}</button>
      <svg
        class="wave"
        viewBox="0 0 ${bars * pitch} ${height}"
        preserveAspectRatio="none"
        role="slider"
        tabindex="0"
        aria-label=${t('call.recording')}
        aria-valuemin="0"
        aria-valuemax=${Math.floor(whole)}
        aria-valuenow=${Math.floor(this.at)}
        aria-valuetext=${t('call.position', { at: now, length: length(Math.floor(whole)) })}
        @keydown=${this.#onKeyDown}
        @pointerdown=${this.#onPointer}
        @pointermove=${this.#onPointer}
      >${Array.from({ length: bars }, (_, bar) => {
        const tall = Math.max(2, (this.peaks?.[bar] ?? 0) * (height - 2));
        return svg`<rect class=${(bar + 0.5) / bars <= share ? 'w1' : 'w0'} x=${bar * pitch} y=${((height - tall) / 2).toFixed(1)} width="1.8" height=${tall.toFixed(1)} rx="0.9" />`;
      })}</svg>
      <span class="num">${this.at > 0 ? `${now} / ` : ''}${length(Math.floor(whole))}</span>
    </div>`;
  }
}
customElements.define('tl-player', Player);

/** Only the web is an address that can be played or opened. */
export const isPlayable = (url: string | undefined): url is string =>
  url !== undefined && /^https?:\/\//i.test(url);
