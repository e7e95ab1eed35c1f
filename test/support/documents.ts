/** Reads the README and the documents beside it, whose examples the tests run. */
import { readdirSync, readFileSync } from "node:fs"

const root = new URL("../../", import.meta.url)
const paths = [
  "README.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  ...readdirSync(new URL("docs/", root))
    .filter((file) => file.endsWith(".md"))
    .sort()
    .map((file) => `docs/${file}`),
]

/** The texts by their paths from the root. */
export const documents: ReadonlyMap<string, string> = new Map(
  paths.map((path) => [path, readFileSync(new URL(path, root), "utf8")]),
)

/** All documents as one text. */
export const prose = [...documents.values()].join("\n")

/** A code block with the line above it; the indentation of a list is removed. */
type Fence = { readonly language: string; readonly lead: string; readonly body: string }

const readFences = (text: string): readonly Fence[] =>
  [...text.matchAll(/^(.*)\n( *)```([a-z]+)\n([\s\S]*?)^\2```$/gm)].map(
    ([, lead = "", indent = "", language = "", body = ""]) => ({
      language,
      lead,
      body: body.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
    }),
  )

/** The code blocks of all documents with the reason, of `<!-- not run: reason -->` above, for which no test runs one. */
export const blocks = [...documents].flatMap(([path, text]) =>
  readFences(text).map((fence) => ({
    path,
    reason: /<!-- not run: (.+) -->/.exec(fence.lead)?.[1],
    ...fence,
  })),
)

/** The bodies of the code blocks of a language, in order. */
export const fences = (language: string): string[] =>
  readFences(prose)
    .filter((fence) => fence.language === language)
    .map(({ body }) => body)

/** The one example of a language that contains a text. */
export function example(part: string, language = "ts"): string {
  const [found = "", ...others] = fences(language).filter((body) => body.includes(part))
  if (found === "" || others.length > 0)
    throw new Error(`expected one example with ${part}, found ${found === "" ? "none" : "several"}`)
  return found
}

/** A step of a walk-through: commands to run, or a file to save under the name that its text gives. */
export type Step =
  | { readonly kind: "run"; readonly commands: string }
  | { readonly kind: "save"; readonly file: string; readonly body: string }

/** The steps below a heading of a document, in order. */
export function stepsOf(path: string, heading: string): readonly Step[] {
  const [, section = ""] = (documents.get(path) ?? "").split(`\n## ${heading}\n`)
  const [own = ""] = section.split("\n## ")
  return readFences(own).map(({ lead, body }) => {
    const [, file] = /[Ss]ave this as `([^`]+)`/.exec(lead) ?? []
    return file === undefined ? { kind: "run", commands: body } : { kind: "save", file, body }
  })
}
