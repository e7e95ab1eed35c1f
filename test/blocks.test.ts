/**
 * Every block of code in the documents is run or checked by a test. Any other block has `<!-- not run: the reason -->` in
 * the line above it.
 */
import { readdir, readFile } from "node:fs/promises"
import ts from "typescript"
import { describe, expect, it } from "vitest"
import { parseConfig } from "../server/config/config.ts"
import { runCommand } from "./support/command.ts"
import { blocks, documents, example, stepsOf } from "./support/documents.ts"
import { configInput, payTo } from "./support/offers.ts"

const folder = new URL("./", import.meta.url)

/** The bodies that tests read with `example()` or `stepsOf()`, in order to run them. */
async function readByTests(): Promise<ReadonlySet<string>> {
  const files = (await readdir(folder, { recursive: true })).filter((file) => file.endsWith(".test.ts"))
  const sources = (await Promise.all(files.map((file) => readFile(new URL(file, folder), "utf8")))).join("\n")
  const examples = [...sources.matchAll(/\bexample\((["'])(.+?)\1(?:, "([a-z]+)")?\)/g)]
  const steps = [...sources.matchAll(/\bstepsOf\("([^"]+)", "([^"]+)"\)/g)]
  return new Set([
    ...examples.map(([, , part = "", language]) => example(part, language)),
    ...steps.flatMap(([, path = "", heading = ""]) =>
      stepsOf(path, heading).map((step) => (step.kind === "run" ? step.commands : step.body)),
    ),
  ])
}

/** The calls of `ticket402` in a shell's text, each without the program's name. */
const callsIn = (text: string): string[] =>
  [...text.matchAll(/^(?:npx )?ticket402 (.+)$/gm)].map(([, call = ""]) => call)

const isCommandsOnly = (text: string): boolean => callsIn(text).length === text.trim().split("\n").length

/** Configurations are whole or a part, and have placeholders. */
function configOf(text: string): unknown {
  const whole = text.trim().startsWith("{") ? text : `{ ${text} }`
  const filled = whole.replace("0xYourAddress", payTo).replace("9a1f…", "9a1f".repeat(16))
  return { ...configInput(), ...JSON.parse(filled) }
}

/** Checks of a JSON block by a key that it has; a configuration of the service otherwise. */
const jsonKinds: readonly (readonly [key: string, problems: (text: string) => unknown])[] = [
  [
    "compilerOptions",
    (text) => ts.convertCompilerOptionsFromJson(JSON.parse(text).compilerOptions, ".").errors,
  ],
  ["mcpServers", () => []],
]

const inDocuments = blocks.filter(({ path }) => path !== "CHANGELOG.md")
const named = inDocuments.map(
  (block) => [`${block.path}: ${block.body.trim().split("\n")[0]}`, block] as const,
)

describe("the blocks of the documents", () => {
  it("are run or checked, or say why they are not", async () => {
    const read = await readByTests()
    const forgotten = named.filter(([, { language, body, reason }]) => {
      const isChecked = language === "json" || (language === "sh" && isCommandsOnly(body))
      return reason === undefined && !isChecked && !read.has(body)
    })
    expect(forgotten.map(([name]) => name)).toEqual([])
    const needless = named.filter(([, { reason, body }]) => reason !== undefined && read.has(body))
    expect(needless.map(([name]) => name)).toEqual([])
  })

  it.each(named.filter(([, { language }]) => language === "json"))(
    "are valid JSON for their reader: %s",
    (_, block) => {
      const [, problems] = jsonKinds.find(([key]) => block.body.includes(`"${key}"`)) ?? []
      if (problems) expect(problems(block.body)).toEqual([])
      else expect(() => parseConfig(configOf(block.body))).not.toThrow()
    },
  )

  it("with ES modules follow the steps that make a folder for them", () => {
    const needy = inDocuments.filter(
      ({ language, body }) => /^[jt]s$/.test(language) && /^(?:im|ex)port /m.test(body),
    )
    expect(needy.length).toBeGreaterThan(10)
    const isMade = ({ path }: (typeof needy)[number]) =>
      /npm pkg set type=module|README\.md#(?:sell-an-api|buy-from-an-agent)/.test(documents.get(path) ?? "")
    expect(needy.filter((block) => !isMade(block)).map(({ path }) => path)).toEqual([])
  })

  it("call commands and options that exist", async () => {
    const { args } = JSON.parse(example('"mcpServers"', "json")).mcpServers.ticket402
    const shells = inDocuments.filter(({ language }) => language === "sh")
    const calls = [...shells.flatMap(({ body }) => callsIn(body)), args.slice(1).join(" ")]
    expect(calls.length).toBeGreaterThan(10)
    const paths = new Map<string, string[]>()
    for (const call of calls) {
      const [path = ""] =
        /^[a-z-]+(?: [a-z-]+)*(?= |$)/.exec(call.split(/ -| [^ a-z]| https?:/)[0] ?? "") ?? []
      paths.set(path, [...(paths.get(path) ?? []), ...(call.match(/(?<= )--?[A-Za-z][a-z0-9-]*/g) ?? [])])
    }
    for (const [path, options] of paths) {
      const { stdout } = await runCommand("scripts/ticket402.ts", [...path.split(" "), "--help"]).ended
      const usage = stdout.split("\n")[0] ?? ""
      expect(usage.startsWith(`Usage: ticket402 ${path} `), `${path}: ${usage}`).toBe(true)
      for (const option of options) expect(stdout.split(/[\s,]+/), path).toContain(option)
    }
  }, 120_000)
})
