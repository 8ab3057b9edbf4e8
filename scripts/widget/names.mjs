/**
 * Names of ours that neither a browser, the wire, nor storage knows: with the keys of the catalogues they become a
 * letter or two, the same in every chunk. A name that is missing here costs bytes, never correctness; none may be
 * spelled as a string anywhere. test/shared/widget-names.test.ts holds them apart from the wire's, and
 * test/widget/names.browser.test.ts from the browser's.
 */
export const ownNames = `
  addresses atLeastMs attempt begun choose client complain counter daysAgo delivery dress ends extra extras
  field fromEnd heard iconOf isAtEnd isFirst isLast isList isLoaded isNews isOnline isOpen isRestored isSeen
  isStale known loadExtras makeSocket nameOf need needsForm newAfter onChange onFailure onLoad onReached
  onStuck openLine outbox peek picture popup readByOther reading refusal renderRoot requestUpdate resting
  row saveDraft seenUntold setOpen setTyping setUnread shell shows threads timer times toggleMenu
  updateComplete updated wantsOlder willUpdate words
`
  .trim()
  .split(/\s+/);
