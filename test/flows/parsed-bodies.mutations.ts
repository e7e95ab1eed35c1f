/** Removes the defences that parsed-bodies.test.ts guards. */
import { at, type Mutation } from "../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("server/adapters/express/parsers.ts", [
    ["a parser fails the first purchase", "if (name !== undefined && ", "if (false && ", "fails the first"],
    [
      "a parser behind the endpoints is none before",
      "if (handle === endpoint) return found",
      "",
      "fails the first",
    ],
    [
      "a parser that keeps the bytes is accepted",
      "request.readableDidRead && bytesOf(request as never) === undefined",
      "request.readableDidRead",
      "where it keeps the bytes",
    ],
    ["each cause is logged once", "if (!logged.has(cause)) ", "", "fails the first"],
    ["lost bytes are noticed", "(isLost(req) ?", "(false ?", "is named at the request"],
  ]),
  ...at("server/adapters/body-bytes.ts", [
    [
      "only bytes are a body",
      "if (each instanceof Uint8Array)",
      "if (each)",
      "never has its parsed object used",
    ],
  ]),
  ...at("server/gate/raw-headers.ts", [
    [
      "headers of a request made by hand are read",
      "rawHeaders !== undefined && rawHeaders.length > 0",
      "rawHeaders !== undefined",
      "buys, refreshes and passes the gate",
    ],
    ["no header of a list is dropped", "[value ?? []].flat()", "[value ?? []].flat().slice(0, 1)", "TOK-20"],
  ]),
]
