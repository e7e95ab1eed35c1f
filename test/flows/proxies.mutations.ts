/** Removes the defences that proxies.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/http/router.ts", [
    [
      "routes are matched on the path as sent",
      "const route = routeOf(caller.path)",
      "const route = routeOf(new URL(request.url).pathname)",
      "HTP-01, HTP-02",
    ],
  ]),
  ...at("server/http/forward-auth.ts", [
    ["a refusal is never a success", 'if (form === "refusal")', "if (false)", "answers nginx 200 or 401"],
  ]),
]
