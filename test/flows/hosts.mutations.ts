/** Removes the adaptations that hosts.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/wire/host.ts", [
    [
      "members that the host refuses are left out",
      "for (const member of refusedMembers()) delete accepted[member]",
      "",
      "buy, call and check in",
    ],
  ]),
  ...at("client/wire/bodies.ts", [
    [
      "answers without streams are read",
      "if (response.body !== undefined) return readBounded",
      "return readBounded",
      "in a host without streams",
    ],
  ]),
  ...at("client/verifier/issuer-state.ts", [
    [
      "no redirect mode that workerd refuses",
      'redirect: "manual",',
      'redirect: "error",',
      "buy, call and check in",
    ],
  ]),
]
