/**
 * The loudness of a recording in as many bars as are drawn, from 0 to 1; the loudest is 1. Pure.
 */
export function peaksOf(samples: Float32Array, bars: number): number[] {
  const step = samples.length / bars;
  const loudness = Array.from({ length: bars }, (_, bar) => {
    const end = Math.min(samples.length, Math.floor((bar + 1) * step));
    let sum = 0;
    let count = 0;
    for (let at = Math.floor(bar * step); at < end; at += 1) {
      sum += (samples[at] ?? 0) ** 2;
      count += 1;
    }
    return count === 0 ? 0 : Math.sqrt(sum / count);
  });
  const most = Math.max(...loudness);
  return loudness.map((one) => (most === 0 ? 0 : one / most));
}

/** Longer recordings, and larger ones, are played without their wave: it would have to be decoded whole. */
const mostSeconds = 1_800;
const mostBytes = 30 * 1_048_576;
/** Speech is below 4 kHz on a telephone. */
const sampleRate = 8_000;

/** Reads a recording and draws its wave; null where its host does not let it be read, or it is no sound. */
export async function waveOf(
  url: string,
  seconds: number,
  bars: number,
): Promise<{ peaks: number[]; bytes: Blob } | null> {
  if (seconds > mostSeconds) return null;
  try {
    const answer = await fetch(url, { credentials: 'omit', referrerPolicy: 'no-referrer' });
    if (!answer.ok || Number(answer.headers.get('content-length') ?? 0) > mostBytes) return null;
    const bytes = await answer.blob();
    const sound = await new OfflineAudioContext(1, 1, sampleRate).decodeAudioData(await bytes.arrayBuffer());
    return { peaks: peaksOf(sound.getChannelData(0), bars), bytes };
  } catch {
    // It plays all the same: the bars stay flat.
    return null;
  }
}
