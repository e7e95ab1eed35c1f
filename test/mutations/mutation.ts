/** A defence with the edit that removes it and the test that must see it gone. */

export type Mutation = {
  readonly defence: string
  readonly file: string
  /** Text that the file holds exactly once. */
  readonly find: string
  readonly replace: string
  /** A test file, and a part of the names of the tests in it that guard the defence. */
  readonly test: string
  readonly name: string
}

type Edit = readonly [defence: string, find: string, replace: string, test: string, name: string]

/** The defences that stand in one file. */
export const at = (file: string, edits: readonly Edit[]): readonly Mutation[] =>
  edits.map(([defence, find, replace, test, name]) => ({ defence, file, find, replace, test, name }))
