/** Removes the defences that cli.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/cli/private-text.ts", [
    [
      "keys and passwords that others can read are refused",
      "if (flaw) throw",
      "if (!flaw) throw",
      "CLI-20: a key file or password",
    ],
    ["a key file is never overwritten", 'flag: "wx"', 'flag: "w"', "CLI-20: two processes"],
  ]),
  ...at("client/cli/keystore.ts", [
    [
      "the key file's address matches its key",
      "address && parseAddress(account.address) !== address",
      "false",
      "CLI-20: a wrong password",
    ],
  ]),
  ...at("client/cli/fetch.ts", [
    [
      "--max and --yes approve prices, not recipients",
      'isAgreed && purchase.reason === "price"',
      "isAgreed",
      "CLI-08: --yes does not approve",
    ],
  ]),
  ...at("client/cli/answer.ts", [
    [
      "control characters of an answer do not reach the terminal",
      "pipeline(source, harmless, stdout, { end: false })",
      "pipeline(source, stdout, { end: false })",
      "CLI-20, CLI-21: asks",
    ],
  ]),
  ...at("client/cli/purchase-text.ts", [
    [
      "control characters of a seller's names do not reach the terminal",
      "printable(text).slice(0, 60)",
      "text",
      "CLI-21: a seller's names",
    ],
  ]),
]
