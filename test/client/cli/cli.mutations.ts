/** Removes the defences that cli.test.ts guards. */
import { at, type Mutation } from "../../mutations/mutation.ts"

export const mutations: readonly Mutation[] = [
  ...at("client/cli/private-text.ts", [
    [
      "keys and passwords that others can read are not used",
      "if (flaw) throw",
      "if (!flaw) throw",
      "CLI-20: a key file or a password file",
    ],
    ["no key is written over", 'flag: "wx"', 'flag: "w"', "CLI-20: two that make an account at once"],
  ]),
  ...at("client/cli/keystore.ts", [
    [
      "the address of the file is that of its key",
      "address && parseAddress(account.address) !== address",
      "false",
      "CLI-20: a wrong password",
    ],
  ]),
  ...at("client/cli/fetch.ts", [
    [
      "agreed in advance are prices, not recipients",
      'isAgreed && purchase.reason === "price"',
      "isAgreed",
      "CLI-08: nobody agrees in advance",
    ],
  ]),
  ...at("client/cli/answer.ts", [
    [
      "answers do not write to the screen as they like",
      "pipeline(source, harmless, stdout, { end: false })",
      "pipeline(source, stdout, { end: false })",
      "CLI-20, CLI-21: asks before it pays",
    ],
  ]),
  ...at("client/cli/purchase-text.ts", [
    [
      "names of sellers do not write to the screen as they like",
      "printable(text).slice(0, 60)",
      "text",
      "CLI-21: what a seller calls his goods",
    ],
  ]),
]
