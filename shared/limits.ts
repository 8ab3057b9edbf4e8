/**
 * Every limit of the product, in one place. Units stand last in the names. What a limit refuses is answered
 * with an error that names the limit; nothing is cut off silently.
 */
export const limits = {
  /** A chat message or note: characters as people count them, and bytes of UTF-8. */
  messageCodePoints: 8_000,
  messageBytes: 32 * 1024,
  attachmentBytes: 25 * 1024 * 1024,
  attachmentsPerMessage: 10,
  fileNameBytes: 180,
  /** A larger e-mail is kept raw, with an event that says so. */
  emailBytes: 50 * 1024 * 1024,
  /** Kept raw at most. */
  emailRawBytes: 2 * 1024 * 1024 * 1024,
  emailTextBytes: 256 * 1024,
  emailHtmlBytes: 5 * 1024 * 1024,
  emailParts: 1_000,
  emailDepth: 50,
  emailHeaders: 2_000,
  emailRecipients: 500,
  pageEntries: 200,
  pageEntriesDefault: 50,
  jsonDepth: 16,
  jsonKeys: 1_000,
  /** A JSON body over HTTP, and one packet on a socket. */
  bodyBytes: 256 * 1024,
  packetBytes: 100 * 1024,
  tokenBytes: 8 * 1024,
  nameCodePoints: 200,
  emailAddressBytes: 254,
  urlBytes: 2_048,
  userAgentBytes: 512,
  appendBatch: 256,
  /** What makes an append "once"; an e-mail's holds a hash, so none needs more. */
  dedupeKeyBytes: 512,
  subjectCodePoints: 500,
  snippetCodePoints: 140,
  /** Marks of the year picture; a contact with more in one year is drawn by its newest. */
  pictureMarks: 5_000,
  appendQueue: 20_000,
  /** How long a job that is done keeps its row, and with it its key. */
  jobsKeptDays: 7,
  /** How far `occurredAt` may stand after `recordedAt` before it is cut and flagged. */
  futureSkewMs: 5 * 60_000,
  /** What an import brings that is older than this is history: it opens no conversation and nobody waits for its answer. */
  historyAfterMs: 24 * 3_600_000,
  /** How long a chat message may have waited in its sender's outbox. */
  outboxWaitMs: 7 * 24 * 3_600_000,
  identityTokenLeewaySeconds: 60,
  /** An identity token that is valid for longer than this counts as expiring then. */
  identityTokenLifeSeconds: 24 * 3_600,
  accessTokenSeconds: 15 * 60,
  refreshTokenDays: 30,
  /** A browser that comes back within this time is known again. */
  visitorTokenDays: 400,
  setupTokenHours: 24,
  passwordResetMinutes: 60,
  invitationDays: 7,
  passwordCodePoints: { min: 10, max: 200 },
  longPollSeconds: 25,
  typingSeconds: 6,
  /** Members of one merged contact: a page of its timeline merges as many ordered scans. */
  mergedContacts: 50,
  conversationsOpenPerContact: 50,
  visitorSocketsPerContact: 20,
  claimsPerContact: 50,
  /** What one connection may send in a window, of whatever kind; over it the connection is closed. */
  connectionPackets: 3_000,
  connectionPacketsWindowMs: 10_000,
  /** What may wait for a reader before it leaves the live stream, to read on from its cursor later. */
  readerBehindBytes: 1024 * 1024,
  /** A reader that took nothing for this long is gone. */
  readerStuckMs: 30_000,
  /** What may wait for a connection at all, answers to its own requests included; over it the connection is cut off. */
  connectionWaitingBytes: 4 * 1024 * 1024,
} as const;
