import { hash, verify } from '@node-rs/argon2';

// OWASP's floor for argon2id: 19 MiB, two passes, one lane; argon2id is this library's default kind.
const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

// The same letters typed on another keyboard may arrive composed differently.
const canonical = (password: string): string => password.toWellFormed().normalize('NFC');

/** argon2id in PHC form, with a salt of its own. */
export function hashPassword(password: string): Promise<string> {
  return hash(canonical(password), cost);
}

let decoy: Promise<string> | undefined;

/** Whether it is the password. Without a hash (nobody has that address) it takes as long and answers false. */
export async function isPassword(passwordHash: string | null, password: string): Promise<boolean> {
  decoy ??= hashPassword('nobody has this password');
  const isRight = await verify(passwordHash ?? (await decoy), canonical(password));
  return isRight && passwordHash !== null;
}
