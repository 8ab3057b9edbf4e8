import { Role } from '../../shared/api.js';
import { parse } from '../../shared/parse.js';
import { EmailAddress, shortText } from '../../shared/text.js';
import { giveAccess } from '../agents/members.js';
import { resetAddress } from '../agents/password-reset.js';
import { countryOf } from '../workspaces/country.js';
import { addFirstInboxes } from '../workspaces/first.js';
import { systemScope } from '../workspaces/scope.js';
import { addWorkspace as makeWorkspace } from '../workspaces/workspaces.js';
import { chosenWorkspace, workspaceOption } from './choose.js';
import { type Command, exitCodes, textOption, UsageError } from './command.js';
import { withStore } from './store.js';

const whoseText = (email: string, link: string | null): string =>
  link === null
    ? `${email} is a member already and has this role now.`
    : `Give ${email} this link; it is good once, for seven days:\n${link}`;

function chosenCountry(text: string | undefined): string | undefined {
  const country = text === undefined ? undefined : countryOf(text);
  if (country === null) throw new UsageError(`--country ${text}: ISO 3166-1 knows no such country.`);
  return country;
}

export const addWorkspace: Command = {
  name: 'workspace add',
  usage: 'NAME --owner EMAIL [--country CC]',
  summary: 'Make a workspace and its owner.',
  details:
    '--owner EMAIL   who owns it: invited by a link\n--country CC    how telephone numbers without a country are read (ISO 3166-1: GB, DE, RU); default: DEFAULT_COUNTRY',
  options: { owner: { type: 'string' }, country: { type: 'string' } },
  args: { min: 1, max: 1 },
  async run(input) {
    const owner = textOption(input, 'owner');
    if (owner === undefined) throw new UsageError('--owner EMAIL is missing.');
    const email = parse(EmailAddress, owner);
    const name = parse(shortText(), input.args[0]);
    const country = chosenCountry(textOption(input, 'country'));
    return withStore(input, async (config) => {
      const workspace = await makeWorkspace(name, country ?? config.defaultCountry);
      const scope = systemScope(workspace._id);
      await addFirstInboxes(scope, config.publicUrl);
      const { link } = await giveAccess(config, scope, { email, role: 'owner' });
      input.out.data(
        { workspaceId: workspace._id, name, country: workspace.defaultCountry, owner: email, link },
        `Workspace "${name}" (${workspace._id}) is there. ${whoseText(email, link)}`,
      );
      return exitCodes.ok;
    });
  },
};

export const addAgent: Command = {
  name: 'agent add',
  usage: 'EMAIL [--workspace NAME] [--role owner|admin|agent]',
  summary: 'Give somebody a place in a workspace.',
  details: '--role    default: agent',
  options: { ...workspaceOption, role: { type: 'string' } },
  args: { min: 1, max: 1 },
  async run(input) {
    const email = parse(EmailAddress, input.args[0]);
    const role = parse(Role, textOption(input, 'role') ?? 'agent');
    return withStore(input, async (config) => {
      const workspace = await chosenWorkspace(input);
      const { link } = await giveAccess(config, systemScope(workspace._id), { email, role });
      input.out.data({ workspaceId: workspace._id, email, role, link }, whoseText(email, link));
      return exitCodes.ok;
    });
  },
};

export const resetAgent: Command = {
  name: 'agent reset',
  usage: 'EMAIL',
  summary: 'Print a link by which an agent sets a new password.',
  details: 'The link is good once, for an hour. Setting the password signs the agent out everywhere.',
  args: { min: 1, max: 1 },
  async run(input) {
    const email = parse(EmailAddress, input.args[0]);
    return withStore(input, async (config) => {
      const link = await resetAddress(config, email);
      input.out.data({ email, link }, link);
      return exitCodes.ok;
    });
  },
};
