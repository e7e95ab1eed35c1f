/** The commands for those who pay, and what agents call. */
import { at, type Mutation } from "../mutation.ts"

export const commands: readonly Mutation[] = [
  ...at("client/cli/private-text.ts", [
    [
      "keys and passwords that others can read are not used",
      "if (flaw) throw",
      "if (!flaw) throw",
      "test/client/cli/cli.test.ts",
      "CLI-20: a key file or a password file",
    ],
    [
      "no key is written over",
      'flag: "wx"',
      'flag: "w"',
      "test/client/cli/cli.test.ts",
      "CLI-20: two that make an account at once",
    ],
  ]),
  ...at("client/cli/keystore.ts", [
    [
      "the address of the file is that of its key",
      "address && parseAddress(account.address) !== address",
      "false",
      "test/client/cli/cli.test.ts",
      "CLI-20: a wrong password",
    ],
  ]),
  ...at("client/cli/fetch.ts", [
    [
      "agreed in advance are prices, not recipients",
      'isAgreed && purchase.reason === "price"',
      "isAgreed",
      "test/client/cli/cli.test.ts",
      "CLI-08: nobody agrees in advance",
    ],
  ]),
  ...at("client/cli/answer.ts", [
    [
      "answers do not write to the screen as they like",
      "pipeline(source, harmless, stdout, { end: false })",
      "pipeline(source, stdout, { end: false })",
      "test/client/cli/cli.test.ts",
      "CLI-20, CLI-21: asks before it pays",
    ],
  ]),
  ...at("client/cli/purchase-text.ts", [
    [
      "names of sellers do not write to the screen as they like",
      "printable(text).slice(0, 60)",
      "text",
      "test/client/cli/cli.test.ts",
      "CLI-21: what a seller calls his goods",
    ],
  ]),
  ...at("client/mcp/request.ts", [
    [
      "tool calls set no header that carries credentials",
      "!allowed.has(name.toLowerCase())",
      "false",
      "test/client/mcp/mcp.test.ts",
      "CLI-04: cannot send",
    ],
  ]),
  ...at("client/mcp/reach.ts", [
    [
      "tool calls reach nothing of the own network",
      "!addresses.every(isPublic)",
      "false",
      "test/client/mcp/mcp.test.ts",
      "CLI-22: reaches the origins",
    ],
  ]),
  ...at("client/mcp/server.ts", [
    [
      "only a yes of the person is one",
      'action === "accept" && content?.pay === true',
      'action !== "cancel"',
      "test/flows/agent.test.ts",
      "CLI-02: what costs more",
    ],
  ]),
]
