/** Collects the mutations: every `x.mutations.ts` under test/ belongs to the `x.test.ts` beside it. */
import { existsSync } from "node:fs"
import { readdir } from "node:fs/promises"
import type { GuardedMutation, Mutation } from "./mutation.ts"

const folder = new URL("../", import.meta.url)
const ending = ".mutations.ts"

/** Throws for a list without a test file beside it, so that a renamed test cannot orphan its mutations. */
export async function collectMutations(): Promise<readonly GuardedMutation[]> {
  const files = (await readdir(folder, { recursive: true })).filter((file) => file.endsWith(ending)).sort()
  const lists = files.map(async (file) => {
    const test = file.replace(ending, ".test.ts")
    if (!existsSync(new URL(test, folder))) throw new Error(`test/${file}: found no ${test} beside it`)
    const { mutations } = (await import(new URL(file, folder).href)) as { mutations: readonly Mutation[] }
    return mutations.map((mutation) => ({ ...mutation, test: `test/${test}` }))
  })
  return (await Promise.all(lists)).flat()
}
