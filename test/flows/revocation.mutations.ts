/** Removes the defences that revocation.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/access/introspection.ts", [
    [
      "introspection needs credentials",
      "if (!credentials || !isSecret(credentials.secret, secrets.get(credentials.id)))",
      "if (false)",
      "N-7662-1",
    ],
  ]),
  ...at("server/access/revocation.ts", [
    [
      "a client's token is revoked by that client",
      "if (isClients(found.grant) && credentials?.id !== found.grant.subject)",
      "if (false)",
      "requires the client's",
    ],
  ]),
]
