/** Removes the defences that mounts.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/adapters/express/authorization-server.ts", [
    [
      "endpoints work below a mount",
      "req.baseUrl + req.path",
      "req.path",
      "leave the application's own routes alone",
    ],
    [
      "routes of the application come first",
      "return hasOwnRoute(req, arrived) ? undefined : path",
      "return path",
      "leave the application's own routes alone",
    ],
  ]),
  ...at("server/adapters/served-path.ts", [
    ["a removed path is put back", "prefix + path", "path", "has buyers that pay and refresh"],
  ]),
  ...at("server/adapters/express/place.ts", [
    ["an endpoint out of reach sells nothing", "    return false\n", "", "sell nothing where no buyer"],
    ["hidden documents are logged", "if (documents.length > 0)", "if (false)", "log where a mount hides it"],
  ]),
  ...at("server/gate/handle-gate.ts", [
    [
      "no price without an endpoint",
      "needsPrice(reason) && facts.isSold?.() === false",
      "false",
      "sell nothing where no buyer",
    ],
  ]),
]
