import { html, nothing, type TemplateResult } from 'lit';
import type { ContactDetail, Suggestion } from '../../shared/api.js';
import { icon } from '../parts/icon.js';
import { phone, valueText } from '../texts/phone.js';
import { t } from '../texts/text.js';
import { shortDate, timeIn } from '../texts/time.js';

/** How a contact is called: by their name, else by what is known of them. */
export function nameOf(contact: ContactDetail): string {
  const [known = contact.claims[0]] = contact.identities;
  return contact.fields.name ?? (known ? valueText(known.type, known.value) : t('contact.unnamed'));
}

/** Leeds, 10:22 there. `alone`: the details do not stand beside it, so it says the company as well. */
export function whereabouts(contact: ContactDetail, now: Date, how: { alone: boolean }): string {
  const zone = contact.visit?.timeZone || contact.fields.timeZone;
  const there = zone ? timeIn(zone, now) : null;
  return [
    contact.fields.city,
    there && t('contact.their_time', { time: there }),
    how.alone && contact.fields.company,
  ]
    .filter(Boolean)
    .join(', ');
}

/** Identities and claims in one line: what is proved, and, dashed, what was only said. */
export function identityLine(contact: ContactDetail, now: Date): TemplateResult | typeof nothing {
  const claims = openClaims(contact);
  if (contact.identities.length + claims.length === 0) return nothing;
  return html`<div class="ids">
    ${contact.identities
      .slice(0, 6)
      .map(
        (identity) =>
          html`<span title=${t('proof.since', { proof: t(`proof.${identity.proof}`), date: shortDate(identity.provedAt, now, true) })}>${icon('badge-check', 's')}<span class="cut">${valueText(identity.type, identity.value)}</span><span class="vh">${t('proof.proved')}</span></span>`,
      )}
    ${claims
      .slice(0, 4)
      .map(
        (claim) =>
          html`<span class="unp" title=${t('claim.title', { source: t(`source.${claim.source}`), date: shortDate(claim.madeAt, now, true) })}>${icon('circle-dashed', 's')}<span class="unproved cut">${valueText(claim.type, claim.value)}</span><span class="vh">${t('timeline.unverified')}</span></span>`,
      )}
  </div>`;
}

/** A claim of what is proved already says nothing new. */
export const openClaims = (contact: ContactDetail) =>
  contact.claims.filter(
    (claim, index) =>
      !contact.identities.some(
        (identity) => identity.type === claim.type && identity.value === claim.value,
      ) &&
      contact.claims.findIndex((other) => other.type === claim.type && other.value === claim.value) === index,
  );

/** What the visitor looks at now, and with what. */
export function visitLine(contact: ContactDetail): TemplateResult | typeof nothing {
  const { visit } = contact;
  if (!visit?.online || !visit.url) return nothing;
  const where = visit.url.replace(/^https?:\/\//, '').replace(/\/$/, '');
  const isWeb = /^https?:/i.test(visit.url);
  return html`<p class="visit">${icon('globe', 's')}<span class="cut">${
    isWeb
      ? html`<a href=${visit.url} target="_blank" rel="noopener noreferrer" title=${visit.title || visit.url}>${where}</a>`
      : where
  }</span><span class="lab cut">${[visit.browser, visit.system].filter(Boolean).join(', ')}</span></p>`;
}

export const suggestionWords = (suggestion: Suggestion): string =>
  t(`suggestion.${suggestion.reason}`, {
    name: suggestion.otherName ?? t('contact.unnamed'),
    value: phone(suggestion.value),
  });
