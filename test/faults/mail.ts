import { SMTPServer } from 'smtp-server';

/** A real mail server that notes what left, and by which server's hand. */
export interface MailServer {
  /** What a server of this name gives as SMTP_URL. */
  urlFor(name: string): string;
  /** Message-IDs, in the order in which letters were taken. */
  readonly taken: readonly string[];
  /** The letters themselves, in the same order. */
  readonly letters: readonly string[];
  /** Before a recipient is accepted: whoever hands the letter over waits until this resolves. */
  whenAddressed: ((server: string) => Promise<void>) | null;
  close(): Promise<void>;
}

export async function startMailServer(): Promise<MailServer> {
  const taken: string[] = [];
  const letters: string[] = [];
  const server = new SMTPServer({
    authOptional: true,
    allowInsecureAuth: true,
    disabledCommands: ['STARTTLS'],
    onAuth: ({ username }, _session, done) => done(null, { user: username ?? '' }),
    onRcptTo(_address, session, done) {
      const wait = mail.whenAddressed?.(String(session.user)) ?? Promise.resolve();
      wait.then(
        () => done(),
        (error: Error) => done(error),
      );
    },
    onData(stream, _session, done) {
      let letter = '';
      stream.on('data', (piece: Buffer) => (letter += piece.toString('latin1')));
      stream.on('end', () => {
        letters.push(letter);
        taken.push(/^message-id:\s*(\S+)/im.exec(letter)?.[1] ?? '');
        done(null, 'queued');
      });
    },
  });
  // Who was killed in the middle of a letter says nothing more.
  server.on('error', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const mail: MailServer = {
    urlFor: (name) => `smtp://${name}:secret@127.0.0.1:${port}`,
    taken,
    letters,
    whenAddressed: null,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
  return mail;
}
