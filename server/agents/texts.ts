/** What Threadline itself writes to its agents. Held complete by its type: every language has every text. */
export interface AgentMailTexts {
  resetSubject: string;
  reset(link: string, minutes: number): string;
  invitationSubject(workspace: string): string;
  invitation(inviter: string, workspace: string, link: string, days: number): string;
}

const en: AgentMailTexts = {
  resetSubject: 'Set a new password',
  reset: (link, minutes) =>
    `Somebody asked to set a new password for your Threadline account.\n\nTo choose one, open this link within ${minutes} minutes:\n\n${link}\n\nIf it was not you, do nothing: your password stays as it is.\n`,
  invitationSubject: (workspace) => `Join ${workspace} on Threadline`,
  invitation: (inviter, workspace, link, days) =>
    `${inviter} invites you to work in ${workspace} on Threadline.\n\nTo accept, open this link within ${days} days:\n\n${link}\n`,
};

const ru: AgentMailTexts = {
  resetSubject: 'Новый пароль',
  reset: (link, minutes) =>
    `Кто-то попросил задать новый пароль для вашей учётной записи в Threadline.\n\nЧтобы выбрать его, откройте ссылку в течение ${minutes} мин.:\n\n${link}\n\nЕсли это были не вы, ничего не делайте: пароль останется прежним.\n`,
  invitationSubject: (workspace) => `Приглашение в ${workspace}`,
  invitation: (inviter, workspace, link, days) =>
    `${inviter} приглашает вас работать в ${workspace} на Threadline.\n\nЧтобы принять приглашение, откройте ссылку (действует дней: ${days}):\n\n${link}\n`,
};

export const agentMailTexts: Record<'en' | 'ru', AgentMailTexts> = { en, ru };
