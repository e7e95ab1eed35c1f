/** What strangers may ask for, and what they are told. */
import { at, type Mutation } from "../mutation.ts"

const gate = "test/server/gate/gate.test.ts"
const limits = "test/flows/limits.test.ts"
const whitelist = "test/flows/whitelist.test.ts"

export const strangers: readonly Mutation[] = [
  ...at("server/grants/payment/index.ts", [
    [
      "rate of a payer",
      "if (byKey) await deps.payers.take(payer)",
      "",
      limits,
      "a payer who signs too often",
    ],
    [
      "a payer's budget is his own",
      "await deps.payers.check(payer)",
      "await deps.payers.take(payer)",
      limits,
      "DOS-10",
    ],
    [
      "free only with a commitment",
      "if (opening === null) return undefined\n  const entry",
      "const entry",
      whitelist,
      "pays like everybody without a commitment",
    ],
  ]),
  ...at("server/grants/admission.ts", [
    [
      "scope of a client",
      'if (!includesScope(entry.scope, wanted)) throw new Refusal("invalid_scope")',
      "",
      whitelist,
      "give the part of the scope",
    ],
  ]),
  ...at("server/gate/gate.ts", [
    [
      "whitelist while it lasts",
      "const delisted = claims.paid ? undefined : whyDelisted(claims, request.scope)",
      "const delisted = claims.paid ? undefined : undefined",
      gate,
      "WL-09",
    ],
    [
      "age of the whitelist",
      'if (whitelist.age() > feedMaximumSeconds) return "gate_unavailable"',
      "",
      gate,
      "cannot tell with a list older",
    ],
  ]),
  ...at("server/core/whitelist.ts", [
    [
      "nothing revives with an entry",
      " && entry.listedAt <= issuedAt",
      "",
      "test/server/core/whitelist.test.ts",
      "not for what is older",
    ],
  ]),
  ...at("server/adapters/express.ts", [
    [
      "trusted proxies only",
      "proxyAddr(req, trusted)",
      "proxyAddr(req, () => true)",
      limits,
      "N-9700-5, WL-04",
    ],
  ]),
  ...at("server/adapters/cors.ts", [
    [
      "listed origins only",
      "origin: [...listed],",
      "origin: true,",
      "test/flows/cors.test.ts",
      "no other origin is ever named",
    ],
  ]),
]
