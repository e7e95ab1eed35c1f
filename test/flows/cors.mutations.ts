/** Removes the defences that cors.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/gate/cors.ts", [
    ["listed origins only", "listed.has(origin) && more", "more", "an unlisted origin is never"],
  ]),
  ...at("server/adapters/express/answer.ts", [
    [
      "exposed headers of the application stay",
      'union(String(res.getHeader(name) ?? ""), value)',
      "value",
      "keeps its exposed headers",
    ],
    [
      "exposed headers are added at the end",
      "if (value !== undefined) setHeaders(res, { [exposed]: value })",
      "",
      "keeps its exposed headers",
    ],
  ]),
  ...at("server/adapters/express/authorization-server.ts", [
    [
      "preflights of other routes are left alone",
      "(path !== undefined || isGated(issuer, req, arrived))",
      "true",
      "answers preflights of its own routes",
    ],
  ]),
  ...at("server/adapters/express/place.ts", [
    [
      "a gate of another method is none",
      "gates.has(handle) && isMethod(method, announced)",
      "gates.has(handle)",
      "answers preflights of its own routes",
    ],
  ]),
  ...at("server/config/schema.ts", [
    ["no list allows every header", "&'+.^_", "&'*+.^_", "refuses unknown lists"],
  ]),
]
