import { AppError } from '../../shared/errors.js';
import { AgentModel } from './model.js';
import { isPassword } from './passwords.js';
import { hasSignedInFrom, openSession, type Tokens } from './sessions.js';
import { networkOf, type Throttle } from './throttle.js';

/**
 * Signs an agent in: always into a new session.
 * @throws AppError `credentials_wrong` (the same for an unknown address), `rate_limited`
 */
export async function signIn(
  deps: { secretKey: string; throttle: Throttle },
  given: { email: string; password: string },
  address: string,
): Promise<Tokens> {
  const agentId = await checkPassword(deps.throttle, given, address);
  return openSession(deps.secretKey, agentId, networkOf(address));
}

/**
 * Whose password it is. The one way to try one without being signed in: each try counts, whatever it is tried for.
 * @throws AppError `credentials_wrong` (the same for an unknown address), `rate_limited`
 */
export async function checkPassword(
  throttle: Throttle,
  given: { email: string; password: string },
  address: string,
): Promise<string> {
  const agent = await AgentModel.findOne({ email: given.email }, { passwordHash: 1 }).lean();
  const attempt = {
    email: given.email,
    address,
    isKnownAddress: agent !== null && (await hasSignedInFrom(agent._id, networkOf(address))),
  };
  await throttle.beforeSignIn(attempt);
  const isRight = await isPassword(agent?.passwordHash ?? null, given.password);
  if (!agent || !isRight) throw new AppError('credentials_wrong');
  await throttle.afterSignIn(attempt);
  return agent._id;
}
