/** Counted calls. */
import { at, type Mutation } from "../mutation.ts"

export const units: readonly Mutation[] = [
  ...at("server/stores/sqlite/units.ts", [
    [
      "a slice is taken from what is left",
      "saveMeter(id, take(meter, units))",
      "void take(meter, units)",
      "test/contracts/store.test.ts",
      "lends out what was sold",
    ],
  ]),
  ...at("server/core/units.ts", [
    [
      "no slice of more than is left",
      "if (left < cost) return 0",
      "",
      "test/server/gate/metering.test.ts",
      "exactly as many",
    ],
    [
      "a report told twice counts once",
      "spent: spent - slice.spent, unused: unused - slice.unused",
      "spent, unused",
      "test/contracts/store.test.ts",
      "notes what became of a slice once",
    ],
    [
      "no report of more than was taken",
      " && spent + unused <= slice.units",
      "",
      "test/server/core/units.test.ts",
      "taken back by a report",
    ],
  ]),
  ...at("server/gate/metering.ts", [
    [
      "no call without units",
      "current.available >= cost",
      "current.available >= 0",
      "test/server/gate/metering.test.ts",
      "TOK-32",
    ],
    [
      "a failed call gives its units back",
      'if (outcome === "kept") lot.spent += cost',
      "if (outcome) lot.spent += cost",
      "test/server/gate/metering.test.ts",
      "TOK-33",
    ],
  ]),
  ...at("server/adapters/express.ts", [
    ["5xx is free of charge", "res.headersSent && isFailed()", "false", "test/flows/units.test.ts", "TOK-33"],
  ]),
  ...at("client/wire/read-challenge.ts", [
    [
      "a used-up grant is not refreshed but bought anew",
      ' || error === "token_exhausted"',
      "",
      "test/flows/units.test.ts",
      "sells the next grant",
    ],
    [
      "a 402 is read within its time",
      ", AbortSignal.timeout(timeoutMs))",
      ")",
      "test/client/hostile.test.ts",
      "nothing is overspent",
    ],
  ]),
  ...at("server/gate/gate.ts", [
    [
      "counted calls are counted",
      "if (!claims.metered) return",
      "if (claims) return",
      "test/flows/units.test.ts",
      "TOK-32",
    ],
  ]),
]
