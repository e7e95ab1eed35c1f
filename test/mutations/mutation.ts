/** A mutation: an edit that removes one defence, beside the test that must then fail. */

export type Mutation = {
  readonly defence: string
  readonly file: string
  /** Text that the file contains exactly once. */
  readonly find: string
  readonly replace: string
  /** A part of the names of the tests that guard the defence. */
  readonly name: string
}

/** A mutation with the path of the test file that guards it. */
export type GuardedMutation = Mutation & { readonly test: string }

type Edit = readonly [defence: string, find: string, replace: string, name: string]

/** Mutations of one source file, given by its path from the root. */
export const at = (file: string, edits: readonly Edit[]): readonly Mutation[] =>
  edits.map(([defence, find, replace, name]) => ({ defence, file, find, replace, name }))
