import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import type { Request } from 'express';
import * as v from 'valibot';
import { EmailAddress, shortText } from '../../../shared/text.js';

/**
 * The demo shop's customers. A real shop knows its customers by its own sign-in and signs an identity token for the
 * page it shows them; so does this one. Its sign-in is a link that only the operator of this server can make
 * (`threadline demo`): a visitor of the page cannot become anybody.
 */
export interface DemoCustomer {
  /** The shop's own id for the customer. */
  id: string;
  name: string;
  email: string;
  phone?: string | undefined;
}

const Signed = v.strictObject({
  id: v.pipe(v.string(), v.regex(/^[0-9a-zA-Z_.@+-]{1,100}$/)),
  name: shortText(),
  email: EmailAddress,
  phone: v.optional(v.pipe(v.string(), v.regex(/^\+[1-9]\d{6,14}$/))),
  /** Until when, in milliseconds since 1970. */
  until: v.number(),
});

export const demoCookie = 'threadline_demo';
const linkLifeMs = 3_600_000;

const keyFor = (secretKey: string): Buffer =>
  Buffer.from(hkdfSync('sha256', secretKey, 'threadline', 'http/demo-customer', 32));
const macOf = (secretKey: string, text: string): string =>
  createHmac('sha256', keyFor(secretKey)).update(text).digest('base64url');

/** A pass that says who the customer is, good for an hour. */
function demoPass(secretKey: string, customer: DemoCustomer, now = Date.now()): string {
  const text = Buffer.from(JSON.stringify({ ...customer, until: now + linkLifeMs })).toString('base64url');
  return `${text}.${macOf(secretKey, text)}`;
}

/** The address that signs a browser in to the demo shop as this customer. */
export const demoSignInLink = (
  config: { secretKey: string; publicUrl: string },
  customer: DemoCustomer,
): string => `${config.publicUrl}/demo/sign-in?pass=${demoPass(config.secretKey, customer)}`;

/** Whom a pass names; null when it is none of ours or over. */
export function readDemoPass(secretKey: string, pass: string, now = Date.now()): DemoCustomer | null {
  const match = /^([0-9a-zA-Z_-]{1,2000})\.([0-9a-zA-Z_-]{43})$/.exec(pass);
  if (!match) return null;
  const [, text = '', mac = ''] = match;
  if (!timingSafeEqual(Buffer.from(mac), Buffer.from(macOf(secretKey, text)))) return null;
  const parsed = v.safeParse(Signed, JSON.parse(Buffer.from(text, 'base64url').toString('utf8')));
  if (!parsed.success || parsed.output.until <= now) return null;
  const { until: _until, ...customer } = parsed.output;
  return customer;
}

/** Who is signed in to the demo shop in this browser. */
export function demoCustomerOf(secretKey: string, req: Request): DemoCustomer | null {
  const pairs = (req.get('cookie') ?? '').split(';').map((pair) => pair.trim());
  const found = pairs.find((pair) => pair.startsWith(`${demoCookie}=`));
  return found === undefined ? null : readDemoPass(secretKey, found.slice(demoCookie.length + 1));
}
