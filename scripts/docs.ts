/** Writes the README's tables from the code they describe; with `--check` it only says whether they are current. */
import { readFile, writeFile } from "node:fs/promises"
import { Command } from "commander"
import type { z } from "zod"
import { exits } from "../client/cli/failures.ts"
import { settingsSchema } from "../client/cli/settings.ts"
import { configSchema } from "../server/config/schema.ts"
import { gateRefusals, type RefusalRow, refusals } from "../shared/errors.ts"
import { clientTable } from "./client-options.ts"

const readme = new URL("../README.md", import.meta.url)

/** The text with every generated part made anew. */
export function withTables(text: string): string {
  const tables = {
    client: clientTable(),
    config: configTable(configSchema),
    errors: errorTable(),
    gate: gateTable(),
    settings: configTable(settingsSchema),
    exits: exitTable(),
  }
  return Object.entries(tables).reduce((current, [name, table]) => {
    const part = new RegExp(`(<!-- ${name}:begin -->\n)[\\s\\S]*?(<!-- ${name}:end -->)`)
    if (!part.test(current)) throw new Error(`README.md has no part named ${name}`)
    return current.replace(part, (_, begin: string, end: string) => `${begin}${table}\n${end}`)
  }, text)
}

type Row = { key: string; fallback: string; description: string }

function configTable({ shape }: z.ZodObject): string {
  const rows = Object.entries(shape as Record<string, z.ZodType>).flatMap(([key, schema]) =>
    configRows(key, schema),
  )
  const lines = rows.map(({ key, fallback, description }) => `| \`${key}\` | ${fallback} | ${description} |`)
  return ["| Key | Default | Meaning |", "|---|---|---|", ...lines].join("\n")
}

/** One row a key; the members of an object with defaults of its own are rows of their own. */
function configRows(key: string, schema: z.ZodType): Row[] {
  const inner = "unwrap" in schema ? (schema as z.ZodPrefault<z.ZodType>).unwrap() : schema
  if (schema.description === undefined && "shape" in inner)
    return Object.entries(inner.shape as Record<string, z.ZodType>).flatMap(([member, each]) =>
      configRows(`${key}.${member}`, each),
    )
  const fallback = schema.safeParse(undefined)
  const shown =
    !fallback.success || fallback.data === undefined ? "–" : `\`${JSON.stringify(fallback.data)}\``
  if (schema.description === undefined) throw new Error(`the configuration key ${key} has no description`)
  return [{ key, fallback: shown, description: schema.description }]
}

function errorTable(): string {
  const lines = Object.entries(refusals).map(([reason, row]: [string, RefusalRow]) => {
    return `| \`${reason}\` | ${row.status} | \`${row.error}\` | ${row.action} | ${row.description} |`
  })
  return ["| `reason` | Status | `error` | `action` | Meaning |", "|---|---|---|---|---|", ...lines].join(
    "\n",
  )
}

function gateTable(): string {
  const lines = Object.entries(gateRefusals).map(([reason, row]) => {
    const error = row.error === null ? "–" : `\`${row.error}\``
    return `| \`${reason}\` | ${row.status} | ${error} | ${row.action} | ${row.description} |`
  })
  return [
    "| Situation | Status | `error` of the challenge | What helps | Meaning |",
    "|---|---|---|---|---|",
    ...lines,
  ].join("\n")
}

function exitTable(): string {
  const lines = Object.values(exits).map(({ code, meaning }) => `| ${code} | ${meaning} |`)
  return ["| Exit code | Meaning |", "|---|---|", ...lines].join("\n")
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const { check } = new Command("docs")
    .option("--check", "change nothing, fail when a table is old", false)
    .parse()
    .opts<{ check: boolean }>()
  const text = await readFile(readme, "utf8")
  const current = withTables(text)
  if (!check) await writeFile(readme, current)
  else if (current !== text) {
    process.stderr.write("README.md: found old tables, wanted what `npm run docs` writes\n")
    process.exitCode = 1
  }
}
