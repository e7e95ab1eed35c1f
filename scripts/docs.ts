/** Writes the generated tables of the documents; with `--check` it fails when a table is out of date. */
import { readFile, writeFile } from "node:fs/promises"
import { Command } from "commander"
import type { z } from "zod"
import { exits } from "../client/cli/failures.ts"
import { settingsSchema } from "../client/cli/settings.ts"
import { adminRefusals } from "../server/admin/refusals.ts"
import { configSchema } from "../server/config/schema.ts"
import { metrics } from "../server/core/metrics.ts"
import { gateRefusals, type RefusalRow, refusals } from "../shared/refusals.ts"
import { clientTable } from "./client-options.ts"

const root = new URL("../", import.meta.url)

/** The generated parts of each document, by name. */
const parts: Readonly<Record<string, Readonly<Record<string, () => string>>>> = {
  "docs/admin.md": { admin: adminTable },
  "docs/agents.md": {
    client: clientTable,
    settings: () => configTable(settingsSchema),
    exits: exitTable,
  },
  "docs/metrics.md": { metrics: metricTable },
  "docs/operating.md": { config: () => configTable(configSchema) },
  "docs/wire.md": { errors: errorTable, gate: gateTable },
}

/** The present text of a document, and its text with new tables. */
type Current = { readonly path: string; readonly found: string; readonly wanted: string }

const readDocuments = (): Promise<readonly Current[]> =>
  Promise.all(
    Object.entries(parts).map(async ([path, tables]) => {
      const found = await readFile(new URL(path, root), "utf8")
      return { path, found, wanted: withTables(path, found, tables) }
    }),
  )

function withTables(path: string, text: string, tables: Readonly<Record<string, () => string>>): string {
  return Object.entries(tables).reduce((current, [name, table]) => {
    const part = new RegExp(`(<!-- ${name}:begin -->\n)[\\s\\S]*?(<!-- ${name}:end -->)`)
    if (!part.test(current)) throw new Error(`${path} has no part named ${name}`)
    return current.replace(part, (_, begin: string, end: string) => `${begin}${table()}\n${end}`)
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

/** Returns one row for each key; the members of an object with defaults have their own rows. */
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

function adminTable(): string {
  const lines = Object.entries(adminRefusals).map(
    ([error, { status, description }]) => `| \`${error}\` | ${status} | ${description} |`,
  )
  return ["| `error` | Status | Meaning |", "|---|---|---|", ...lines].join("\n")
}

function metricTable(): string {
  const lines = Object.entries(metrics).map(([name, { type, labels, help }]) => {
    const shown = labels.length === 0 ? "–" : labels.map((label) => `\`${label}\``).join(", ")
    return `| \`${name}\` | ${type} | ${shown} | ${help} |`
  })
  return ["| Metric | Type | Labels | Meaning |", "|---|---|---|---|", ...lines].join("\n")
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

const { check } = new Command("docs")
  .description("Writes the generated tables of the documents.")
  .option("--check", "write nothing; fail when a table is out of date", false)
  .parse()
  .opts<{ check: boolean }>()
for (const { path, found, wanted } of await readDocuments()) {
  if (found === wanted) continue
  if (!check) await writeFile(new URL(path, root), wanted)
  else {
    process.stderr.write(`${path}: found old tables, wanted what \`npm run docs\` writes\n`)
    process.exitCode = 1
  }
}
