/** Reads `settings.json`, the payer's rules for the commands. The client checks the values, which are its options. */
import { readFile } from "node:fs/promises"
import { z } from "zod"
import { suggestName } from "../../shared/values/option-names.ts"
import { codeOf } from "../node/private-file.ts"
import { CommandError } from "./failures.ts"

const texts = z.array(z.string())

/** The descriptions make the table in docs/agents.md. */
export const settingsSchema = z.strictObject({
  budget: z
    .strictObject({
      perPurchase: z.string().default("0.10"),
      perDay: z.string().default("1.00"),
      perOriginPerDay: z.string().exactOptional(),
      perOrigin: z.string().exactOptional(),
      perOffer: z.string().exactOptional(),
      total: z.string().exactOptional(),
      approveAbove: z.string().default("0.01"),
    })
    .prefault({})
    .describe(
      "limits in dollars: `perPurchase`, `perDay` (24 hours), optionally `perOriginPerDay`, `perOrigin`, `perOffer` and `total`; a price above `approveAbove` needs the approval of a person",
    ),
  networks: texts
    .default(["eip155:11155111", "eip155:84532"])
    .describe(
      "networks on which the account may pay, by name such as `base` or CAIP-2 id; test networks by default",
    ),
  allow: z
    .strictObject({
      origins: texts.exactOptional(),
      assets: texts.exactOptional(),
      recipients: texts.exactOptional(),
    })
    .prefault({})
    .describe(
      "`origins`, `assets` and `recipients` that may be paid; an absent list restricts nothing. `mcp` calls these origins only",
    ),
  tokenEndpoints: texts
    .default([])
    .describe("token endpoints on other origins than their API that may be paid"),
  expectedCalls: z
    .int()
    .positive()
    .default(1)
    .describe("planned number of calls to a service; the client buys the offer that is cheapest for it"),
  payPerCall: z
    .boolean()
    .default(false)
    .describe("also pay plain x402 servers, which sell no tokens: one payment for each call"),
  dpop: z.boolean().default(false).describe("bind every token to a key, so that a stolen token is useless"),
  allowInsecureHttp: z
    .boolean()
    .default(false)
    .describe("pay over plain http outside this machine; for closed networks only"),
})

export type CommandSettings = z.infer<typeof settingsSchema>

/** The defaults when there is no file. Throws a {@link CommandError} that names the wrong member. */
export async function readSettings(file: string): Promise<CommandSettings> {
  const parsed = settingsSchema.safeParse(await jsonOf(file))
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const at = issue?.path.join(".") || "the whole"
  const nearest =
    issue?.code === "unrecognized_keys" ? suggestName(issue.keys[0] ?? "", knownAt(issue.path)) : ""
  throw new CommandError(`settings.json: ${at}: ${issue?.message ?? "wrong"}${nearest}`)
}

/** The names of the object in the settings that a path leads to. */
function knownAt([member]: readonly PropertyKey[]): readonly string[] {
  if (member === "budget") return Object.keys(settingsSchema.shape.budget.unwrap().shape)
  if (member === "allow") return Object.keys(settingsSchema.shape.allow.unwrap().shape)
  return Object.keys(settingsSchema.shape)
}

async function jsonOf(file: string): Promise<unknown> {
  let text: string
  try {
    text = await readFile(file, "utf8")
  } catch (error) {
    if (codeOf(error) === "ENOENT") return {}
    throw new CommandError(`settings.json cannot be read (${codeOf(error)}).`)
  }
  try {
    return JSON.parse(text)
  } catch {
    throw new CommandError("settings.json is not JSON.")
  }
}
