import type { Touch } from '../shared/events/message.js';

const campaign = /^(utm_(source|medium|campaign|term|content)|gclid|fbclid|msclkid|yclid)$/;
const urlLength = 2_000;

/**
 * Where this visit came from, as this page shows it. Kept in memory alone and told with the first message: whoever
 * never writes leaves no trace.
 */
export function readTouch(): Touch {
  const parameters: Record<string, string> = {};
  for (const [name, value] of new URLSearchParams(location.search)) {
    if (campaign.test(name)) parameters[name] = value.slice(0, 200);
  }
  return {
    landingPage: location.href.slice(0, urlLength),
    referrer: document.referrer.slice(0, urlLength),
    parameters,
    at: new Date().toISOString(),
  };
}
