/** The command line of the client. */
import { at, type Mutation } from "../mutation.ts"

export const commands: readonly Mutation[] = [
  ...at("client/cli/private-text.ts", [
    [
      "keys and passwords that others can read are not used",
      "if (flaw) throw",
      "if (!flaw) throw",
      "test/client/cli.test.ts",
      "CLI-20: a key file or a password file",
    ],
    [
      "no key is written over",
      'flag: "wx"',
      'flag: "w"',
      "test/client/cli.test.ts",
      "CLI-20: two that make an account at once",
    ],
  ]),
  ...at("client/cli/keystore.ts", [
    [
      "the address of the file is that of its key",
      "address && parseAddress(account.address) !== address",
      "false",
      "test/client/cli.test.ts",
      "CLI-20: a wrong password",
    ],
  ]),
  ...at("client/cli/fetch.ts", [
    [
      "agreed in advance are prices, not recipients",
      'isAgreed && purchase.reason === "price"',
      "isAgreed",
      "test/client/cli.test.ts",
      "CLI-08: nobody agrees in advance",
    ],
  ]),
]
