/** Removes the defences that admin.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/admin/guard.ts", [
    ["a token is wanted", "if (!identity) {", "if (identity === null) {", "ADM-01"],
    ["the host is loopback or listed", "requireHost(request, deps.hosts)", "", "ADM-04"],
    ["only the whole host name counts", 'host.replace(/:[0-9]+$/, "")', "host.slice(0, 9)", "ADM-04"],
    ["no foreign origin", "if (!isOwn || ", "if (", "ADM-03"],
    ["no foreign site", '(site !== "none" && site !== "same-origin")', "false", "ADM-03"],
    ["failed requests are throttled", 'await take(deps.failures, "failures")', "", "ADM-08"],
  ]),
  ...at("server/admin/handler.ts", [
    ["the role allows the action", "requireRole(identity, route)", "", "ADM-02"],
    ["bodies are JSON", 'if (request.method === "POST") requireJson(request)', "", "ADM-05"],
  ]),
  ...at("server/admin/actions.ts", [
    ["a credit names its token", "units, admin: call.identity.name, note", "units, note", "ADM-06"],
    [
      "a revocation names its token",
      'by: "operator", admin: call.identity.name, note',
      'by: "operator", note',
      "ADM-06",
    ],
  ]),
  ...at("server/keys/admin-tokens.ts", [
    ["a token is drawn by chance", " || new Set(token).size < leastCharacters", "", "ADM-07"],
    [
      "each token has a file of its own",
      "others.some((other) => other.sha256.equals(sha256))",
      "false",
      "ADM-07",
    ],
    ["a removed token is refused", "known = found", "", "whose file is removed"],
  ]),
  ...at("server/config/admin.ts", [
    [
      "plain http stays on this machine",
      "if (!allowInsecureHttp && !isLoopback(host))",
      "if (false)",
      "ADM-09",
    ],
  ]),
]
