/** Writes `docs/threats.md`, and fails when a threat has neither a test that names it nor a reason. */
import { readdir, readFile, writeFile } from "node:fs/promises"
import { Command } from "commander"
import ts from "typescript"
import { reasons, rowPattern, rows, sections } from "../test/support/threats.ts"

const folder = new URL("../test/", import.meta.url)
const page = new URL("../docs/threats.md", import.meta.url)

/** Finds the row ids in the names of tests and their tables, with the files of each. */
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

/** Reads the strings in `it(…)`, `describe(…)` and the table of `it.each(…)(…)`. Comments name rows too and prove nothing. */
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

/** Links every test file that names a row. */
function testsOf(id: string): string {
  const files = [...(named.get(id) ?? [])]
  if (files.length === 0) return `none: ${reasons[id] ?? ""}`
  return files.map((file) => `[${file.replace(/\.test\.ts$|\.ts$/, "")}](../test/${file})`).join("<br>")
}

function documentOf(): string {
  const tested = rows.filter((id) => named.has(id)).length
  const tables = sections.map(({ title, rows: texts }) =>
    [
      `## ${title}\n`,
      "| Row | Threat and required result | Tests |",
      "|---|---|---|",
      ...Object.entries(texts).map(([id, text]) => `| ${id} | ${text} | ${testsOf(id)} |`),
    ].join("\n"),
  )
  return `${introduction}\n${tested} of ${rows.length} rows have a test.\n\n${tables.join("\n\n")}\n`
}

const introduction = `# Threats

Attacks and faults that ticket402 is tested against, and the test files that name each row. \`npm run threats\` writes this page from the texts in [\`threats.ts\`](../test/support/threats.ts) and from the titles of the tests; \`npm run check\` fails when it is out of date. The list is a selection: an attack that is not listed is still an attack.
`

const { check } = new Command("threats")
  .description("Writes docs/threats.md from the threat catalogue and the titles of the tests.")
  .option("--check", "write nothing; fail when the page or the catalogue is out of date", false)
  .parse()
  .opts<{ check: boolean }>()

const named = await namedRows()
const problems = [
  ...rows
    .filter((id) => !named.has(id) && !(id in reasons))
    .map((id) => `${id}: found no test that names it, wanted one, or a reason in test/support/threats.ts`),
  ...[...named]
    .filter(([id]) => !rows.includes(id))
    .map(([id, files]) => `${id}: named by ${[...files].join(", ")}, but not a row of the catalogue`),
  ...Object.keys(reasons)
    .filter((id) => named.has(id) || !rows.includes(id))
    .map((id) => `${id}: has a reason in test/support/threats.ts that is out of date`),
]
const wanted = documentOf()
if (!check) await writeFile(page, wanted)
else if ((await readFile(page, "utf8")) !== wanted)
  problems.push("docs/threats.md: found an old page, wanted what `npm run threats` writes")
if (problems.length > 0) {
  process.stderr.write(`${problems.join("\n")}\n`)
  process.exitCode = 1
}
