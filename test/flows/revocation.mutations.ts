/** Removes the defences that revocation.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/access/introspection.ts", [
    [
      "introspection for those who may ask",
      "if (!credentials || !isSecret(credentials.secret, secrets.get(credentials.id)))",
      "if (false)",
      "N-7662-1",
    ],
  ]),
  ...at("server/access/revocation.ts", [
    [
      "a client's token is the client's",
      "if (isClients(found.grant) && credentials?.id !== found.grant.subject)",
      "if (false)",
      "by that client only",
    ],
  ]),
]
