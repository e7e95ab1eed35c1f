/** Removes the defences that run.test.ts guards. */
import { at, type Mutation } from "./mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("test/mutations/group.ts", [
    [
      "the processes of a mutation run end with it",
      "await endGroup(child.pid!)",
      "child.kill()",
      "no process of a run is left when the run",
    ],
    [
      "processes of a mutation run that ignore SIGTERM are killed",
      'signal(group, "SIGKILL")',
      "",
      "no process of a run is left when the run",
    ],
  ]),
  ...at("test/mutations/run.ts", [
    [
      "a time limit kills no mutation",
      "!failureMessages.every(isLate)",
      "true",
      "a time limit alone does not kill",
    ],
  ]),
]
