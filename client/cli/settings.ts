/** `settings.json`: the rules of the payer for the commands. Values are checked by the client, whose options they are. */
import { readFile } from "node:fs/promises"
import { z } from "zod"
import { codeOf } from "../node/private-file.ts"
import { CommandError } from "./failures.ts"

const texts = z.array(z.string())

/** The descriptions make the documents' table. */
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
      "limits in dollars: of a purchase, of 24 hours, and at will of an origin a day (`perOriginPerDay`), of an origin, of an offer, of all time; what costs more than `approveAbove` is agreed to by somebody",
    ),
  networks: texts
    .default(["eip155:11155111", "eip155:84532"])
    .describe("CAIP-2 ids of the networks that may be paid on; test networks until you name others"),
  allow: z
    .strictObject({
      origins: texts.exactOptional(),
      assets: texts.exactOptional(),
      recipients: texts.exactOptional(),
    })
    .prefault({})
    .describe(
      "`origins`, `assets` and `recipients` that may be paid; what is not named is not restricted. `mcp` fetches from these origins only",
    ),
  tokenEndpoints: texts
    .default([])
    .describe("token endpoints that may be paid although they are on another origin than the API"),
  expectedCalls: z
    .int()
    .positive()
    .default(1)
    .describe("how many calls to a service are planned, so that a pass is bought where it pays"),
  payPerCall: z
    .boolean()
    .default(false)
    .describe("pay plain x402 servers too, which sell no tokens: one payment for each call"),
  dpop: z
    .boolean()
    .default(false)
    .describe("bind every token to a key, so that a stolen one is worth nothing"),
  allowInsecureHttp: z.boolean().default(false).describe("pay over plain http; for closed networks only"),
})

export type CommandSettings = z.infer<typeof settingsSchema>

/** The defaults when there is no file. Throws a {@link CommandError} that names the wrong member. */
export async function readSettings(file: string): Promise<CommandSettings> {
  const parsed = settingsSchema.safeParse(await jsonOf(file))
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const at = issue?.path.join(".") || "the whole"
  throw new CommandError(`settings.json: ${at}: ${issue?.message ?? "wrong"}`)
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
    throw new CommandError("settings.json is no JSON.")
  }
}
