/** Holds the tests to the threat catalogue: every row has a test that names it, or a reason why it cannot have one. */
import { readdir, readFile } from "node:fs/promises"
import { Command } from "commander"
import ts from "typescript"
import { reasons, rowPattern, rows } from "../test/support/threats.ts"

const folder = new URL("../test/", import.meta.url)

/** Row ids in the names of tests, their tables included, each with the files that have them. */
async function namedRows(): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const found = new Map<string, Set<string>>()
  const files = await readdir(folder, { recursive: true })
  for (const file of files.filter((name) => /\.test\.ts$|^contracts\/.*\.ts$/.test(name)).sort()) {
    const text = await readFile(new URL(file, folder), "utf8")
    for (const name of testNames(ts.createSourceFile(file, text, ts.ScriptTarget.Latest)))
      for (const [id] of name.matchAll(rowPattern)) {
        const named = found.get(id) ?? new Set()
        found.set(id, named.add(file))
      }
  }
  return found
}

/** The strings in `it(…)`, `describe(…)` and the table of `it.each(…)(…)`; comments name rows too, and prove nothing. */
function testNames(source: ts.SourceFile): string[] {
  const names: string[] = []
  const collect = (node: ts.Node): void => {
    if (ts.isStringLiteralLike(node)) names.push(node.text)
    ts.forEachChild(node, collect)
  }
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && /^(it|test|describe)$/.test(rootOf(node.expression))) {
      collect(node.expression)
      const [name] = node.arguments
      if (name) collect(name)
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return names
}

function rootOf(expression: ts.Expression): string {
  if (ts.isIdentifier(expression)) return expression.text
  if (ts.isPropertyAccessExpression(expression) || ts.isCallExpression(expression))
    return rootOf(expression.expression)
  return ""
}

const { check } = new Command("threats")
  .option(
    "--check",
    "fail when a row has neither a test nor a reason, or a name or reason is out of date",
    false,
  )
  .parse()
  .opts<{ check: boolean }>()

const named = await namedRows()
const problems = [
  ...rows
    .filter((id) => !named.has(id) && !(id in reasons))
    .map((id) => `${id}: found no test that names it, wanted one, or a reason in test/support/threats.ts`),
  ...[...named]
    .filter(([id]) => !rows.includes(id))
    .map(([id, files]) => `${id}: named by ${[...files].join(", ")}, but no row of the catalogue`),
  ...Object.keys(reasons)
    .filter((id) => named.has(id) || !rows.includes(id))
    .map((id) => `${id}: has a reason in test/support/threats.ts that is out of date`),
]
const tested = rows.filter((id) => named.has(id))
const lines = [
  `${tested.length} of ${rows.length} rows have a test that names them`,
  ...Object.entries(reasons).map(([id, reason]) => `${id}: no test, because ${reason}`),
]
if (!check) process.stdout.write(`${lines.join("\n")}\n`)
if (problems.length > 0) {
  process.stderr.write(`${problems.join("\n")}\n`)
  process.exitCode = 1
}
