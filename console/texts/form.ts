/** A text, or one for each plural form of `{count}` that the language has. */
export type Text = string | { readonly [form in Intl.LDMLPluralRule]?: string };
/** Texts in another language: every key of the English ones, nothing besides. */
export type Translated<Texts> = { readonly [Key in keyof Texts]: Texts[Key] extends string ? string : Text };
