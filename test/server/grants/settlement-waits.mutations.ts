/** Removes the defences that settlement-waits.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/grants/settlement-waits.ts", [
    ["waits are bounded", "stopped || waiting.size >= atOnce", "stopped", "is refused at once"],
    [
      "a wait ends with its client",
      'signal.addEventListener("abort", wait.end, { once: true })',
      "",
      "ends after its time",
    ],
  ]),
]
