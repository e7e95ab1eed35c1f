/** Removes the defences that adapters.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/adapters/undici.ts", [
    [
      "no dispatch after a redirect to another origin",
      "if (isRedirect(response)) targetOf(response, url)",
      "",
      "CLI-04: a redirect",
    ],
    [
      "a dispatched path cannot name a host",
      "new URL(`${new URL(origin).origin}${path}`)",
      "new URL(path, origin)",
      "CLI-12: a path that looks",
    ],
    [
      "an unread answer is cancelled",
      "reader?.cancel().catch(() => {})",
      "",
      "closes the connection when the handler",
    ],
  ]),
  ...at("client/adapters/axios.ts", [
    [
      "refusals keep their type through axios",
      "isAxiosError(error) && error.cause instanceof Ticket402Error ? error.cause : error",
      "error",
      "CLI-01: a price over",
    ],
  ]),
]
